"""A minute of ten alerts a second, some delivered four times, then two hundred in one second: how
soon they are stored and answered, and that each is executed once.
"""

import asyncio

from tests.bench.load import ACCOUNTS_EACH, House, Pace, open_house
from tests.bench.report import Report, Row
from tests.bench.stage import Stage

SPIKE = Pace(seconds=1.0, per_second=200)
PER_SECOND, REPEAT_EVERY = 10.0, 10
STORED_MS, ANSWERED_MS = 1000.0, 3000.0
DRAINED_SECONDS = 60.0


def run(stage: Stage, report: Report, seconds: float, *, workers: int) -> None:
    """Both, one after the other, at one platform."""
    house = open_house(stage, workers)
    _phase(house, report, Pace(seconds, PER_SECOND, REPEAT_EVERY), "")
    _phase(house, report, SPIKE, ", spike")
    house.tell_orders(report, ", both")
    for reason, count in house.desk.ask("reasons").items():
        report.add(Row(f"legs or signals: {reason}", "", count))


def _phase(house: House, report: Report, pace: Pace, note: str) -> None:
    load = house.load
    load.seconds.clear()
    load.sent_at.clear()
    asyncio.run(load.send(pace, house.processes))
    drained = house.drained(DRAINED_SECONDS)
    stored_at = house.desk.ask("stored_at")
    late = sorted(
        stored_at[each] - sent for each, sent in load.sent_at.items() if each in stored_at
    )
    report.add(Row(f"alerts sent{note}", "", len(load.sent_at)))
    report.add(Row(f"alerts not stored{note}", "", len(load.sent_at) - len(late), target=0))
    report.add(Row(f"deliveries{note}", "", len(load.seconds)))
    _tell(report, f"stored{note}", late, STORED_MS if not note else None)
    _tell(report, f"answered{note}", sorted(load.seconds), ANSWERED_MS)
    last = f"last of {len(load.sent_at) * ACCOUNTS_EACH} orders settled after the last alert{note}"
    report.add(Row(last, "s", drained, target=DRAINED_SECONDS))


def _tell(report: Report, name: str, seconds: list[float], target: float | None) -> None:
    """Median, p99 and the longest, in milliseconds."""
    report.add(Row(f"{name}, p50", "ms", seconds[len(seconds) // 2] * 1000))
    report.add(Row(f"{name}, p99", "ms", seconds[int(len(seconds) * 0.99)] * 1000, target=target))
    report.add(Row(f"{name}, longest", "ms", seconds[-1] * 1000))
