"""The bench's table on the terminal and its figures as JSON."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.bench.lines import ROOT

WIDTH = 130


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: ours beside the floor of the same run, and beside a peer where one is known.

    ``target`` is the largest ratio (or, without a floor, the largest value) that was promised;
    ``more_is_better`` turns it round. ``spread`` is our lowest and highest value.
    """

    name: str
    unit: str
    ours: float
    floor: float | None = None
    peer: float | None = None
    target: float | None = None
    more_is_better: bool = False
    spread: tuple[float, float] | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over the floor."""
        return self.ours / self.floor if self.floor else None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        measured = self.ours if self.ratio is None else self.ratio
        return measured >= self.target if self.more_is_better else measured <= self.target


@dataclass(slots=True)
class Report:
    """All rows of a run."""

    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Take a row and say it, so that a long run shows life."""
        self.rows.append(row)
        Console(stderr=True).print(f"  {row.name}: {_cells(row)[1]} {row.unit}", highlight=False)

    def show(self) -> None:
        """The table."""
        table = Table("measured", "ours", "floor", "ours / floor", "peer", "target", "")
        for row in self.rows:
            table.add_row(*_cells(row))
        Console(width=None if sys.stdout.isatty() else WIDTH).print(table)

    def write(self, kind: str) -> Path:
        """The figures as `var/bench/<time>-<kind>.json`."""
        folder = ROOT / "var" / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{kind}.json"
        rows = [{**asdict(row), "ratio": row.ratio, "is_met": row.is_met} for row in self.rows]
        path.write_text(json.dumps({"machine": _machine(), "rows": rows}, indent=2) + "\n")
        return path


def median_row(name: str, unit: str, ours: Sequence[float], **values: Any) -> Row:
    """A row of our rounds' median; ``floor`` may be a sequence of rounds too."""
    floor = values.pop("floor", None)
    middle = statistics.median(floor) if floor else None
    spread = (min(ours), max(ours))
    return Row(name, unit, statistics.median(ours), floor=middle, spread=spread, **values)


def _cells(row: Row) -> list[str]:
    sign = "≥" if row.more_is_better else "≤"
    bound = "" if row.target is None else f"{sign} {row.target:g}"
    bound += " ×" if bound and row.floor else ""
    return [
        escape(f"{row.name} [{row.unit}]"),
        _number(row.ours),
        "" if row.floor is None else _number(row.floor),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.peer is None else _number(row.peer),
        bound,
        {None: "", True: "met", False: "MISSED"}[row.is_met],
    ]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _machine() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return {
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
    }
