"""Ten minutes of ten signals a second to twenty accounts each, with the whole platform running."""

import asyncio
import time

from tests.bench.load import LOOK_SECONDS, House, Pace, open_house
from tests.bench.report import Report, Row
from tests.bench.stage import Stage, wait_until

GROWTH_TARGET = 1.1
QUEUE_SECONDS = 30.0
CPU_TARGET = 10.0
DRAIN_SECONDS = 300.0
QUEUES = ("execution", "events", "maintenance")


def run(stage: Stage, report: Report, pace: Pace, *, workers: int) -> None:
    """The whole soak."""
    house = open_house(stage, workers)
    used = _cpu(house)
    asyncio.run(house.load.send(pace, house.processes))
    late = {each.name: each.memory() for each in house.processes}
    drained = house.drained(QUEUE_SECONDS)
    used = {name: spent - used[name] for name, spent in _cpu(house).items()}
    time.sleep(max(QUEUE_SECONDS - drained, 0.0))
    waiting = _queue_length(stage)
    wait_until(house.is_done, "every order settled", DRAIN_SECONDS, LOOK_SECONDS)
    _tell(house, report, late)
    _tell_cpu(report, used, stage.mock.count()["orders"])
    for reason, count in house.desk.ask("reasons").items():
        report.add(Row(f"legs or signals: {reason}", "", count))
    report.add(Row("last order settled after the last signal", "s", drained, target=QUEUE_SECONDS))
    report.add(Row("messages in the queues after 30 s", "", waiting, target=len(QUEUES)))


def _cpu(house: House) -> dict[str, float]:
    """CPU seconds so far of everything that runs, the load's own process included."""
    servers = [*house.processes, *house.stage.servers(), house.stage.mock]
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


def _tell(house: House, report: Report, late: dict[str, float]) -> None:
    for each in house.processes:
        row = Row(
            f"memory at the end over that at a fifth, {each.name}",
            "MB",
            late[each.name],
            floor=house.load.early[each.name],
            target=GROWTH_TARGET,
        )
        report.add(row)
    house.tell_orders(report)
    answers = sorted(house.load.seconds)
    report.add(Row("answer to a signal, p50", "ms", answers[len(answers) // 2] * 1000))
    report.add(Row("answer to a signal, p99", "ms", answers[int(len(answers) * 0.99)] * 1000))
