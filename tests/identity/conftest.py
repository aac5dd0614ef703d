"""A running server on this test's database, and people who sign in over its sockets."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.identity.clients import Clients
from tests.processes.harness import Platform
from users.models import Organisation
from users.services import create_organisation


@pytest.fixture
def organisation(transactional_db: None, real_password_hashing: None) -> Organisation:
    """A tenant, whose people get passwords that a server can read."""
    return create_organisation(name="Ours")


@pytest.fixture
def platform(
    child_environment: dict[str, str], manage: Callable[..., list[str]], tmp_path: Path
) -> Iterator[Platform]:
    """A platform without a venue on this test's database; the test starts what it needs of it."""
    environment = child_environment | {
        "DATA_DIR": str(tmp_path),
        "EXCHANGE_VENUES": "{}",
        "DEMO": "false",
        "PUBLIC_URL": "http://127.0.0.1",
        "LOG_LEVEL": "ERROR",
    }
    running = Platform(manage, environment, api_key="")
    yield running
    running.discard()


@pytest.fixture
def clients(platform: Platform) -> Iterator[Clients]:
    """Clients of the platform's door, each from an address of its own."""
    made = Clients(platform.url)
    yield made
    made.close()


def told(answer: httpx.Response) -> str:
    """The code of a refusal under /api/v1, ``ok`` for a success."""
    return "ok" if answer.is_success else str(answer.json()["error_code"])
