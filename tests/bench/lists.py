"""Lists over a million orders, deals and positions: the newest page beside one far back."""

from tests.bench.lines import LineChild
from tests.bench.report import Report, Row
from tests.bench.stage import Stage

ROWS = 1_000_000
ACCOUNTS = 20
ROUNDS = 50
LISTS = ("orders/history", "orders/open", "deals", "positions/history", "positions/open")
# performance.md, section 2.
RATIO_TARGET = 1.3
STATEMENTS_TARGET = 3


def measure(stage: Stage, report: Report, rows: int = ROWS) -> None:
    """On a PostgreSQL of its own; the floor of a deep page is the first one."""
    environment = stage.environment("lists")
    archive = stage.own(LineChild("tests.bench.archive", environment=environment))
    archive.ask("prepare")
    archive.ask("grow", accounts=ACCOUNTS, venues=["mock"])
    archive.ask("fill", rows=rows)
    key = archive.ask("add_key")
    for name in LISTS:
        _compare(report, archive, name, key)
    archive.stop()


def _compare(report: Report, archive: LineChild, name: str, key: str) -> None:
    new, old = archive.ask("pages", name=name, key=key, rounds=ROUNDS)
    title = f"{name}, page of 50 of a million"
    report.add(
        Row(f"{title}, far back over newest", "ms", old["ms"], floor=new["ms"], target=RATIO_TARGET)
    )
    report.add(
        Row(
            f"{title}, rows read", "", old["rows_read"], floor=new["rows_read"], target=RATIO_TARGET
        )
    )
    most = max(old["statements"], new["statements"])
    report.add(Row(f"{title}, statements", "", most, target=STATEMENTS_TARGET))
