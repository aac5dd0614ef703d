"""Who kills what, and how often: one thread each, every one with a seeded chance of its own."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.faults.doors import PATIENCE_SECONDS
from tests.faults.sizes import Quota
from tests.faults.stage import SERVER, WEB, WORKER, Stage

# Twice the window in which an exchange accepts a signed request.
WORKER_STOP_SECONDS = 10.0
EXCHANGE_STOP_SECONDS = 3.0
RETRY_SECONDS = 0.1
HEAD_START, AHEAD = 0.1, 2.0
REVOKED_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Killer:
    """An act and the least and most seconds between two of them; False means try again soon."""

    name: str
    act: Callable[[random.Random], bool]
    every: tuple[float, float]


def killers_of(stage: Stage, furniture: dict[str, Any]) -> list[Killer]:
    """The killers of the stage's mode."""
    every = stage.size.every

    def kill(role: str) -> Killer:
        return Killer(role, lambda chance: stage.kill_one(role, chance), every[role])

    def stop_exchange(_: random.Random) -> bool:
        stage.stop_exchange(EXCHANGE_STOP_SECONDS)
        return True

    def stop_sender(role: str) -> Killer:
        def act(chance: random.Random) -> bool:
            stage.stop_one(role, chance, WORKER_STOP_SECONDS)
            return True

        return Killer(f"stop_{role}", act, every["stop_worker"])

    def redis(chance: random.Random) -> bool:
        stage.kill_server(stage.redis, "redis", chance.uniform(0.1, 1.0))
        return True

    def postgres(chance: random.Random) -> bool:
        stage.kill_server(stage.postgres, "postgres", chance.uniform(0.1, 1.0))
        return True

    def revoke(chance: random.Random) -> bool:
        revoke_key(stage, chance.choice(furniture["organisations"]), chance)
        return True

    common = [
        Killer("stop_exchange", stop_exchange, every["stop_exchange"]),
        Killer("revoke", revoke, every["revoke"]),
    ]
    if stage.mode == "embedded":
        return [kill(SERVER), stop_sender(SERVER), *common]
    return [
        kill(WORKER),
        kill(WEB),
        stop_sender(WORKER),
        Killer("redis", redis, every["redis"]),
        Killer("postgres", postgres, every["postgres"]),
        *common,
    ]


def revoke_key(stage: Stage, house: dict[str, Any], chance: random.Random) -> None:
    """The exchange refuses an account's key for a while; then its owner sets it anew.

    Repeated until the platform has taken the credentials, so that no account stays suspended.
    """
    account = chance.choice(house["accounts"])
    exchange_act(stage, "/_account/revoke", account)
    stage.kills["revoked_key"] += 1
    time.sleep(REVOKED_SECONDS)
    exchange_act(stage, "/_account/restore", account)
    body = {"api_key": account["key"], "api_secret": account["secret"]}
    address = f"{stage.url}/api/v1/accounts/{account['id']}/update-credentials"
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        try:
            answer = httpx.post(address, json=body, headers={"x-api-key": house["api_key"]})
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code == httpx.codes.OK:
            return
        time.sleep(0.5)
    raise TimeoutError(f"account {account['key']} could not be given its key")


def exchange_act(stage: Stage, path: str, account: dict[str, Any]) -> None:
    """Use an operator's route about an account until the exchange, perhaps stopped, answers."""
    while True:
        try:
            stage.exchange_call("POST", path, {"api_key": account["key"]})
        except httpx.TransportError:
            time.sleep(RETRY_SECONDS)
        else:
            return


@dataclass(frozen=True, slots=True)
class Pace:
    """Whether a killer may go on: not where its kills run far ahead of the commands.

    On a busy machine processes need seconds to start; without this they would only ever start.
    """

    kills: Counter[str]
    quota: Quota
    commands: Callable[[], int]

    def allows(self, name: str) -> bool:
        """Whether another kill of this name keeps pace; what has no quota always does."""
        wanted = getattr(self.quota, name, 0)
        done = self.commands() / self.quota.commands
        return not wanted or self.kills[name] < wanted * (HEAD_START + AHEAD * done)


class Killing:
    """All killers at work, as a context; its end waits for the last act."""

    def __init__(self, stage: Stage, furniture: dict[str, Any], seed: int, pace: Pace) -> None:
        self._pace = pace
        self._over = threading.Event()
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(killer, seed), daemon=True)
            for killer in killers_of(stage, furniture)
        ]

    def __enter__(self) -> "Killing":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, killer: Killer, seed: int) -> None:
        chance = random.Random(f"{seed}:{killer.name}")
        while not self._over.wait(chance.uniform(*killer.every)):
            if not self._pace.allows(killer.name):
                continue
            try:
                while not killer.act(chance) and not self._over.wait(RETRY_SECONDS):
                    pass
            except TimeoutError as error:
                self.failures.append(str(error))
                return
