"""What does not answer, or cannot be, stops a process and is named by its setting."""

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.ground.ports import free_port
from tests.waiting import PATIENCE

Manage = Callable[..., list[str]]
MARKER = "s3cret-marker-value"


def start(command: list[str], **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose environment has these settings on top."""
    return subprocess.run(
        command,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("command", ["web", "worker", "beat"])
def test_process_of_its_own_needs_redis(manage: Manage, command: str) -> None:
    outcome = start(manage(command), REDIS_URL="")
    assert outcome.returncode == 6
    assert "setting REDIS_URL" in outcome.stderr


def test_unreachable_database_is_named_without_its_password(manage: Manage) -> None:
    address = f"postgres://trader:{MARKER}@127.0.0.1:{free_port()}/platform"
    outcome = start(manage("run"), DATABASE_URL=address)
    assert outcome.returncode == 6
    assert outcome.stderr.splitlines()[-1] == (
        "Not started: the database of setting DATABASE_URL does not answer"
    )
    assert MARKER not in outcome.stderr + outcome.stdout


def test_unreachable_redis_is_named_without_its_password(manage: Manage) -> None:
    address = f"redis://:{MARKER}@127.0.0.1:{free_port()}/0"
    outcome = start(manage("run"), DATABASE_URL="", REDIS_URL=address)
    assert outcome.returncode == 6
    assert outcome.stderr.splitlines()[-1] == (
        "Not started: the Redis of setting REDIS_URL does not answer"
    )
    assert MARKER not in outcome.stderr + outcome.stdout


def test_venue_that_cannot_be_stops_the_start(manage: Manage) -> None:
    venues = f'{{"lab": {{"ccxt": "no-such-exchange", "base_url": "{MARKER}"}}}}'
    outcome = start(manage("run"), DATABASE_URL="", REDIS_URL="", EXCHANGE_VENUES=venues)
    assert outcome.returncode == 2
    assert outcome.stderr.splitlines()[-1].startswith("Setting EXCHANGE_VENUES")
    assert MARKER not in outcome.stderr + outcome.stdout
