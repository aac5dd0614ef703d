"""``/api/v1/trading/orders`` of 004, against an exchange that answers."""

from typing import Any

import pytest

from accounts.grants import Rights, set_grant
from accounts.models import Account
from tests.orders.conftest import SYMBOL, Desk
from tests.users.people import Person
from trading import states
from trading.models import Command, Execution, Order

ORDERS = "/api/v1/trading/orders"
MARKET = {
    "symbol": SYMBOL, "exchange": "rehearsal", "side": "buy", "type": "market", "quantity": 0.01,
}  # fmt: skip
LIMIT = {**MARKET, "type": "limit", "price": 49000}


@pytest.fixture
def account(desk: Desk) -> Account:
    """The only account at the venue."""
    return desk.account()


def refusal(response: Any, status: int, code: str) -> dict[str, Any]:
    """The union body of a refusal, after status and code were checked in both spellings."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["error_code"]) == (status, code), body
    assert body["error"]["code"] == code.upper()
    return body


def nothing_moved() -> bool:
    return not (Command.objects.exists() or Execution.objects.exists() or Order.objects.exists())


def test_a_market_order_is_placed_and_its_fill_is_told(
    desk: Desk, account: Account, worker: None
) -> None:
    answer = desk.good("POST", ORDERS, MARKET)
    order = Order.objects.get()
    assert answer == {
        "order_id": str(order.pk),
        "status": "placed",
        "placed_at": answer["placed_at"],
        "state": "FILLED",
        "outcome": "confirmed",
        "account_id": str(account.pk),
        "command_id": str(order.command_id),
        "idempotency_key": answer["idempotency_key"],
    }
    desk.settle(account)
    assert (shown := desk.good("GET", f"{ORDERS}/{order.pk}")) == {
        "order_id": str(order.pk),
        "symbol": SYMBOL,
        "exchange": "rehearsal",
        "side": "buy",
        "type": "market",
        "quantity": 0.01,
        "price": None,
        "stop_price": None,
        "status": "filled",
        "filled_quantity": 0.01,
        "avg_fill_price": 50000.0,
        "fees": 0.5,
        "fee_details": [{"currency": "BTC", "amount": 0.00001, "value": 0.5}],
        "placed_at": answer["placed_at"],
        "updated_at": shown["updated_at"],
        "time_in_force": "gtc",
        "post_only": False,
        "reduce_only": False,
        "account_id": str(account.pk),
        "book": "rehearsal",
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "state": "FILLED",
        "outcome": "confirmed",
        "reason": None,
        "message": None,
    }


@pytest.mark.parametrize("spelling", ["BTC/USDT", "BTC-USDT", "BTC_USDT"])
def test_numbers_and_texts_and_every_spelling_are_exact(
    desk: Desk, account: Account, worker: None, spelling: str
) -> None:
    body = {**LIMIT, "symbol": spelling, "quantity": "0.01", "price": "49000.01", "side": "LONG"}
    answer = desk.good("POST", ORDERS, body)
    assert (answer["status"], answer["state"]) == ("placed", "OPEN")
    order = Order.objects.get()
    assert (order.symbol, order.side, order.type) == (SYMBOL, "buy", "limit")
    assert (str(order.quantity), str(order.price)) == ("0.01", "49000.01")
    shown = desk.good("GET", f"{ORDERS}/{answer['order_id']}")
    assert (shown["status"], shown["avg_fill_price"], shown["fees"]) == ("placed", None, 0.0)


@pytest.mark.parametrize(
    ("type_", "side", "stop_price"),
    [("stop_loss", "sell", 49000), ("take_profit", "sell", 51000), ("stop_loss", "buy", 51000)],
)
def test_triggered_orders_wait_on_their_side(
    desk: Desk, account: Account, worker: None, type_: str, side: str, stop_price: int
) -> None:
    body = {**MARKET, "type": type_, "side": side, "stop_price": stop_price}
    answer = desk.good("POST", ORDERS, body)
    assert (answer["status"], answer["state"]) == ("placed", "OPEN"), answer
    wrong = {**body, "stop_price": 100_000 - stop_price}
    body = refusal(desk.call("POST", ORDERS, wrong), 422, "stop_price_passed")
    assert body["error"]["details"]["field"] == "stop_price"
    assert Order.objects.count() == 1


def test_fill_or_kill_that_cannot_be_filled_is_placed_and_ended(
    desk: Desk, account: Account, worker: None
) -> None:
    answer = desk.good("POST", ORDERS, {**LIMIT, "time_in_force": "fok"})
    assert (answer["status"], answer["state"]) == ("placed", "EXPIRED")
    assert desk.good("GET", f"{ORDERS}/{answer['order_id']}")["status"] == "cancelled"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": "1e99"}, "quantity"),
        ({"quantity": "0." + "1" * 19}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"side": "up"}, "side"),
        ({"type": "iceberg"}, "type"),
        ({"type": "limit"}, "price"),
        ({"type": "limit", "price": 0}, "price"),
        ({"price": 49000}, "price"),
        ({"type": "stop_loss"}, "stop_price"),
        ({"stop_price": 49000}, "stop_price"),
        ({"time_in_force": "day"}, "time_in_force"),
        ({"type": "stop_loss", "stop_price": 1, "time_in_force": "ioc"}, "time_in_force"),
        ({"post_only": True}, "post_only"),
        ({"symbol": "BTC"}, "symbol"),
        ({"symbol": ""}, "symbol"),
        ({"exchange": "elsewhere"}, "exchange"),
        ({"strategy_id": "7"}, "strategy_id"),
        ({"account_id": "x"}, "account_id"),
        ({"wrong": 1}, "wrong"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(
    desk: Desk, account: Account, change: dict[str, Any], field: str
) -> None:
    response = desk.call("POST", ORDERS, {**MARKET, **change})
    body = response.json()
    assert (response.status_code, list(body["errors"])) == (422, [field]), body
    assert body["error"]["details"]["field"] == field
    assert nothing_moved()


@pytest.mark.parametrize("text", ['{"quantity": NaN}', '{"a": 1, "a": 2}', "[]", "{"])
def test_what_is_no_json_object_is_a_400(desk: Desk, account: Account, text: str) -> None:
    refusal(desk.call("POST", ORDERS, text), 400, "invalid_json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": "NOPE/USDT"}, "unknown_symbol"),
        ({"quantity": 0.0000001}, "off_precision"),
        ({"quantity": 0.00001}, "below_min_notional"),
        ({"type": "limit", "price": "49000.001"}, "off_precision"),
    ],
)
def test_a_denied_order_is_rejected_with_its_reason_and_can_be_asked_for(
    desk: Desk, account: Account, change: dict[str, Any], reason: str
) -> None:
    answer = desk.good("POST", ORDERS, {**MARKET, **change})
    command = Command.objects.get()
    assert (answer["status"], answer["reason"]) == ("rejected", reason)
    assert (answer["state"], answer["outcome"]) == ("REJECTED", "confirmed")
    assert answer["order_id"] == f"denied-{command.pk}"
    assert answer["message"]
    assert not Order.objects.exists()
    shown = desk.good("GET", f"{ORDERS}/{answer['order_id']}")
    assert (shown["status"], shown["reason"], shown["filled_quantity"]) == ("rejected", reason, 0)
    assert (shown["symbol"], shown["side"]) == (command.payload["symbol"], "buy")
    cancelled = desk.good("DELETE", f"{ORDERS}/{answer['order_id']}")
    assert (cancelled["status"], cancelled["state"]) == ("cancel_failed", "REJECTED")


def test_what_the_exchange_refuses_is_rejected(desk: Desk, account: Account, worker: None) -> None:
    answer = desk.good("POST", ORDERS, {**LIMIT, "quantity": 1, "side": "sell", "price": 49000.5})
    assert answer["status"] == "placed"
    desk.exchange.fault("refuse_balance")
    answer = desk.good("POST", ORDERS, LIMIT)
    order = Order.objects.latest("pk")
    assert (answer["status"], answer["state"]) == ("rejected", order.state)
    assert answer["reason"] == order.error_code != ""


def test_no_answer_in_time_is_placed_and_pending(
    desk: Desk, account: Account, settings: Any
) -> None:
    settings.ORDER_WAIT_SECONDS = 0.05
    answer = desk.good("POST", ORDERS, MARKET)
    assert (answer["status"], answer["state"], answer["outcome"]) == (
        "placed",
        "CREATED",
        "pending",
    )
    shown = desk.good("GET", f"{ORDERS}/{answer['order_id']}")
    assert (shown["status"], shown["outcome"], shown["filled_quantity"]) == ("placed", "pending", 0)


def test_an_unknown_outcome_is_placed_and_says_so(
    desk: Desk, account: Account, worker: None
) -> None:
    desk.exchange.fault("http_504_after")
    answer = desk.good("POST", ORDERS, MARKET)
    assert (answer["status"], answer["state"], answer["outcome"]) == (
        "placed",
        "UNKNOWN",
        "unknown",
    )


def test_a_key_orders_once(desk: Desk, account: Account, worker: None) -> None:
    first = desk.call("POST", ORDERS, LIMIT, key="click-1")
    again = desk.call("POST", ORDERS, LIMIT, key="click-1")
    assert first.json() == again.json()
    assert first.json()["idempotency_key"] == "click-1"
    assert (first.get("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (None, "true")
    assert Order.objects.count() == 1
    other = desk.call("POST", ORDERS, {**LIMIT, "quantity": 0.02}, key="click-1")
    refusal(other, 422, "idempotency_mismatch")
    refusal(desk.call("POST", ORDERS, LIMIT, key="k" * 101), 422, "validation_error")
    assert (Order.objects.count(), Command.objects.count(), Execution.objects.count()) == (1, 1, 1)


def test_a_denied_orders_key_gives_the_same_refusal(desk: Desk, account: Account) -> None:
    wrong = {**MARKET, "symbol": "NOPE/USDT"}
    first, again = (desk.good("POST", ORDERS, wrong, key="click-1") for _ in range(2))
    assert first == again
    assert Command.objects.count() == 1


def test_a_key_whose_first_request_runs_is_a_409_with_its_command(
    desk: Desk, account: Account, settings: Any
) -> None:
    settings.ORDER_WAIT_SECONDS = 0
    first = desk.good("POST", ORDERS, MARKET, key="click-1")
    body = refusal(desk.call("POST", ORDERS, MARKET, key="click-1"), 409, "order_in_progress")
    assert str(body["error"]["details"]["command_id"]) == first["command_id"]
    desk.settle(account)
    again = desk.good("POST", ORDERS, MARKET, key="click-1")
    assert (again["order_id"], again["state"]) == (first["order_id"], "FILLED")
    assert Order.objects.count() == 1


def test_a_resting_order_is_cancelled_once(desk: Desk, account: Account, worker: None) -> None:
    placed = desk.good("POST", ORDERS, LIMIT)
    path = f"{ORDERS}/{placed['order_id']}"
    answer = desk.good("DELETE", path)
    order = Order.objects.get()
    assert answer == {
        "order_id": placed["order_id"],
        "status": "cancelled",
        "cancelled_at": answer["cancelled_at"],
        "state": "CANCELED",
        "outcome": "confirmed",
        "filled_quantity": 0.0,
    }
    assert order.state == states.CANCELED
    assert answer["cancelled_at"]
    assert desk.good("DELETE", path) == answer
    assert desk.good("GET", path)["status"] == "cancelled"


def test_a_filled_order_cannot_be_cancelled(desk: Desk, account: Account, worker: None) -> None:
    placed = desk.good("POST", ORDERS, MARKET)
    answer = desk.good("DELETE", f"{ORDERS}/{placed['order_id']}")
    assert (answer["status"], answer["state"]) == ("cancel_failed", "FILLED")
    assert (answer["cancelled_at"], answer["outcome"]) == (None, "confirmed")


def test_a_cancel_that_the_exchange_does_not_answer_is_pursued(
    desk: Desk, account: Account, worker: None
) -> None:
    placed = desk.good("POST", ORDERS, LIMIT)
    rule = {"kind": "http_502_before", "times": 9, "match": {"path": "/api/v3/order"}}
    desk.exchange.call("POST", "/_fault", {"script": [rule]})
    answer = desk.good("DELETE", f"{ORDERS}/{placed['order_id']}")
    assert (answer["status"], answer["state"]) == ("cancel_failed", "PENDING_CANCEL")
    assert (answer["outcome"], answer["cancelled_at"]) == ("pending", None)


def test_several_accounts_need_a_name(desk: Desk, account: Account, worker: None) -> None:
    second = desk.account("two")
    body = refusal(desk.call("POST", ORDERS, LIMIT), 409, "account_ambiguous")
    assert body["error"]["details"]["account_ids"] == [str(account.pk), str(second.pk)]
    assert nothing_moved()
    for name in (second.pk, str(second.uuid)):
        answer = desk.good("POST", ORDERS, {**LIMIT, "account_id": name})
        assert answer["account_id"] == str(second.pk)
    wrong = {**LIMIT, "account_id": second.pk, "exchange": "paper"}
    refusal(desk.call("POST", ORDERS, wrong), 422, "other_venue")


def test_who_may_not_trade_is_refused(
    desk: Desk, account: Account, viewer: Person, stranger: Person, worker: None
) -> None:
    refusal(desk.call("POST", ORDERS, LIMIT, who=viewer), 403, "permission_denied")
    refusal(desk.call("POST", ORDERS, LIMIT, who=stranger), 422, "no_account")
    named = {**LIMIT, "account_id": account.pk}
    refusal(desk.call("POST", ORDERS, named, who=stranger), 404, "account_not_found")
    assert nothing_moved()
    placed = desk.good("POST", ORDERS, LIMIT)
    path = f"{ORDERS}/{placed['order_id']}"
    assert desk.good("GET", path, who=viewer)["order_id"] == placed["order_id"]
    refusal(desk.call("DELETE", path, who=viewer), 403, "permission_denied")
    for method in ("GET", "DELETE"):
        refusal(desk.call(method, path, who=stranger), 404, "order_not_found")
        refusal(desk.call(method, f"{ORDERS}/x", who=stranger), 404, "order_not_found")
        denied = f"{ORDERS}/denied-{placed['command_id']}"
        refusal(desk.call(method, denied), 404, "order_not_found")
    assert Order.objects.get().state == states.OPEN


def test_the_exchange_paper_is_a_paper_account_of_ones_own(
    desk: Desk, account: Account, worker: None
) -> None:
    body = {**LIMIT, "exchange": "paper"}
    refusal(desk.call("POST", ORDERS, {**body, "price": None}), 422, "validation_error")
    assert Account.objects.count() == 1
    answer = desk.good("POST", ORDERS, body)
    assert (answer["status"], answer["state"]) == ("placed", "OPEN")
    assert desk.good("POST", ORDERS, body)["account_id"] == answer["account_id"]
    paper = Account.objects.get(pk=answer["account_id"])
    assert (paper.book, paper.venue, Account.objects.count()) == ("paper", "rehearsal", 2)
    Account.objects.create(
        organisation=paper.organisation, name="second", venue="kraken", book="paper"
    )
    assert desk.good("POST", ORDERS, body)["account_id"] == answer["account_id"]
    cancelled = desk.good("DELETE", f"{ORDERS}/{answer['order_id']}")
    assert cancelled["status"] == "cancelled"


def test_a_grant_lets_a_viewer_trade_on_its_account(
    desk: Desk, account: Account, viewer: Person, admin: Person, worker: None
) -> None:
    desk.account("two")
    rights = Rights(can_trade=True)
    set_grant(user=viewer.user, account=account, rights=rights, by=admin.principal)
    answer = desk.good("POST", ORDERS, LIMIT, who=viewer)
    assert (answer["status"], answer["account_id"]) == ("placed", str(account.pk))
