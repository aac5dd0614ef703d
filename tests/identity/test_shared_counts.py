"""Two web processes count calls and failures together."""

from collections.abc import Iterator

import pytest

from tests.identity.clients import LOGIN, Clients, at_once
from tests.identity.conftest import told
from tests.processes.harness import WEB, Platform
from tests.users.people import PASSWORD, new_person
from users.models import Organisation

pytestmark = [pytest.mark.distributed, pytest.mark.slow]

LIMIT = 40
# A minute that ends in between lets the window slide by a few seconds' worth.
SLACK = 3


@pytest.fixture
def doors(platform: Platform, organisation: Organisation) -> Iterator[list[Clients]]:
    """The doors of two web processes on one database and one Redis, and a trader ``tina``."""
    platform.environment["USER_RATE_LIMIT_PER_MIN"] = str(LIMIT)
    second = Platform(platform.command, platform.environment, api_key="")
    new_person(organisation, "tina", "trader")
    for each in (platform, second):
        each.start(WEB)
    doors = [Clients(each.url) for each in (platform, second)]
    yield doors
    for door in doors:
        door.close()
    second.discard()


def test_a_user_s_calls_at_both_count_together(doors: list[Clients]) -> None:
    token = doors[0].log_in("tina", PASSWORD).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    clients = [door.at() for door in doors]
    answers = at_once(
        LIMIT + 20, lambda number: clients[number % 2].get("/api/v1/auth/me", headers=headers)
    )
    codes = [told(answer) for answer in answers]
    assert LIMIT <= codes.count("ok") <= LIMIT + SLACK
    assert set(codes) == {"ok", "too_many_requests"}
    late = [client.get("/v1/users", headers=headers) for client in clients]
    assert [answer.status_code for answer in late] == [429, 429]
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in late)


def test_failed_log_ins_at_both_count_together(doors: list[Clients]) -> None:
    clients = [door.at() for door in doors]
    wrong = {"username": "tina", "password": "wrong"}
    answers = [clients[number % 2].post(LOGIN, json=wrong) for number in range(8)]
    assert [told(each) for each in answers] == [
        *["invalid_credentials"] * 5, *["too_many_attempts"] * 3,
    ]  # fmt: skip
    assert all(int(each.headers["Retry-After"]) > 0 for each in answers[5:])
