"""``/api/v1/metrics``: what an operator's own dashboard draws of venues and rates."""

from accounts.models import Account, StreamStatus
from common.clock import now
from riskmgmt.models import VenueState
from tests.management.answers import refusal
from tests.management.conftest import Call
from tests.users.people import Person, new_account
from users.services import create_api_key


def test_a_venue_is_told_with_what_stands_in_its_way(
    call: Call, admin: Person, viewer: Person, account: Account
) -> None:
    other = new_account(admin, "other")
    Account.objects.filter(pk=other.pk).update(sync_error="invalid_key")
    StreamStatus.objects.create(account=account, state=StreamStatus.State.LIVE, seen_at=now())
    healthy = {"is_open": False, "reason": "", "accounts": 2, "failures": 1, "streaming": 1}
    answer = call("GET", "/metrics", person=viewer).json()
    assert set(answer) == {"circuit_breakers", "rate_limits", "timestamp"}
    assert answer["circuit_breakers"] == {account.venue: healthy}
    VenueState.objects.create(venue=account.venue, is_enabled=False, reason="upgrade")
    answer = call("GET", "/metrics", person=viewer).json()
    shut = {**healthy, "is_open": True, "reason": "upgrade"}
    assert answer["circuit_breakers"] == {account.venue: shut}


def test_rates_are_those_of_the_settings(call: Call, admin: Person, settings: object) -> None:
    settings.USER_RATE_LIMIT_PER_MIN, settings.STREAM_RATE_LIMIT_PER_MIN = 120, 0  # type: ignore[attr-defined]
    rates = call("GET", "/metrics", person=admin).json()["rate_limits"]
    assert rates["standard"] == {"limit": 120, "window": 60}
    assert rates["streams"] == rates["webhook"] == {"limit": None, "window": 60}


def test_nobody_is_told_of_what_is_not_theirs(
    call: Call, admin: Person, stranger: Person, account: Account
) -> None:
    other = new_account(admin, "other")
    Account.objects.filter(pk=account.pk).update(venue="elsewhere")
    _, text = create_api_key(user=admin.user, label="limited", account_ids=[other.pk])
    seen = call("GET", "/metrics", HTTP_X_API_KEY=text).json()["circuit_breakers"]
    assert {venue: each["accounts"] for venue, each in seen.items()} == {other.venue: 1}
    assert call("GET", "/metrics", person=stranger).json()["circuit_breakers"] == {}
    refusal(call("GET", "/metrics"), 401, "unauthorized")
