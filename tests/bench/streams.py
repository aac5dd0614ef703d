"""Two hundred clients of a live channel, ten of which stop reading, beside the others alone."""

import threading
from typing import Any

from tests.bench.lines import LineChild
from tests.bench.report import Report, Row, median_row
from tests.bench.single import Door
from tests.bench.stage import Server, Stage

READERS, STOPPED = 190, 10
EVENTS, PAUSE_SECONDS = 180, 0.1
PATIENCE_SECONDS = 20.0
# Issue 5: the others' p99 over the same run without those who stop, and the web process's memory.
P99_TARGET, MEMORY_TARGET_MB = 1.2, 100.0
# Those who stop come in the middle of each pair, so that a drift of the machine counts for neither.
ORDER = (0, STOPPED, STOPPED, 0)


def measure(stage: Stage, report: Report) -> None:
    """Rounds with and without those who stop, in turn."""
    environment = stage.environment("streams", STREAM_RATE_LIMIT_PER_MIN="0")
    newsroom = stage.own(LineChild("tests.bench.newsroom", environment=environment))
    user_id, key = newsroom.ask("prepare")
    web = stage.manage(environment, "web")
    port = environment["PORT"]
    Door(port).await_open()
    address = f"ws://127.0.0.1:{port}/ws/{user_id}"
    listeners = stage.own(LineChild("tests.bench.listeners", address, key, environment=environment))
    _round(newsroom, listeners, web, 0, events=20)
    rounds: dict[int, list[dict[str, Any]]] = {0: [], STOPPED: []}
    for stopped in ORDER:
        rounds[stopped].append(_round(newsroom, listeners, web, stopped))
    _tell(report, rounds[0], rounds[STOPPED])
    for child in (listeners, newsroom, web):
        child.stop()


def _round(
    newsroom: LineChild, listeners: LineChild, web: Server, stopped: int, events: int = EVENTS
) -> dict[str, Any]:
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


def _tell(report: Report, alone: list[dict[str, Any]], beside: list[dict[str, Any]]) -> None:
    for each in (*alone, *beside):
        assert each["complete"] == READERS, f"only {each['complete']} readers saw every event"
    who = f"{READERS} readers, {STOPPED} more not reading"
    for name, share, target in (("p99", 0.99, P99_TARGET), ("median", 0.5, None)):
        ours = [_percentile(each, share) for each in beside]
        floor = [_percentile(each, share) for each in alone]
        title = f"event at a client, {name}, {who}"
        report.add(median_row(title, "ms", ours, floor=floor, target=target))
    cpu = [[each["cpu"] * 1e6 for each in rounds] for rounds in (beside, alone)]
    report.add(median_row(f"web process, CPU per frame of 8 KB, {who}", "µs", cpu[0], floor=cpu[1]))
    grown = max(each["grown"] for each in beside)
    report.add(Row("web process, memory grown meanwhile", "MB", grown, target=MEMORY_TARGET_MB))
    cut = [float(sum(code is not None for code in each["codes"])) for each in beside]
    report.add(median_row(f"clients cut, of {STOPPED} not reading", "of them", cut))


def _percentile(found: dict[str, Any], share: float) -> float:
    latencies = found["latencies"]
    return float(latencies[int(len(latencies) * share)]) * 1000
