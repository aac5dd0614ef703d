"""Which call suffers which fault: by a script of rules, in windows of time, by seeded
probabilities, or by the clock.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from exchanges.simulator.fault_kinds import (
    BURSTS,
    CONNECTION,
    KINDS,
    PROFILES,
    Call,
    in_scope,
)

FIRED_KEPT = 10_000
BURST_TIMES, BURST_RETRY_S = 20, 2


@dataclass(slots=True)
class Rule:
    """One line of a script. ``times`` counts down; below zero it never ends, nor does a rule whose
    ``until_ms`` is 0.

    ``match`` names fields of ``Call``; a field left out matches all, but a kind looks only at the
    calls it concerns unless ``match`` gives a method or path itself.
    """

    kind: str
    match: dict[str, str] = field(default_factory=dict)
    times: int = 1
    params: dict[str, Any] = field(default_factory=dict)
    until_ms: int = 0

    def fits(self, call: Call) -> bool:
        """Whether the rule is alive and about this call."""
        if self.times == 0:
            return False
        if not ({"method", "path"} & self.match.keys()) and not in_scope(self.kind, call):
            return False
        return all(getattr(call, name, None) == value for name, value in self.match.items())

    def to_json(self) -> dict[str, Any]:
        """The rule as ``GET /_fault`` shows it."""
        return {
            "kind": self.kind, "match": self.match, "times": self.times, "params": self.params,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time in which every call that ``kind`` concerns suffers it."""

    kind: str
    start_ms: int
    end_ms: int
    params: dict[str, Any]

    def holds(self, call: Call, now_ms: int) -> bool:
        """Whether this is the time, and the kind concerns the call."""
        return self.start_ms <= now_ms < self.end_ms and in_scope(self.kind, call)


