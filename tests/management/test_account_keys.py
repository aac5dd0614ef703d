"""Keys of accounts over REST, at a running exchange: whose they are, what they may, used once."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from events.models import AuditRecord, Event
from groups.services import create_group
from monitoring.models import Alert
from tests.management.answers import refusal
from tests.management.conftest import Call
from tests.trading.rehearsal import Exchange
from tests.users.people import Person
from trading.models import Deal, Order, Position
from trading.services import reconcile

SYMBOL = "BTC/USDT"


@pytest.fixture
def names(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Two keys that no other test uses."""
    return f"{request.node.name}-key-one", f"{request.node.name}-key-two"


def credentials(key: str) -> dict[str, str]:
    """Of a key that :func:`registered` made."""
    return {"api_key": key, "api_secret": f"secret-of-{key}"}


def registered(exchange: Exchange, key: str, **more: Any) -> dict[str, str]:
    """Register a key with 10,000 USDT; its credentials."""
    exchange.register(key, f"secret-of-{key}", USDT="10000", **more)
    return credentials(key)


def created(call: Call, person: Person, key: str, **more: Any) -> dict[str, Any]:
    """The answer to the making of an account."""
    body = {"exchange": "rehearsal", **credentials(key), **more}
    response = call("POST", "/accounts/create", body, person)
    assert response.status_code == 200, response.content
    return dict(response.json())


def state() -> tuple[list[dict[str, Any]], int, int]:
    """The accounts as they are, and how much was recorded and told."""
    return (
        list(Account.objects.order_by("pk").values()),
        AuditRecord.objects.count(),
        Event.objects.count(),
    )


def test_a_key_is_used_once_unless_it_is_declared_shared(
    call: Call, admin: Person, exchange: Exchange, worker: None, names: tuple[str, str]
) -> None:
    key = names[0]
    registered(exchange, key)
    first = Account.objects.get(pk=created(call, admin, key)["account_id"])
    before = state()
    body = {"exchange": "rehearsal", **credentials(key)}
    refusal(call("POST", "/accounts/create", body, admin), 409, "duplicate_key")
    assert state() == before
    answer = created(call, admin, key, shared=True)
    second = Account.objects.get(pk=answer["account_id"])
    assert answer["warnings"] == [f"It is the same account at the exchange as {first.name}."]
    group = create_group(principal=admin.principal, name="only-one", account_ids=[first.pk])
    order = {"symbol": SYMBOL, "side": "buy", "order_type": "market", "risk_percentage": 2}
    assert call("POST", f"/trading/group/{group.pk}/execute", order, admin).status_code == 200
    for _ in range(3):
        reconcile.poll(list(Account.objects.order_by("pk")))
    trades = exchange.dump(key)["trades"]
    assert len(trades) == 1
    deals = Deal.objects.order_by("account_id")
    assert [deal.account_id for deal in deals] == [first.pk, second.pk]
    assert len({(deal.exchange_trade_id, deal.price, deal.quantity) for deal in deals}) == 1
    assert [deal.order_id is None for deal in deals] == [False, True]


def test_a_key_of_another_account_at_the_exchange_is_refused(
    call: Call, admin: Person, exchange: Exchange, transactional_db: None, names: tuple[str, str]
) -> None:
    own, other = names
    registered(exchange, own)
    registered(exchange, other)
    account = Account.objects.get(pk=created(call, admin, own)["account_id"])
    assert account.venue_identity != ""
    path = f"/accounts/{account.pk}/update-credentials"
    before = state()
    refusal(call("POST", path, credentials(other), admin), 409, "other_exchange_account")
    assert state() == before
    exchange.call("POST", "/_account/revoke", {"api_key": other})
    refusal(call("POST", path, credentials(other), admin), 503, "identity_unconfirmed")
    assert state() == before
    exchange.call("POST", "/_account/revoke", {"api_key": own})
    assert call("POST", path, credentials(own), admin).status_code == 200
    registered(exchange, f"{own}-new", like=own)
    answer = call("POST", path, credentials(f"{own}-new"), admin).json()
    assert answer == {"success": True, "status": "active", "warnings": []}
    account.refresh_from_db()
    assert (account.credentials_version, account.open_secret("api_key")) == (3, f"{own}-new")


