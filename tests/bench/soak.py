"""Ten minutes of ten signals a second to twenty accounts each, with the whole platform running."""

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
EARLY_SHARE = 0.2
GROWTH_TARGET = 1.1
QUEUE_SECONDS = 30.0
CPU_TARGET = 10.0
DRAIN_SECONDS = 300.0
LOOK_SECONDS = 0.5
QUEUES = ("execution", "events", "maintenance")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long, and how many signals a second."""

    seconds: float
    per_second: float


@dataclass(slots=True)
class Load:
    """The signals' sender and what became of them."""

    url: str
    secrets: list[str]
    sent: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)
    early: dict[str, float] = field(default_factory=dict)

    async def send(self, pace: Pace, processes: list[Server]) -> None:
        """Send at the fixed rate, whatever the answers take; note the memory at two minutes of
        ten.
        """
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            began, running = time.monotonic(), set()
            while (elapsed := time.monotonic() - began) < pace.seconds:
                task = asyncio.create_task(self._one(session, self.sent))
                running.add(task)
                task.add_done_callback(running.discard)
                self.sent += 1
                if not self.early and elapsed >= pace.seconds * EARLY_SHARE:
                    self.early = {each.name: each.memory() for each in processes}
                due = began + self.sent / pace.per_second
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await asyncio.gather(*running)

    async def _one(self, session: aiohttp.ClientSession, number: int) -> None:
        bot = number % BOTS
        body = alert(number, bot=_name(bot))
        began = time.monotonic()
        try:
            async with session.post(
                self.url, data=body, headers=signed(self.secrets[bot], body)
            ) as answer:
                await answer.read()
                self.refused += answer.status != 200
        except (aiohttp.ClientError, TimeoutError):
            self.refused += 1
        self.seconds.append(time.monotonic() - began)


def _name(bot: int) -> str:
    return f"soak-{bot}"


def run(stage: Stage, report: Report, pace: Pace, *, workers: int) -> None:
    """The whole soak."""
    environment = stage.environment(
        "soak", QUOTE_MAX_AGE_SECONDS="10", BALANCE_MAX_AGE_SECONDS="60"
    )
    desk = stage.desk(environment)
    desk.ask("prepare")
    desk.ask("grow", accounts=BOTS * ACCOUNTS_EACH, venues=["mock"])
    secrets = [
        desk.ask("add_bot", name=_name(bot), first=bot * ACCOUNTS_EACH, count=ACCOUNTS_EACH)
        for bot in range(BOTS)
    ]
    processes = _start(stage, environment, workers)
    Door(environment["PORT"]).await_open()
    wait_until(lambda: not desk.ask("unread"), "every account read", pause=LOOK_SECONDS)
    stage.mock.reset()
    load = Load(f"http://127.0.0.1:{environment['PORT']}/api/v1/webhook/tradingview", secrets)
    used = _cpu(stage, processes)
    asyncio.run(load.send(pace, processes))
    late = {each.name: each.memory() for each in processes}
    ended = time.monotonic()
    with suppress(TimeoutError):
        wait_until(lambda: _is_done(desk), "every order settled", QUEUE_SECONDS, LOOK_SECONDS)
    used = {name: spent - used[name] for name, spent in _cpu(stage, processes).items()}
    drained = time.monotonic() - ended
    time.sleep(max(QUEUE_SECONDS - drained, 0.0))
    waiting = _queue_length(stage)
    wait_until(lambda: _is_done(desk), "every order settled", DRAIN_SECONDS, LOOK_SECONDS)
    _tell(stage, report, load, late, processes)
    _tell_cpu(report, used, stage.mock.count()["orders"])
    for reason, count in desk.ask("reasons").items():
        report.add(Row(f"legs or signals: {reason}", "", count))
    report.add(Row("last order settled after the last signal", "s", drained, target=QUEUE_SECONDS))
    report.add(Row("messages in the queues after 30 s", "", waiting, target=len(QUEUES)))


def _start(stage: Stage, environment: dict[str, str], workers: int) -> list[Server]:
    found = []
    for number in range(workers):
        name = f"worker{number}"
        worker = stage.manage(environment, "worker", "--name", f"{name}@%h")
        worker.name = name
        worker.await_line("accounts are warm")
        found.append(worker)
    return [*found, stage.manage(environment, "web"), stage.manage(environment, "beat")]


def _is_done(desk: LineChild) -> bool:
    open_states = ("CREATED", "SENDING", "UNKNOWN", "OPEN", "PARTIAL")
    return not any(desk.ask("tally").get(state) for state in open_states)


def _cpu(stage: Stage, processes: list[Server]) -> dict[str, float]:
    """CPU seconds so far of everything that runs, the load's own process included."""
    servers = [*processes, *stage.servers(), stage.mock]
    return {each.name: each.cpu() for each in servers} | {"load": time.process_time()}


def _tell_cpu(report: Report, used: dict[str, float], orders: int) -> None:
    """CPU per order at the exchange; the exchange and the load are the bench's own."""
    per_order = {name: seconds * 1000 / max(orders, 1) for name, seconds in used.items()}
    for name, spent in per_order.items():
        report.add(Row(f"CPU per order, {name}", "ms", spent))
    report.add(Row("CPU per order, everything", "ms", sum(per_order.values()), target=CPU_TARGET))


def _queue_length(stage: Stage) -> int:
    _, redis = stage.servers()
    return redis.keys_waiting()


def _tell(
    stage: Stage, report: Report, load: Load, late: dict[str, float], processes: list[Server]
) -> None:
    for each in processes:
        row = Row(
            f"memory at the end over that at a fifth, {each.name}",
            "MB",
            late[each.name],
            floor=load.early[each.name],
            target=GROWTH_TARGET,
        )
        report.add(row)
    errors = sum(_errors(each) for each in processes)
    count = stage.mock.count()
    wanted = load.sent * ACCOUNTS_EACH
    report.add(Row("lines of level ERROR", "", errors, target=0))
    report.add(Row("signals not answered 200", "", load.refused, target=0))
    report.add(Row("orders missing at the exchange", "", wanted - count["held"], target=0))
    report.add(Row("orders sent twice", "", count["repeated"], target=0))
    answers = sorted(load.seconds)
    report.add(Row("answer to a signal, p50", "ms", answers[len(answers) // 2] * 1000))
    report.add(Row("answer to a signal, p99", "ms", answers[int(len(answers) * 0.99)] * 1000))


def _errors(server: Server) -> int:
    words = ("ERROR", "CRITICAL", "Traceback")
    lines = server.log.read_text().splitlines()
    return sum(any(word in line for word in words) for line in lines)
