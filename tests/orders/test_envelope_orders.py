"""Orders, positions, performance and wallet of 002: an envelope, the payload also flat in it."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from common.clock import now
from surfaces.csrf import HEADER
from tests.orders.conftest import SYMBOL, Desk
from tests.orders.test_terminal_orders import refusal
from tests.users.people import PASSWORD, Person
from trading import states
from trading.models import Command, Order

PLACE = "/api/v1/trading/orders"
MARKET = {
    "symbol": SYMBOL, "exchange": "rehearsal", "side": "buy", "type": "market", "quantity": 0.01,
}  # fmt: skip
LIMIT = {**MARKET, "type": "limit", "price": 49000}


@pytest.fixture
def account(desk: Desk) -> Account:
    """The only account."""
    return desk.account()


def unwrapped(body: dict[str, Any], status: str) -> dict[str, Any]:
    """The payload of an envelope, after its keys and the flat copy were checked."""
    assert (body["type"], body["version"], body["status"]) == ("response", "1.0", status)
    assert body["timestamp"].endswith("Z")
    own = {"type", "version", "timestamp", "status", "id"}
    flat = {name: value for name, value in body.items() if name not in {*own, "data"}}
    assert flat == {name: value for name, value in body["data"].items() if name not in own}
    return dict(body["data"])


@pytest.fixture
def traded(desk: Desk, account: Account, worker: None) -> list[str]:
    """The ids of a filled and a resting order."""
    ids = [desk.good("POST", PLACE, body)["order_id"] for body in (MARKET, LIMIT)]
    desk.settle(account)
    return ids


def test_the_list_and_one_order(desk: Desk, account: Account, traded: list[str]) -> None:
    with CaptureQueriesContext(connection) as queries:
        body = desk.good("GET", "/orders")
    assert len(queries) <= 3
    resting, filled = unwrapped(body, "orders_list")["orders"]
    assert resting == {
        "order_id": traded[1],
        "symbol": "BTC_USDT",
        "side": "buy",
        "order_type": "limit",
        "quantity": 0.01,
        "price": 49000.0,
        "status": "pending",
        "created_at": resting["created_at"],
        "updated_at": resting["updated_at"],
        "strategy_name": None,
        "stop_price": None,
        "filled_quantity": 0.0,
        "average_price": None,
        "exchange": "rehearsal",
        "account_id": str(account.pk),
        "book": "rehearsal",
        "state": "OPEN",
        "outcome": "confirmed",
        "reason": None,
    }
    assert (filled["status"], filled["average_price"]) == ("filled", 50000.0)
    one = unwrapped(desk.good("GET", f"/orders/{traded[1]}"), "order_details")
    assert one == {"order": resting}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status=filled", 1), ("status=PENDING", 1), ("status=cancelled", 0),
        ("symbol=BTC_USDT", 2), ("symbol=ETH/USDT", 0), ("account_id={}", 2), ("account_id=0", 0),
        ("limit=1", 1),
    ],
)  # fmt: skip
def test_filters(desk: Desk, account: Account, traded: list[str], query: str, count: int) -> None:
    assert len(desk.good("GET", f"/orders?{query.format(account.pk)}")["orders"]) == count


@pytest.mark.parametrize(
    "query", ["status=flying", "symbol=BTC", "limit=0", "cursor=x", "account_id=x", "wrong=1"]
)
def test_a_wrong_query_is_a_400_that_names_it(desk: Desk, account: Account, query: str) -> None:
    body = refusal(desk.call("GET", f"/orders?{query}"), 400, "validation_error")
    assert list(body["errors"]) == [query.partition("=")[0]]
    assert (body["type"], body["error_message"]) == ("error", body["detail"])


def test_pages_are_walked_by_their_cursor(desk: Desk, account: Account, traded: list[str]) -> None:
    page = desk.good("GET", "/orders?limit=1")
    assert (page["orders"][0]["order_id"], page["next_cursor"]) == (traded[1], int(traded[1]))
    page = desk.good("GET", f"/orders?limit=1&cursor={page['next_cursor']}")
    assert (page["orders"][0]["order_id"], page["next_cursor"]) == (traded[0], None)


def test_a_cancel_is_answered_with_the_clients_id(
    desk: Desk, account: Account, traded: list[str]
) -> None:
    body = desk.good("POST", f"/orders/cancel/{traded[1]}", {"id": "mine-1"})
    assert body["id"] == "mine-1"
    assert unwrapped(body, "order_cancelled") == {
        "order_id": traded[1], "order_status": "cancelled", "state": "CANCELED",
        "outcome": "confirmed",
    }  # fmt: skip
    assert Order.objects.get(pk=traded[1]).state == states.CANCELED
    again = refusal(desk.call("POST", f"/orders/cancel/{traded[1]}"), 409, "order_finished")
    assert again["error"]["details"]["state"] == "CANCELED"
    refusal(desk.call("POST", f"/orders/cancel/{traded[0]}"), 409, "order_finished")
    wrong = desk.call("POST", f"/orders/cancel/{traded[1]}", {"order": 1})
    refusal(wrong, 400, "validation_error")
    assert Command.objects.filter(kind="cancel_order").count() == 1


def test_a_cancel_without_an_answer_is_pending(
    desk: Desk, account: Account, traded: list[str]
) -> None:
    rule = {"kind": "http_502_before", "times": 9, "match": {"path": "/api/v3/order"}}
    desk.exchange.call("POST", "/_fault", {"script": [rule]})
    body = desk.good("POST", f"/orders/cancel/{traded[1]}", {})
    told = unwrapped(body, "order_cancel_pending")
    assert (told["order_status"], told["state"]) == ("pending", "PENDING_CANCEL")


def test_strangers_and_viewers(
    desk: Desk, account: Account, traded: list[str], viewer: Person, stranger: Person
) -> None:
    path = f"/orders/cancel/{traded[1]}"
    refusal(desk.call("POST", path, {}, who=viewer), 403, "permission_denied")
    refusal(desk.call("POST", path, {}, who=stranger), 404, "order_not_found")
    refusal(desk.call("GET", f"/orders/{traded[1]}", who=stranger), 404, "order_not_found")
    refusal(desk.call("GET", "/orders/x"), 404, "order_not_found")
    for path in ("/orders", "/positions"):
        assert desk.good("GET", path, who=stranger)[path[1:]] == []
    assert Order.objects.get(pk=traded[1]).state == states.OPEN


def test_a_cookie_reads_and_cancels_with_a_forgery_token(
    desk: Desk, account: Account, traded: list[str]
) -> None:
    login = {"username": "ours-admin", "password": PASSWORD}
    desk.client.post("/api/v1/auth/login", login, "application/json")
    assert len(desk.client.get("/orders").json()["orders"]) == 2
    path = f"/orders/cancel/{traded[1]}"
    refusal(desk.client.post(path, {}, "application/json"), 403, "csrf_missing")
    token = desk.client.get("/csrf-token").json()["token"]
    header = {f"HTTP_{HEADER.upper().replace('-', '_')}": token}
    answer = desk.client.post(path, {}, "application/json", **header)
    assert answer.json()["status"] == "order_cancelled"


def test_positions_are_summed_by_symbol_and_book(
    desk: Desk, account: Account, traded: list[str]
) -> None:
    second = desk.account("two")
    desk.exchange.price(SYMBOL, "51000")
    desk.good("POST", PLACE, {**MARKET, "quantity": 0.03, "account_id": second.pk})
    paper = {
        "venue": "rehearsal", "symbol": SYMBOL, "side": "buy", "order_type": "market",
        "quantity": 0.01, "mode": "paper", "account_id": second.pk,
    }  # fmt: skip
    desk.good("POST", "/v1/orders", paper)
    desk.settle(account, second)
    with CaptureQueriesContext(connection) as queries:
        body = desk.good("GET", "/positions")
    assert len(queries) <= 3
    own, sent = unwrapped(body, "positions_list")["positions"]
    assert (own["symbol"], own["book"], own["quantity"]) == ("BTC_USDT", "paper", 0.00999)
    assert (sent["symbol"], sent["book"], sent["positions"]) == ("BTC_USDT", "rehearsal", 2)
    assert (sent["quantity"], sent["average_price"]) == (0.03996, 50750.0)
    page = desk.good("GET", "/positions?limit=1")
    assert (page["positions"], page["next_cursor"]) == ([own], "BTC_USDT,paper")
    page = desk.good("GET", "/positions?limit=1&cursor=BTC_USDT,paper")
    assert (page["positions"], page["next_cursor"]) == ([sent], None)
    for spelling in ("BTC_USDT", "BTC%2FUSDT", "BTC-USDT", "BTC/USDT"):
        body = desk.good("GET", f"/positions/{spelling}")
        told = unwrapped(body, "position_details")
        assert told == {"position": sent, "positions": [sent, own]}


def test_a_symbol_that_nobody_holds_is_flat(desk: Desk, account: Account) -> None:
    told = unwrapped(desk.good("GET", "/positions/ETH_USDT"), "position_details")
    assert told["positions"] == []
    assert told["position"] == {
        "symbol": "ETH_USDT", "quantity": 0.0, "average_price": 0.0, "book": None, "positions": 0,
        "unrealized_pnl": 0.0,
    }  # fmt: skip
    refusal(desk.call("GET", "/positions/ETH"), 400, "validation_error")


def test_the_performance_counts_orders_and_closed_positions(
    desk: Desk, account: Account, traded: list[str], stranger: Person
) -> None:
    desk.exchange.price(SYMBOL, "51000")
    sell = {**MARKET, "side": "sell", "quantity": 0.00999, "reduce_only": True}
    desk.good("POST", PLACE, sell)
    desk.settle(account)
    told = unwrapped(desk.good("GET", "/trading/performance"), "trading_performance")
    counts = {name: count for name, count in told.items() if name.endswith("_orders")}
    assert counts == {
        "total_orders": 3, "filled_orders": 2, "open_orders": 1, "cancelled_orders": 0,
        "rejected_orders": 0,
    }  # fmt: skip
    (row,) = told["books"]
    fee = 0.5 + row["fees"] - 0.5
    assert (row["book"], row["currency"], row["closed_positions"]) == ("rehearsal", "USDT", 1)
    assert (row["realised_pnl"], row["winning_positions"], row["win_rate"]) == (9.99, 1, 100.0)
    assert row["net_pnl"] == pytest.approx(9.99 - fee)
    paper = {
        "venue": "rehearsal", "symbol": SYMBOL, "side": "buy", "order_type": "market",
        "quantity": 0.01, "mode": "paper",
    }  # fmt: skip
    desk.good("POST", "/v1/orders", paper)
    desk.settle(account)
    books = desk.good("GET", "/trading/performance")["books"]
    assert [(each["book"], each["open_positions"]) for each in books] == [
        ("paper", 1),
        ("rehearsal", 0),
    ]
    none = desk.good("GET", "/trading/performance", who=stranger)
    assert (none["total_orders"], none["books"]) == (0, [])


def test_the_wallet_says_where_its_figures_come_from(
    desk: Desk, account: Account, traded: list[str], stranger: Person
) -> None:
    told = unwrapped(desk.good("GET", "/wallet/balance"), "wallet_balance")
    assert told["assets"] == {
        "BTC": {"free": 10.00999, "locked": 0.0},
        "USDT": {"free": 99010.0, "locked": 490.0},
    }
    account.refresh_from_db()
    assert told["total_usd_estimate"] == float(account.equity)
    assert (told["source"], told["book"]) == ("rehearsal", "rehearsal")
    assert desk.good("GET", f"/wallet/balance?account_id={account.pk}")["assets"] == told["assets"]
    with time_machine.travel(now() + timedelta(minutes=2)):
        assert desk.good("GET", "/wallet/balance")["source"] == "cache"
    paper = desk.good("GET", "/wallet/balance?book=paper")
    assert (paper["assets"], paper["source"], paper["as_of"]) == ({}, "mock", None)
    order = {
        "venue": "rehearsal", "symbol": SYMBOL, "side": "buy", "order_type": "limit",
        "quantity": 0.01, "limit_price": 49000, "mode": "paper",
    }  # fmt: skip
    desk.good("POST", "/v1/orders", order)
    paper = desk.good("GET", "/wallet/balance?book=PAPER")
    assert paper["assets"] == {"USDT": {"free": 9510.0, "locked": 490.0}}
    assert paper["total_usd_estimate"] == 10000.0
    assert desk.good("GET", "/wallet/balance", who=stranger)["assets"] == {}
    query = f"/wallet/balance?account_id={account.pk}"
    refusal(desk.call("GET", query, who=stranger), 404, "account_not_found")
    refusal(desk.call("GET", "/wallet/balance?book=wet"), 400, "validation_error")
