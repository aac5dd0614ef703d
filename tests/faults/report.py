"""The report of one campaign: one line of JSON, printed and stored."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults.processes import ROOT
from tests.faults.sizes import ORDINARY

# Shown even when nothing of the kind was found.
ALWAYS = (
    "lost", "duplicated", "phantom", "sent_twice", "acknowledged_missing", "answers_differ",
    "deals_missing", "deals_extra", "deals_wrong", "position_diff", "balance_diff", "order_diff",
    "reservations_kept", "reservations_missing", "history_breaks", "event_gaps", "audit_missing",
    "rebuild_diff", "external_unknown", "unprotected", "protection_left", "protection_doubled",
    "server_errors",
)  # fmt: skip


@dataclass(slots=True)
class Report:
    """``figures`` tell how much was done, ``counts`` what was wrong, ``missed`` which quota was not
    reached.
    """

    figures: dict[str, Any]
    counts: dict[str, int]
    examples: dict[str, list[str]] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong and every quota was reached."""
        return not any(self.counts.values()) and not self.missed

    def as_json(self) -> dict[str, Any]:
        """The line."""
        wrong = {name: self.counts.get(name, 0) for name in ALWAYS} | self.counts
        return {**self.figures, **wrong, "missed": self.missed, "ok": self.is_clean}

    def store(self) -> Path:
        """Print the line and write it, with the examples, to ``var/faults``."""
        folder = ROOT / "var" / "faults"
        folder.mkdir(parents=True, exist_ok=True)
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = folder / f"{moment}-{self.figures['seed']}.json"
        document = self.as_json() | {"examples": self.examples}
        path.write_text(json.dumps(document, indent=1) + "\n")
        for kind, sentences in self.examples.items():
            for sentence in sentences:
                print(f"{kind}: {sentence}")
        print(json.dumps(self.as_json()))
        return path


def count_faults(fired: dict[str, int]) -> int:
    """How many faults fired, an exchange's ordinary ways apart."""
    return sum(count for kind, count in fired.items() if kind not in ORDINARY)