def test_whose_the_first_key_is_is_asked_when_nobody_knows_yet(
    call: Call, admin: Person, exchange: Exchange, transactional_db: None, names: tuple[str, str]
) -> None:
    own, other = names
    registered(exchange, own)
    registered(exchange, other)
    account = Account.objects.get(pk=created(call, admin, own, verify=False)["account_id"])
    assert account.venue_identity == ""
    path = f"/accounts/{account.pk}/update-credentials"
    before = state()
    refusal(call("POST", path, credentials(other), admin), 409, "other_exchange_account")
    assert state() == before
    # A key that the exchange knows no more tells nothing: the new one is the first that does.
    exchange.call("POST", "/_account/revoke", {"api_key": own})
    assert call("POST", path, credentials(other), admin).status_code == 200
    account.refresh_from_db()
    assert account.venue_identity != ""


def test_a_key_of_which_the_exchange_does_not_say_whose_it_is_may_follow_another(
    call: Call, admin: Person, exchange: Exchange, transactional_db: None, names: tuple[str, str]
) -> None:
    own, other = names  # enrolled on first use, as any key is at the rehearsal exchange
    account = Account.objects.get(pk=created(call, admin, own)["account_id"])
    assert account.venue_identity == ""
    path = f"/accounts/{account.pk}/update-credentials"
    answer = call("POST", path, credentials(other), admin).json()
    assert answer == {"success": True, "status": "active", "warnings": []}
    account.refresh_from_db()
    assert (account.credentials_version, account.open_secret("api_key")) == (2, other)


def test_a_key_that_may_withdraw_is_told_loudly_and_until_it_is_replaced(
    call: Call, admin: Person, exchange: Exchange, transactional_db: None, names: tuple[str, str]
) -> None:
    key, better = names
    registered(exchange, key)
    exchange.call("POST", "/_account", {**credentials(key), "withdrawals": True})
    answer = created(call, admin, key)
    assert [text[:30] for text in answer["warnings"]] == ["THE KEY MAY WITHDRAW MONEY: wh"]
    alert = Alert.objects.get(code="key_may_withdraw")
    assert (alert.severity, alert.state) == ("critical", "active")
    assert alert.details["account_id"] == int(answer["account_id"])
    assert key not in f"{alert.message}{alert.details}"
    path = f"/accounts/{answer['account_id']}/update-credentials"
    registered(exchange, better, like=key)
    assert call("POST", path, credentials(better), admin).json()["warnings"] == []
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_a_passphrase_is_demanded_where_the_venue_has_one(call: Call, admin: Person) -> None:
    before = state()
    for venue in ("okx", "kucoin", "bitget"):
        body = {"exchange": venue, **credentials("a-key-of-nobody"), "verify": False}
        error = refusal(call("POST", "/accounts/create", body, admin), 422, "passphrase_required")
        assert "passphrase" in error["errors"]
    assert state() == before


def test_an_account_with_a_position_and_an_order_goes_only_by_force(
    call: Call, admin: Person, exchange: Exchange, worker: None, names: tuple[str, str]
) -> None:
    key = names[0]
    registered(exchange, key)
    account = Account.objects.get(pk=created(call, admin, key)["account_id"])
    group = create_group(principal=admin.principal, name="only-one", account_ids=[account.pk])
    order = {"symbol": SYMBOL, "side": "buy", "order_type": "market", "risk_percentage": 2}
    assert call("POST", f"/trading/group/{group.pk}/execute", order, admin).status_code == 200
    reconcile.poll([account])
    kept = {
        model: list(model.objects.order_by("pk").values_list("pk"))
        for model in (Order, Deal, Position)
    }
    assert all(kept.values())
    path = f"/accounts/{account.pk}"
    before = Account.objects.filter(pk=account.pk).values().get()
    refused = refusal(call("DELETE", path, person=admin), 409, "account_busy")
    assert refused["detail"] == "The account has open positions or orders."
    refusal(call("DELETE", f"{path}?force=perhaps", person=admin), 422, "validation_error")
    refusal(call("DELETE", f"{path}?forced=true", person=admin), 422, "validation_error")
    assert Account.objects.filter(pk=account.pk).values().get() == before
    assert call("DELETE", f"{path}?force=true", person=admin).json() == {"success": True}
    refusal(call("GET", path, person=admin), 404, "account_not_found")
    account.refresh_from_db()
    assert (account.status, account.api_key_sealed, account.api_secret_sealed) == (
        "disabled", "", "",
    )  # fmt: skip
    for model, rows in kept.items():
        assert list(model.objects.order_by("pk").values_list("pk")) == rows
    record = AuditRecord.objects.get(action="account.deleted")
    assert record.after == {"open_positions": 1, "live_orders": 0, "forced": True}
    assert Decimal(exchange.held(key, "BTC")) > 0
