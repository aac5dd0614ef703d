"""Two hundred clients of a live channel, ten of which stop reading, beside the others alone."""

import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tests.bench.lines import LineChild
from tests.bench.report import Report, Row, median_row
from tests.bench.single import Door
from tests.bench.stage import Server, Stage

READERS, STOPPED = 190, 10
EVENTS, PAUSE_SECONDS = 180, 0.1
WARM_EVENTS = 40
PATIENCE_SECONDS = 60.0
# Issue 5: the others' p99 over the same run without those who stop, and the web process's memory.
P99_TARGET, MEMORY_TARGET_MB = 1.2, 100.0
Round = dict[str, Any]


def measure(stage: Stage, report: Report, rounds: int) -> None:
    """Pairs of a round without and one with those who stop, as many as ``rounds``; every second
    pair the other way round, so that a drift of the machine counts for neither.
    """
    environment = stage.environment("streams", STREAM_RATE_LIMIT_PER_MIN="0")
    newsroom = stage.own(LineChild("tests.bench.newsroom", environment=environment))
    user_id, key = newsroom.ask("prepare")
    web = stage.manage(environment, "web")
    port = environment["PORT"]
    Door(port).await_open()
    address = f"ws://127.0.0.1:{port}/ws/{user_id}"
    listeners = stage.own(LineChild("tests.bench.listeners", address, key, environment=environment))
    for stopped in (0, STOPPED):
        _round(newsroom, listeners, web, stopped, events=WARM_EVENTS)
    found = []
    for number in range(rounds):
        for stopped in (0, STOPPED) if number % 2 == 0 else (STOPPED, 0):
            found.append((stopped, _round(newsroom, listeners, web, stopped)))
    _tell(report, found)
    for child in (listeners, newsroom, web):
        child.stop()


def _round(
    newsroom: LineChild, listeners: LineChild, web: Server, stopped: int, events: int = EVENTS
) -> Round:
    listeners.ask("open", reading=READERS, stopped=stopped)
    before = web.memory()
    highest = _Highest(web)
    cpu = web.cpu()
    newsroom.ask("tell", count=events, pause=PAUSE_SECONDS)
    found = dict(listeners.ask("collect", events=events, seconds=PATIENCE_SECONDS))
    found["grown"] = highest.end() - before
    found["cpu"] = (web.cpu() - cpu) / (events * READERS)
    return found


class _Highest:
    """Watches a process's memory until the end."""

    def __init__(self, server: Server) -> None:
        self._server, self._highest = server, 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> float:
        """The most it had, in MB."""
        self._ended.set()
        self._thread.join()
        return self._highest

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self._highest = max(self._highest, self._server.memory())


def _tell(report: Report, found: Sequence[tuple[int, Round]]) -> None:
    for _, each in found:
        assert each["complete"] == READERS, f"only {each['complete']} readers saw every event"
    alone, beside = ([each for stopped, each in found if stopped == kind] for kind in (0, STOPPED))
    who = f"{READERS} readers, {STOPPED} more not reading"
    for name, share, target in (("p99", 0.99, P99_TARGET), ("median", 0.5, None)):
        ours = [_percentile(each, share) for each in beside]
        floor = [_percentile(each, share) for each in alone]
        title = f"event at a client, {name}, {who}"
        report.add(median_row(title, "ms", ours, floor=floor))
        over = [one / other for one, other in zip(ours, floor, strict=True)]
        report.add(median_row(f"the same over its neighbour without them, {name}", "×", over,
                              target=target))  # fmt: skip
    report.add(median_row("two neighbours of one kind, p99, the larger over the smaller", "×",
                          _noise(found)))  # fmt: skip
    cpu = [[each["cpu"] * 1e6 for each in rounds] for rounds in (beside, alone)]
    report.add(median_row(f"web process, CPU per frame of 8 KB, {who}", "µs", cpu[0], floor=cpu[1]))
    grown = max(each["grown"] for each in beside)
    report.add(Row("web process, memory grown meanwhile", "MB", grown, target=MEMORY_TARGET_MB))
    cut = [float(sum(code is not None for code in each["codes"])) for each in beside]
    report.add(median_row(f"clients cut, of {STOPPED} not reading", "of them", cut))


def _noise(found: Sequence[tuple[int, Round]]) -> list[float]:
    """What the machine's other work makes of the same thing done twice in a row."""
    ratios = []
    for (kind, one), (next_kind, other) in pairwise(found):
        if kind == next_kind:
            low, high = sorted((_percentile(one, 0.99), _percentile(other, 0.99)))
            ratios.append(high / low)
    return ratios or [1.0]


def _percentile(found: Round, share: float) -> float:
    latencies = found["latencies"]
    return float(latencies[int(len(latencies) * share)]) * 1000
