"""Group orders, closing and terminating, against an exchange that answers."""

from typing import Any

import pytest

from accounts.models import Account
from bots.models import Bot
from bots.services import create_bot
from groups.models import Group
from groups.services import create_group
from tests.management.answers import refusal
from tests.management.conftest import Call
from tests.trading.rehearsal import Exchange
from tests.users.people import Person
from tests.waiting import wait_until
from trading.models import Command, Execution, Order, Position
from trading.services.reconcile import sync_account

ORDER = {
    "symbol": "BTC/USDT", "side": "long", "order_type": "Market", "risk_percentage": 2,
    "leverage": 1,
}  # fmt: skip


@pytest.fixture
def group(admin: Person, funded: list[Account]) -> Group:
    """A group of both accounts."""
    numbers = [account.pk for account in funded]
    return create_group(principal=admin.principal, name="Group_1", account_ids=numbers)


def execute(call: Call, admin: Person, group: Group, change: Any = None, key: str = "") -> Any:
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    path = f"/trading/group/{group.pk}/execute"
    return call("POST", path, {**ORDER, **(change or {})}, admin, **headers)


def _wait_for_the_end_of(account: Account) -> None:
    """Wait until the close and its dust are booked."""
    held = Position.objects.open().filter(account=account, allocated=True)
    wait_until(lambda: not held.exists(), lambda: f"closed: {list(held)}")
    _wait_for_orders()


def _wait_for_orders() -> None:
    """Until the worker has an answer for every order."""
    wait_until(lambda: not Order.objects.live().exists())


def test_a_group_order_fills_on_every_account(
    call: Call, admin: Person, group: Group, funded: list[Account], exchange: Exchange, worker: None
) -> None:
    answer = execute(call, admin, group).json()
    assert (answer["success_count"], answer["error_count"]) == (2, 0)
    assert [leg["account_id"] for leg in answer["results"]] == [str(row.pk) for row in funded]
    assert {leg["status"] for leg in answer["results"]} == {"placed"}
    assert {leg["qty"] for leg in answer["results"]} == {"0.004"}
    orders = Order.objects.filter(command__execution__correlation_id=answer["correlation_id"])
    assert {str(order.pk) for order in orders} == {leg["order_id"] for leg in answer["results"]}
    for account in funded:
        assert len(exchange.orders(account.open_secret("api_key"))) == 1


def test_the_same_idempotency_key_orders_once(
    call: Call, admin: Person, group: Group, worker: None
) -> None:
    first = execute(call, admin, group, key="one-click").json()
    second = execute(call, admin, group, key="one-click").json()
    assert second["correlation_id"] == first["correlation_id"]
    assert Order.objects.count() == 2
    other = execute(call, admin, group, {"risk_percentage": 1}, key="one-click")
    refusal(other, 422, "idempotency_mismatch")
    assert Order.objects.count() == 2


def test_an_execution_is_read_and_its_failed_legs_are_tried_again(
    call: Call, admin: Person, group: Group, funded: list[Account], worker: None
) -> None:
    Account.objects.filter(pk=funded[1].pk).update(status="disabled")
    first = execute(call, admin, group).json()
    assert (first["success_count"], first["error_count"]) == (1, 1)
    path = f"/trading/executions/{first['execution_id']}"
    assert call("GET", path, person=admin).json() == first
    failed = next(leg for leg in first["results"] if not leg["success"])
    assert (failed["account_id"], failed["status"], failed["attempt"]) == (
        str(funded[1].pk), "rejected", 1
    )  # fmt: skip
    assert (failed["reason"], failed["message"]) == (
        "denied_account_disabled", "the account is disabled"
    )  # fmt: skip
    Account.objects.update(status="active")
    again = call("POST", f"{path}/retry", {}, admin, HTTP_IDEMPOTENCY_KEY="again").json()
    assert (again["retried"], again["success_count"], again["error_count"]) == (1, 2, 0)
    assert again["counts"] == {
        "placed": 2, "unchanged": 0, "skipped": 0, "rejected": 0, "unknown": 0, "pending": 0
    }  # fmt: skip
    assert [leg["attempt"] for leg in again["results"]] == [1, 2]
    assert call("POST", f"{path}/retry", {}, admin, HTTP_IDEMPOTENCY_KEY="again").json() == again
    assert call("POST", f"{path}/retry", {}, admin).json()["retried"] == 0
    assert Order.objects.count() == 2


def test_only_executions_of_groups_are_found(
    call: Call, admin: Person, stranger: Person, group: Group, worker: None
) -> None:
    told = execute(call, admin, group).json()
    Execution.objects.filter(pk=told["execution_id"]).update(source="signal")
    for person in (admin, stranger):
        for method, tail in (("GET", ""), ("POST", "/retry")):
            path = f"/trading/executions/{told['execution_id']}{tail}"
            refusal(call(method, path, person=person), 404, "execution_not_found")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"side": "up"}, "side"),
        ({"order_type": "ladder"}, "order_type"),
        ({"risk_percentage": 0}, "risk_percentage"),
        ({"risk_percentage": 101}, "risk_percentage"),
        ({"risk_percentage": 6}, "risk_percentage"),
        ({"risk_percentage": "NaN"}, "risk_percentage"),
        ({"leverage": 1.5}, "leverage"),
        ({"leverage": -1}, "leverage"),
        ({"take_profit": -1}, "take_profit"),
        ({"symbol": ""}, "symbol"),
    ],
)
def test_a_wrong_group_order_is_named_and_nothing_is_written(
    call: Call, admin: Person, group: Group, change: Any, field: str
) -> None:
    answer = refusal(execute(call, admin, group, change), 422, "validation_error")
    assert list(answer["errors"]) == [field]
    assert not Execution.objects.exists()
    assert not Command.objects.exists()


