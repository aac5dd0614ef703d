"""What accounts cost: memory of 500 over the first, and the time from a cold start to warm."""

from tests.bench.lines import LineChild
from tests.bench.report import Report, Row
from tests.bench.stage import VENUES, Server, Stage

MANY = 500
MEMORY_TARGET_MB = 150.0
COLD_ACCOUNTS = 100
COLD_TARGET_SECONDS = 5.0


def memory(stage: Stage, report: Report, desk: LineChild, environment: dict[str, str]) -> Server:
    """Grow from one account to 500 with a fresh worker each; the second worker goes on."""
    desk.ask("grow", accounts=1, venues=["mock"])
    first = stage.warm_worker(environment)
    desk.ask("fan_out", n=1)
    one = first.memory()
    first.stop()
    desk.ask("forget_workers")
    desk.ask("grow", accounts=MANY, venues=["mock"])
    worker = stage.warm_worker(environment)
    desk.ask("fan_out", n=MANY)
    many = worker.memory()
    report.add(Row("memory, worker with 1 account", "MB", one))
    report.add(
        Row(f"memory, {MANY} accounts over the first", "MB", many - one, target=MEMORY_TARGET_MB)
    )
    return worker


def cold_start(stage: Stage, report: Report) -> None:
    """From the start of the worker process until 100 accounts on 3 venues are warm."""
    environment = stage.environment("cold")
    desk = stage.desk(environment)
    desk.ask("prepare")
    desk.ask("grow", accounts=COLD_ACCOUNTS, venues=list(VENUES))
    desk.stop()
    worker = stage.manage(environment, "worker")
    seconds = worker.await_line("accounts are warm")
    worker.stop()
    name = f"cold start to warm, {COLD_ACCOUNTS} accounts on {len(VENUES)} venues"
    report.add(Row(name, "s", seconds, target=COLD_TARGET_SECONDS))
