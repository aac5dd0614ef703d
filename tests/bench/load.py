"""The whole platform at work for many signals: ten bots of twenty accounts each, and who sends."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from tests.bench.lines import LineChild
from tests.bench.report import Report, Row
from tests.bench.single import Door, alert, signed
from tests.bench.stage import Server, Stage, wait_until

BOTS, ACCOUNTS_EACH = 10, 20
LOOK_SECONDS = 0.5
EARLY_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Pace:
    """How long, and how many signals a second; every ``repeat_every``th is delivered
    ``deliveries`` times at once (0: none).
    """

    seconds: float
    per_second: float
    repeat_every: int = 0
    deliveries: int = 4


@dataclass(slots=True)
class Load:
    """The signals' sender and what became of them.

    ``sent`` counts signals, ``seconds`` are those of every delivery; ``sent_at`` is by alert id the
    wall time of the first one.
    """

    url: str
    secrets: list[str]
    sent: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)
    sent_at: dict[str, float] = field(default_factory=dict)
    early: dict[str, float] = field(default_factory=dict)

    async def send(self, pace: Pace, processes: list[Server]) -> None:
        """Send at the fixed rate, whatever the answers take; note the memory at two minutes of
        ten.
        """
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            began, running, count = time.monotonic(), set(), 0
            while count < pace.seconds * pace.per_second:
                is_repeated = pace.repeat_every and self.sent % pace.repeat_every == 0
                for _ in range(pace.deliveries if is_repeated else 1):
                    task = asyncio.create_task(self._one(session, self.sent))
                    running.add(task)
                    task.add_done_callback(running.discard)
                self.sent += 1
                count += 1
                if not self.early and count >= pace.seconds * pace.per_second * EARLY_SHARE:
                    self.early = {each.name: each.memory() for each in processes}
                due = began + count / pace.per_second
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await asyncio.gather(*running)

    async def _one(self, session: aiohttp.ClientSession, number: int) -> None:
        bot = number % BOTS
        body = alert(number, bot=name_of(bot))
        began = time.monotonic()
        self.sent_at.setdefault(f"{name_of(bot)}-{number}", time.time())
        try:
            async with session.post(
                self.url, data=body, headers=signed(self.secrets[bot], body)
            ) as answer:
                await answer.read()
                self.refused += answer.status != 200
        except (aiohttp.ClientError, TimeoutError):
            self.refused += 1
        self.seconds.append(time.monotonic() - began)


def name_of(bot: int) -> str:
    """The name of a bot by its number."""
    return f"soak-{bot}"


@dataclass(slots=True)
class House:
    """The platform's processes, the bench's desk beside them, and the load for its door."""

    stage: Stage
    desk: LineChild
    processes: list[Server]
    load: Load

    def is_done(self) -> bool:
        """Whether no order is open."""
        open_states = ("CREATED", "SENDING", "UNKNOWN", "OPEN", "PARTIAL")
        return not any(self.desk.ask("tally").get(state) for state in open_states)

    def drained(self, seconds: float) -> float:
        """The seconds until every order is settled, at most so many."""
        began = time.monotonic()
        with suppress(TimeoutError):
            wait_until(self.is_done, "every order settled", seconds, LOOK_SECONDS)
        return time.monotonic() - began

    def tell_orders(self, report: Report, note: str = "") -> None:
        """What was lost, doubled or complained of until now."""
        count = self.stage.mock.count()
        wanted = self.load.sent * ACCOUNTS_EACH
        errors = sum(_errors(each) for each in self.processes)
        report.add(Row(f"lines of level ERROR{note}", "", errors, target=0))
        report.add(Row(f"deliveries not answered 200{note}", "", self.load.refused, target=0))
        missing = wanted - count["held"]
        report.add(Row(f"orders missing at the exchange{note}", "", missing, target=0))
        report.add(Row(f"orders sent twice{note}", "", count["repeated"], target=0))


def open_house(stage: Stage, workers: int) -> House:
    """Start everything, and wait until every account was read once."""
    environment = stage.environment(
        "soak", QUOTE_MAX_AGE_SECONDS="10", BALANCE_MAX_AGE_SECONDS="60"
    )
    desk = stage.desk(environment)
    desk.ask("prepare")
    desk.ask("grow", accounts=BOTS * ACCOUNTS_EACH, venues=["mock"])
    secrets = [
        desk.ask("add_bot", name=name_of(bot), first=bot * ACCOUNTS_EACH, count=ACCOUNTS_EACH)
        for bot in range(BOTS)
    ]
    processes = _start(stage, environment, workers)
    Door(environment["PORT"]).await_open()
    wait_until(lambda: not desk.ask("unread"), "every account read", pause=LOOK_SECONDS)
    stage.mock.reset()
    address = f"http://127.0.0.1:{environment['PORT']}/api/v1/webhook/tradingview"
    return House(stage, desk, processes, Load(address, secrets))


def _start(stage: Stage, environment: dict[str, str], workers: int) -> list[Server]:
    found = []
    for number in range(workers):
        name = f"worker{number}"
        worker = stage.manage(environment, "worker", "--name", f"{name}@%h")
        worker.name = name
        worker.await_line("accounts are warm")
        found.append(worker)
    return [*found, stage.manage(environment, "web"), stage.manage(environment, "beat")]


def _errors(server: Server) -> int:
    words = ("ERROR", "CRITICAL", "Traceback")
    lines = server.log.read_text().splitlines()
    return sum(any(word in line for word in words) for line in lines)
