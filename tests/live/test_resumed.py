"""Every live channel, over real connections that are cut at random while events go on."""

import asyncio
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import pytest
import websockets
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import connection

from events.log import publish
from events.sequencer import number_events
from tests.ground.ports import free_port
from tests.ground.servers import answers
from tests.live.clients import Channel
from tests.management.sockets import numbered, tell
from tests.users.people import Person, new_account
from tests.waiting import PATIENCE, wait_until
from users.sessions import revoke

pytestmark = pytest.mark.django_db(transaction=True)

CUTS = 50
MOST_BETWEEN_CUTS = 40
SEED = 20_261_129
ENDS_WITHIN = 5.0
ORDER = {
    "order_id": 0,
    "account_id": 0,
    "book": "live",
    "symbol": "BTC/USDT",
    "side": "buy",
    "quantity": "1",
    "filled_quantity": "0",
    "average_price": None,
    "state": "OPEN",
    "reason_code": "",
    "correlation_id": "",
}


@pytest.fixture
def port(child_environment: dict[str, str]) -> Iterator[int]:
    """Where the test's server answers."""
    number = free_port()
    environment = child_environment | {"STREAM_RATE_LIMIT_PER_MIN": "0"}
    command = [sys.executable, "-m", "tests.live.server", str(number)]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment)
    wait_until(lambda: answers(number, "/healthz"))
    yield number
    process.terminate()
    process.wait(PATIENCE)


class Load:
    """Orders of two organisations change all the time; ``sent`` is the last one's number of ours.

    The other's have the number 0.
    """

    def __init__(self, ours: Person, theirs: Person, account_id: int) -> None:
        self.sent = 0
        self._ours, self._theirs, self._account_id = ours, theirs, account_id
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """No order changes any more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        dice = random.Random(SEED)  # noqa: S311
        try:
            for number in count(1):
                self._tell(self._ours, number)
                if dice.random() < 0.3:
                    self._tell(self._theirs, 0)
                if dice.random() < 0.4:
                    number_events()
                if self._ended.wait(0.004):
                    break
            number_events()
            self.sent = number
        finally:
            connection.close()

    def _tell(self, person: Person, number: int) -> None:
        payload = {**ORDER, "order_id": number, "account_id": self._account_id}
        publish(
            "order.updated",
            organisation_id=person.user.organisation_id,
            topics=(f"account:{self._account_id}",),
            payload=payload,
        )


def channels(person: Person, account_id: int) -> dict[str, Channel]:
    """Every channel, each with a way to resume."""
    token = person.pair.access
    bearer = {"authorization": f"Bearer {token}"}
    named = {**bearer, "x-account-id": str(account_id), "x-after-id": "{after}"}
    auth = {"type": "auth", "token": token, "resume_from": "{after}"}
    orders = {"type": "subscribe", "stream": "order_updates"}
    everything = {"type": "subscribe", "channel": "all"}
    of_user = f"/ws/{person.user.pk}?after_id={{after}}"
    return {
        "000": Channel("/ws", named),
        "001": Channel(of_user, bearer, (everything,)),
        "003": Channel("/v1/stream", {**bearer, "last-event-id": "{after}"}, is_socket=False),
        "004": Channel("/ws/v1", {}, (auth, orders)),
    }


async def cut_at_random(
    channel: Channel, port: int, start: int, load: Load, dice: random.Random
) -> list[int]:
    """The orders' numbers in the order of their arrival over all connections, until ``load`` ends
    after the last cut.
    """
    last, seen = start, []
    for _ in range(CUTS):
        async with asyncio.timeout(PATIENCE):
            with suppress(websockets.ConnectionClosed):
                async with channel.opened(port, last) as line:
                    for _ in range(dice.randint(0, MOST_BETWEEN_CUTS)):
                        last, number = await line.read()
                        seen.append(number)
                    line.cut()
    await asyncio.to_thread(load.end)
    async with asyncio.timeout(PATIENCE), channel.opened(port, last) as line:
        while seen[-1] != load.sent:
            last, number = await line.read()
            seen.append(number)
    return seen


@pytest.mark.parametrize("name", ["000", "001", "003", "004"])
async def test_fifty_random_cuts_under_load_lose_nothing_and_double_nothing(
    name: str, port: int, admin: Person, stranger: Person
) -> None:
    account = await database_sync_to_async(new_account)(admin, "one")
    start = await numbered()
    channel = channels(admin, account.pk)[name]
    with Load(admin, stranger, account.pk) as load:
        seen = await cut_at_random(channel, port, start, load, random.Random(SEED))  # noqa: S311
    assert seen == list(range(1, load.sent + 1))
    assert load.sent > 500


async def test_every_channel_of_a_terminated_session_ends_within_seconds(
    port: int, admin: Person
) -> None:
    account = await database_sync_to_async(new_account)(admin, "one")
    start = await numbered()
    await tell(admin, "order.updated", f"account:{account.pk}", **ORDER)
    heard = asyncio.Semaphore(0)
    every = channels(admin, account.pk).values()
    reading = [asyncio.create_task(_end(each, port, start, heard)) for each in every]
    async with asyncio.timeout(PATIENCE):
        for _ in every:
            await heard.acquire()
    began = time.monotonic()
    await numbered(lambda: revoke(admin.session, reason="terminated"))
    codes = await asyncio.gather(*reading)
    assert time.monotonic() - began < ENDS_WITHIN
    assert codes == [4401, 4401, 0, 4401]


async def _end(channel: Channel, port: int, after: int, heard: asyncio.Semaphore) -> int:
    """The code a channel is closed with, 0 for an event stream's end; each event is ``heard``."""
    try:
        async with channel.opened(port, after) as line:
            while True:
                await line.read()
                heard.release()
    except websockets.ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else -1
    except EOFError:
        return 0
