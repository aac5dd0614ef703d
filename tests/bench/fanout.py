"""One signal to many accounts, interleaved with bare ccxt's gather; and orders without a pause."""

from dataclasses import dataclass, field

from tests.bench.lines import LineChild
from tests.bench.report import Report, Row, median_row
from tests.bench.stage import Server, Stage

SIZES = (1, 10, 100, 500)
FAR_MS = 50
# performance.md, targets 1 and 3: the last ack over the gather, and the last row over it.
ACK_TARGETS = {100: 1.25, 500: 1.10}
ROWS_TARGET = 1.5
CPU_TARGET = 2.0
SUSTAINED_TARGET = 0.7
SUSTAINED_SIZE, SUSTAINED_SECONDS = 100, 8.0
# One Celery task per account with synchronous ccxt, measured once for performance.md (ms).
PEERS = {100: 598.0}


@dataclass(slots=True)
class Rounds:
    """What the rounds of one size gave; walls in ms, CPU in ms per order."""

    ack: list[float] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    servers: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    floor_cpu: list[float] = field(default_factory=list)


def _round(
    stage: Stage, desk: LineChild, floor: LineChild, workers: list[Server], n: int, into: Rounds
) -> None:
    bare = floor.ask("gather", n=n)
    into.floor.append(bare["wall"] * 1000)
    into.floor_cpu.append(bare["cpu"] * 1000 / n)
    postgres, redis = stage.servers()
    before = [each.cpu() for each in workers], postgres.cpu() + redis.cpu()
    ours = desk.ask("fan_out", n=n)
    used = sum(each.cpu() for each in workers) - sum(before[0]) + ours["cpu"]
    into.ack.append(ours["ack"] * 1000)
    into.rows.append(ours["rows"] * 1000)
    into.events.append(ours["events"] * 1000)
    into.cpu.append(used * 1000 / n)
    into.servers.append((postgres.cpu() + redis.cpu() - before[1]) * 1000 / n)


def measure(
    stage: Stage,
    report: Report,
    desk: LineChild,
    floor: LineChild,
    workers: list[Server],
    rounds: int,
) -> None:
    """Every size, near and far."""
    for ms in (0, FAR_MS):
        stage.mock.delay(ms)
        for n in SIZES:
            into = Rounds()
            _round(stage, desk, floor, workers, n, Rounds())
            for _ in range(rounds):
                _round(stage, desk, floor, workers, n, into)
            _tell(report, into, n, ms)
    stage.mock.delay(0)


def _tell(report: Report, found: Rounds, n: int, ms: int) -> None:
    where = f"{n} accounts, exchange {ms} ms away"
    report.add(
        median_row(
            f"last ack, {where}",
            "ms",
            found.ack,
            floor=found.floor,
            target=ACK_TARGETS.get(n),
            peer=PEERS.get(n) if ms == 0 else None,
        )
    )
    target = ROWS_TARGET if n in ACK_TARGETS and ms == 0 else None
    report.add(median_row(f"last row, {where}", "ms", found.rows, floor=found.floor, target=target))
    report.add(median_row(f"last event, {where}", "ms", found.events))
    if ms:
        return
    target = CPU_TARGET if n in ACK_TARGETS else None
    report.add(
        median_row(
            f"CPU per order, {n} accounts",
            "ms",
            found.cpu,
            floor=found.floor_cpu,
            target=target,
        )
    )
    report.add(median_row(f"PostgreSQL + Redis per order, {n} accounts", "ms", found.servers))


def sustain(report: Report, desk: LineChild, floor: LineChild, workers: list[Server]) -> None:
    """Durable orders per second, and per CPU second of the platform's processes."""
    bare = floor.ask("sustain", n=SUSTAINED_SIZE, seconds=SUSTAINED_SECONDS)
    before = sum(each.cpu() for each in workers)
    ours = desk.ask("sustain", n=SUSTAINED_SIZE, seconds=SUSTAINED_SECONDS)
    used = sum(each.cpu() for each in workers) - before + ours["cpu"]
    report.add(
        Row(
            "sustained durable orders",
            "1/s",
            ours["orders"] / ours["wall"],
            floor=bare["orders"] / bare["wall"],
            more_is_better=True,
        )
    )
    report.add(
        Row(
            "sustained durable orders per core",
            "1/s",
            ours["orders"] / used,
            floor=bare["orders"] / bare["cpu"],
            target=SUSTAINED_TARGET,
            more_is_better=True,
        )
    )


def transports(report: Report, lean: LineChild, floor: LineChild, rounds: int) -> None:
    """The same script on bare ccxt over the lean session, beside the stock one, in turn."""
    for n in (100, 500):
        ours: list[float] = []
        bare: list[float] = []
        for _ in range(rounds):
            bare.append(floor.ask("gather", n=n)["cpu"] * 1000 / n)
            ours.append(lean.ask("gather", n=n)["cpu"] * 1000 / n)
        name = f"CPU per order, bare ccxt over the lean transport, {n} accounts"
        report.add(median_row(name, "ms", ours, floor=bare))
