"""The small fault campaign, in the mode of the test run: everything killed, nothing lost."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.faults.report import ALWAYS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.alone]
LAST_WORDS = 20_000


def campaign(*words: str) -> tuple[int, dict[str, Any]]:
    """Run ``python -m tests.faults``; returns its exit code and its report."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", *words],
        cwd=Path(settings.BASE_DIR),
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-LAST_WORDS:])  # whole in the output of a failing test
    reports = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert reports, done.stdout + done.stderr
    return done.returncode, json.loads(reports[-1])


def test_everything_is_killed_and_the_ledger_equals_the_exchange() -> None:
    mode = "embedded" if settings.EMBEDDED else "distributed"
    code, report = campaign("--size", "small", "--seed", "11", "--mode", mode)
    assert {name: report[name] for name in ALWAYS if report[name]} == {}, report
    assert (report["unknown_left"], report["audit_chain"]) == (0, "ok"), report
    assert (code, report["missed"], report["ok"]) == (0, [], True), report
    assert report["commands"] >= 300
    assert report["faults"] >= 60


@pytest.mark.embedded
def test_the_usual_bot_loses_and_doubles_orders_under_the_same_faults() -> None:
    code, report = campaign("--size", "small", "--seed", "11", "--policy", "naive")
    assert code == 0, report
    assert min(report["lost"], report["duplicated"]) > 0, report