@dataclass(slots=True)
class Timed:
    """A fault of the connections that comes by the clock, every so many seconds."""

    kind: str
    every_s: Any
    params: dict[str, Any]
    next_ms: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that strikes now."""

    kind: str
    params: dict[str, Any]


class FaultPlan:
    """The faults that are still to come and the record of those that fired."""

    def __init__(self, body: dict[str, Any] | None = None, *, now_ms: int = 0) -> None:
        self.rules: list[Rule] = []
        self.windows: list[Window] = []
        self.timed: list[Timed] = []
        self.probabilities: dict[str, float] = {}
        self.params: dict[str, dict[str, Any]] = {}
        self.fired: deque[dict[str, Any]] = deque(maxlen=FIRED_KEPT)
        self.fired_counts: dict[str, int] = {}
        self.seed: Any = 0
        self._random = random.Random(0)  # noqa: S311
        if body:
            self.add(body, now_ms)

    @property
    def is_empty(self) -> bool:
        """Whether no call can suffer anything."""
        return not (self.rules or self.probabilities or self.windows)

    def add(self, body: dict[str, Any], now_ms: int) -> None:
        """Take a body of ``POST /_fault``.

        ``script`` appends rules, ``windows`` and ``timed`` append what comes by the clock, counted
        from now; ``probabilities``, ``params`` (by kind) and ``seed`` replace; ``profile`` stands
        for the body of that name, over which the rest is laid. A parameter ``[low, high]`` is drawn
        anew each time. Raises ``ValueError`` on an unknown kind; then nothing has changed.
        """
        if "profile" in body:
            if body["profile"] not in PROFILES:
                raise ValueError(f"unknown profile: {body['profile']}")
            body = {**PROFILES[body["profile"]], **body}
        rules = [
            Rule(
                kind=str(row["kind"]),
                match=dict(row.get("match") or {}),
                times=int(row.get("times", 1)),
                params=dict(row.get("params") or {}),
            )
            for row in body.get("script", ())
        ]
        windows = [_window(row, now_ms) for row in body.get("windows", ())]
        timed = [
            Timed(str(row["kind"]), row["every_s"], dict(row.get("params") or {}))
            for row in body.get("timed", ())
        ]
        chances = {str(k): float(v) for k, v in (body.get("probabilities") or {}).items()}
        named = {r.kind for r in rules} | {w.kind for w in windows} | chances.keys()
        _check_kinds(named, {row.kind for row in timed})
        if "seed" in body:
            self.seed = body["seed"]
            self._random = random.Random(self.seed)  # noqa: S311
        if "probabilities" in body:
            self.probabilities = chances
        if "params" in body:
            self.params = {kind: dict(values) for kind, values in body["params"].items()}
        self.rules.extend(rules)
        self.windows.extend(windows)
        for row in timed:
            row.next_ms = self._after(row, now_ms)
        self.timed.extend(timed)

    def clear(self) -> None:
        """Forget everything to come; the record of what fired stays."""
        self.rules.clear()
        self.windows.clear()
        self.timed.clear()
        self.probabilities.clear()
        self.params.clear()

    def strike(self, kinds: frozenset[str], call: Call, now_ms: int) -> Fault | None:
        """The first fault of ``kinds`` for this call, which is thereby used up."""
        if self.is_empty:
            return None
        for rule in list(self.rules):
            if 0 < rule.until_ms <= now_ms:
                self.rules.remove(rule)
            elif rule.kind in kinds and rule.fits(call):
                rule.times -= 1
                if rule.times == 0:
                    self.rules.remove(rule)
                return self._fire(rule.kind, rule.params, call, now_ms)
        for window in self.windows:
            if window.kind in kinds and window.holds(call, now_ms):
                return self._fire(window.kind, window.params, call, now_ms)
        kind = self._chance(kinds, call) if self.probabilities else None
        return self._fire(kind, self.params.get(kind, {}), call, now_ms) if kind else None

    def due(self, now_ms: int) -> list[Fault]:
        """The faults of the connections whose time has come."""
        faults = []
        for row in self.timed:
            if row.next_ms <= now_ms:
                row.next_ms = self._after(row, now_ms)
                faults.append(self._fire(row.kind, row.params, Call("WS", ""), now_ms))
        return faults

    def pick(self, among: list[Any]) -> Any:
        """One of a list that is not empty, by the plan's own dice."""
        return self._random.choice(among)

    def to_json(self) -> dict[str, Any]:
        """What is left, and what fired."""
        return {
            "script": [rule.to_json() for rule in self.rules],
            "windows": [[w.kind, w.start_ms, w.end_ms] for w in self.windows],
            "timed": [[t.kind, t.every_s] for t in self.timed],
            "probabilities": self.probabilities,
            "params": self.params,
            "seed": self.seed,
            "fired": list(self.fired),
            "fired_counts": self.fired_counts,
        }

    def _chance(self, kinds: frozenset[str], call: Call) -> str | None:
        candidates = [k for k in self.probabilities if k in kinds and in_scope(k, call)]
        if not candidates:
            return None
        draw = self._random.random()
        for kind in candidates:
            draw -= self.probabilities[kind]
            if draw < 0:
                return kind
        return None

    def _fire(self, kind: str, params: dict[str, Any], call: Call, now_ms: int) -> Fault:
        self.fired.append({
            "kind": kind, "at_ms": now_ms, "method": call.method, "path": call.path,
            "api_key": call.api_key, "client_id": call.client_id,
        })  # fmt: skip
        self.fired_counts[kind] = self.fired_counts.get(kind, 0) + 1
        drawn = {name: self._drawn(value) for name, value in params.items()}
        if kind in BURSTS:
            self._burst(kind, drawn, call, now_ms)
        return Fault(kind, drawn)

    def _burst(self, kind: str, params: dict[str, Any], call: Call, now_ms: int) -> None:
        """Refuse what the same key asks next, until it has waited as it is told to."""
        until = now_ms + int(float(params.setdefault("retry_after", BURST_RETRY_S)) * 1000)
        times = int(params.get("times", BURST_TIMES)) - 1
        match = {"api_key": call.api_key}
        self.rules.insert(0, Rule(BURSTS[kind], match, times, {"until_ms": until}, until))

    def _drawn(self, value: Any) -> Any:
        if not (isinstance(value, list) and len(value) == 2):
            return value
        low, high = value
        if isinstance(low, int) and isinstance(high, int):
            return self._random.randint(low, high)
        return self._random.uniform(low, high)

    def _after(self, row: Timed, now_ms: int) -> int:
        return now_ms + int(float(self._drawn(row.every_s)) * 1000)


def _window(row: dict[str, Any], now_ms: int) -> Window:
    start = now_ms + int(float(row.get("start_s", 0)) * 1000)
    end = start + int(float(row["seconds"]) * 1000)
    return Window(str(row["kind"]), start, end, dict(row.get("params") or {}))


def _check_kinds(named: set[str], timed: set[str]) -> None:
    unknown = (named - KINDS) | (timed - CONNECTION)
    if unknown:
        raise ValueError(f"unknown fault kind: {', '.join(sorted(unknown))}")