def test_an_unusable_idempotency_key_is_refused(call: Call, admin: Person, group: Group) -> None:
    refusal(execute(call, admin, group, key="k" * 101), 422, "validation_error")
    assert not Execution.objects.exists()


def test_a_position_is_closed_and_listed_as_closed(
    call: Call, admin: Person, group: Group, funded: list[Account], exchange: Exchange, worker: None
) -> None:
    execute(call, admin, group)
    account = sync_account(account=funded[0])
    exchange.price("BTC/USDT", "51000")
    path = f"/trading/close-position/{account.pk}"
    body = {"symbol": "BTC/USDT", "order_type": "market"}
    answer = call("POST", path, body, admin).json()
    assert (answer["success"], answer["symbol"]) == (True, "BTC/USDT")
    assert answer["message"] == "Position closed"
    sync_account(account=account)
    _wait_for_the_end_of(account)
    refusal(call("POST", path, body, admin), 404, "position_not_found")
    (closed,) = call("GET", f"/trading/positions/{account.pk}", person=admin).json()
    assert (closed["symbol"], closed["side"]) == ("BTC/USDT", "long")
    assert closed["entry_price"] == 50000
    # The remainder below the lot left at its own average.
    assert closed["exit_price"] == pytest.approx(51000, rel=1e-4)
    assert closed["pnl"] > 0
    assert closed["fee"] > 0


def test_terminating_an_account_closes_what_it_holds(
    call: Call, admin: Person, group: Group, funded: list[Account], worker: None
) -> None:
    execute(call, admin, group)
    account, other = (sync_account(account=account) for account in funded)
    answer = call("POST", f"/trading/terminate/{account.pk}", person=admin).json()
    assert answer == {"success": True, "terminated_positions": 1, "errors": []}
    _wait_for_orders()
    sync_account(account=account)
    again = call("POST", f"/trading/terminate/{account.pk}", person=admin).json()
    assert again == {"success": True, "terminated_positions": 0, "errors": []}
    assert Position.objects.open().filter(account=other).count() == 1


def test_a_busy_account_is_not_deleted(
    call: Call, admin: Person, group: Group, funded: list[Account], worker: None
) -> None:
    execute(call, admin, group)
    account = sync_account(account=funded[0])
    refusal(call("DELETE", f"/accounts/{account.pk}", person=admin), 409, "account_busy")
    account.refresh_from_db()
    assert account.deleted_at is None


def test_the_dust_of_an_ended_account_does_not_keep_it(
    call: Call, admin: Person, group: Group, funded: list[Account], worker: None
) -> None:
    execute(call, admin, group)
    account = sync_account(account=funded[0])
    call("POST", f"/trading/terminate/{account.pk}", person=admin)
    _wait_for_the_end_of(account)
    (dust,) = Position.objects.open().filter(account=account)
    assert dust.external_order_id == "dust"
    assert call("DELETE", f"/accounts/{account.pk}", person=admin).json() == {"success": True}
    account.refresh_from_db()
    assert account.deleted_at is not None
    assert Position.objects.filter(pk=dust.pk).exists()


def test_terminating_a_bot_pauses_it_and_closes_on_its_accounts(
    call: Call, admin: Person, group: Group, funded: list[Account], worker: None
) -> None:
    execute(call, admin, group)
    for account in funded:
        sync_account(account=account)
    bot, _ = create_bot(principal=admin.principal, name="Trend", group_ids=[group.pk])
    answer = call("POST", f"/bots/{bot.pk}/terminate", person=admin).json()
    assert answer == {
        "success": True, "terminated_accounts": 2, "errors": [], "scope": "account"
    }  # fmt: skip
    assert Bot.objects.get().status == "PAUSED"


def test_balances_are_read_on_demand(call: Call, admin: Person, funded: list[Account]) -> None:
    answer = call("POST", f"/accounts/{funded[0].pk}/sync-balance", person=admin).json()
    assert answer == {"success": True, "balance": 10000.0, "equity": 10000.0}


def test_an_account_is_verified_when_it_is_made(
    call: Call, admin: Person, exchange: Exchange, transactional_db: None
) -> None:
    exchange.register("verified-key-0123456789", "the-secret-0123456789", USDT="250.5")
    body = {"exchange": "rehearsal", "api_key": "verified-key-0123456789",
            "api_secret": "the-secret-0123456789"}  # fmt: skip
    answer = call("POST", "/accounts/create", body, admin).json()
    assert (answer["balance"], answer["equity"], answer["sync_error"]) == (250.5, 250.5, "")


def test_an_account_at_a_silent_venue_is_made_and_says_so(
    call: Call, admin: Person, settings: Any, transactional_db: None
) -> None:
    settings.EXCHANGE_VENUES = {"silent": {"ccxt": "binance", "base_url": "http://127.0.0.1:9"}}
    body = {"exchange": "silent", "api_key": "k" * 20, "api_secret": "s" * 20}
    answer = call("POST", "/accounts/create", body, admin).json()
    account = Account.objects.get()
    assert (answer["success"], answer["account_id"]) == (True, str(account.pk))
    assert answer["sync_error"]
    assert account.sync_error
    response = call("POST", f"/accounts/{account.pk}/sync-balance", person=admin)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
