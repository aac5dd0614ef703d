"""`python -m tests.bench`: measure, print the table, write the JSON."""

import argparse
import signal
import sys
from types import FrameType

from exchanges.transport import LEAN
from tests.bench import burst, commands, entrance, fanout, footprint, lists, single, soak, streams
from tests.bench.load import Pace
from tests.bench.report import Report
from tests.bench.stage import Stage

PARTS = (
    "memory", "fanout", "transport", "sustained", "single", "embedded", "cold", "lists", "commands",
    "login", "request", "streams",
)  # fmt: skip
# These need no exchange.
WITHOUT_EXCHANGE = {
    "login": entrance.logins,
    "request": entrance.requests,
    "streams": streams.measure,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--soak", action="store_true", help="10 minutes of signals instead")
    parser.add_argument("--burst", action="store_true", help="a minute of alerts, then a spike")
    parser.add_argument("--minutes", type=float, help="length of soak or burst")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of the soak")
    parser.add_argument("--rate", type=float, default=10.0, help="signals per second of the soak")
    parser.add_argument("--rounds", type=int, default=7, help="rounds per size, at least 5 count")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="parts to run")
    return parser.parse_args()


def _measure(stage: Stage, report: Report, options: argparse.Namespace) -> None:
    for part, measure in WITHOUT_EXCHANGE.items():
        if part in options.only:
            measure(stage, report, options.rounds)
    if "commands" in options.only:
        commands.measure(stage, report, options.rounds)
    if set(options.only) <= {"commands", *WITHOUT_EXCHANGE}:
        return
    floor = stage.floor(footprint.MANY)
    if {"memory", "fanout", "sustained", "single"} & set(options.only):
        _measure_distributed(stage, report, options, floor)
    if "transport" in options.only:
        fanout.transports(report, stage.floor(footprint.MANY, LEAN), floor, options.rounds)
    if "embedded" in options.only:
        single.embedded(stage, report, floor)
    if "cold" in options.only:
        footprint.cold_start(stage, report)
    if "lists" in options.only:
        lists.measure(stage, report)


def _measure_distributed(stage: Stage, report: Report, options: argparse.Namespace, floor) -> None:  # type: ignore[no-untyped-def]
    environment = stage.environment("bench")
    desk = stage.desk(environment)
    desk.ask("prepare")
    worker = footprint.memory(stage, report, desk, environment)
    if "fanout" in options.only:
        fanout.measure(stage, report, desk, floor, [worker], options.rounds)
    if "sustained" in options.only:
        fanout.sustain(report, desk, floor, [worker])
    if "single" in options.only:
        secret = desk.ask("add_bot", name=single.BOT, first=0, count=1)
        web = stage.manage(environment, "web")
        single.measure(stage, report, floor, environment, secret)
        web.stop()
    worker.stop()
    desk.stop()


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Exit code 0 when everything could be measured, whatever the figures say."""
    options = _arguments()
    signal.signal(signal.SIGTERM, _interrupted)
    report, stage = Report(), Stage()
    try:
        if options.burst:
            burst.run(stage, report, (options.minutes or 1) * 60, workers=options.workers)
        elif options.soak:
            pace = Pace((options.minutes or 10) * 60, options.rate)
            soak.run(stage, report, pace, workers=options.workers)
        else:
            _measure(stage, report, options)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    finally:
        stage.close()
    report.show()
    print(report.write("burst" if options.burst else "soak" if options.soak else "bench"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
