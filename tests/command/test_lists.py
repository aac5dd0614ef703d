"""The lists of 000: an account's orders, deals and positions."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account
from tests.command.conftest import SYMBOL, Terminal, buy, command, limit
from tests.users.people import Person
from trading.models import Deal, Order, Position
from users.services import create_api_key

LISTS = ("orders/open", "orders/history", "deals", "positions/open", "positions/history")


@pytest.fixture
def account(terminal: Terminal) -> Account:
    """A netting account with a resting order, a closed position and an open one."""
    account = terminal.account()
    terminal.send(buy(account, "0.02", magic_id=7))
    terminal.work(account)
    position = terminal.position(account)
    terminal.send(command("close_position", account, position_id=position.pk, qty="0.01"))
    terminal.work(account)
    terminal.send(limit(account, "0.01", "49000"))
    terminal.work(account)
    return account


def test_an_orders_row(terminal: Terminal, account: Account) -> None:
    (row,) = terminal.items("orders/open", account)
    order = Order.objects.get(pk=row["id"])
    assert row["status"] == "SUBMITTED"
    wanted = {
        "account_id": account.pk, "symbol": SYMBOL, "side": "buy", "order_type": "limit",
        "magic_id": 0, "position_id": 0, "reason": "api", "qty": "0.01", "price": "49000",
        "filled_qty": "0", "avg_fill_price": None, "closed_at": None,
        "client_order_id": order.client_order_id, "exchange_order_id": order.exchange_order_id,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    history = terminal.items("orders/history", account)
    assert [each["status"] for each in history] == ["SUBMITTED", "FILLED", "FILLED"]
    assert history[1]["position_id"] == terminal.position(account).pk
    assert history[2]["avg_fill_price"] == "50000"
    assert history[2]["closed_at"].endswith("Z")


def test_a_deals_row(terminal: Terminal, account: Account) -> None:
    rows = terminal.items("deals", account)
    assert [(row["side"], row["qty"], row["entry"]) for row in rows] == [
        ("sell", "0.01", "out"),
        ("buy", "0.02", "in"),
    ]
    deal = Deal.objects.order_by("pk")[0]
    wanted = {
        "id": deal.pk, "order_id": deal.order_id, "position_id": deal.position_id,
        "symbol": SYMBOL, "price": "50000", "fee": "0.00002", "fee_currency": "BTC", "pnl": "0",
        "magic_id": 7, "reason": "api", "reconciled": True,
        "exchange_trade_id": deal.exchange_trade_id,
    }  # fmt: skip
    assert {name: rows[1][name] for name in wanted} == wanted


def test_a_positions_row(terminal: Terminal, account: Account) -> None:
    (row,) = terminal.items("positions/open", account)
    position = terminal.position(account)
    wanted = {
        "id": position.pk, "symbol": SYMBOL, "side": "buy", "qty": "0.00998",
        "avg_price": "50000", "state": "open", "closed_at": None,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert len(terminal.items("positions/history", account)) == Position.objects.count()


@pytest.mark.parametrize(
    ("path", "filters", "count"),
    [
        ("orders/history", {"status": "FILLED"}, 2),
        ("orders/history", {"status": "filled", "side": "sell"}, 1),
        ("orders/history", {"status": "REJECTED"}, 0),
        ("orders/history", {"magic_id": 7}, 1),
        ("orders/history", {"symbol": "ETH/USDT"}, 0),
        ("orders/history", {"symbol": "BTC_USDT"}, 3),
        ("orders/history", {"since": "2031-01-01T00:00:00Z"}, 0),
        ("orders/history", {"until": "2031-01-01T00:00:00+01:00"}, 3),
        ("deals", {"side": "buy"}, 1),
        ("deals", {"reconciled": "false"}, 0),
        ("deals", {"since": "1600000000000"}, 2),
        ("positions/open", {"magic_id": 7}, 1),
        ("positions/open", {"magic_id": 8}, 0),
    ],
)
def test_filters(
    terminal: Terminal, account: Account, path: str, filters: dict[str, Any], count: int
) -> None:
    assert len(terminal.items(path, account, **filters)) == count


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "account_id"),
        ("account_id=x", "account_id"),
        ("account_id={}&limit=0", "limit"),
        ("account_id={}&cursor=-1", "cursor"),
        ("account_id={}&status=flying", "status"),
        ("account_id={}&since=yesterday", "since"),
        ("account_id={}&since=2026-01-01T00:00:00", "since"),
        ("account_id={}&since=99999999999999999", "since"),
        ("account_id={}&magic_id=1e3", "magic_id"),
        ("account_id={}&symbol=BTC", "symbol"),
        ("account_id={}&wrong=1", "wrong"),
    ],
)
def test_a_wrong_query_is_named(
    terminal: Terminal, account: Account, query: str, field: str
) -> None:
    path = f"/position/orders/history?{query.format(account.pk)}"
    response = terminal.call("GET", path)
    assert response.status_code == 422
    detail = response.json()["detail"]
    assert (detail["code"], list(detail["fields"])) == ("validation_error", [field])


def test_pages_are_walked_by_their_cursor(terminal: Terminal, account: Account) -> None:
    terminal.send(*[limit(account, "0.001", "48000")] * 5)
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        path = f"/position/orders/history?account_id={account.pk}&limit=3{cursor}"
        page = terminal.call("GET", path).json()
        assert len(page["items"]) <= 3
        seen += [row["id"] for row in page["items"]]
        number = page["next_cursor"]
        cursor = None if number is None else f"&cursor={number}"
    assert seen == list(Order.objects.order_by("-pk").values_list("pk", flat=True))
    assert len(seen) == 8


@pytest.mark.parametrize("path", LISTS)
def test_a_page_takes_three_statements(
    terminal: Terminal,
    account: Account,
    path: str,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(3):  # key, account, rows
        rows = terminal.items(path, account)
    assert rows


@pytest.mark.parametrize("path", LISTS)
def test_a_strangers_account_is_as_missing_as_no_account(
    terminal: Terminal, account: Account, stranger: Person, path: str
) -> None:
    _, key = create_api_key(user=stranger.user, label="theirs", role="admin")
    told = []
    for number in (account.pk, 10**9):
        query = f"/position/{path}?account_id={number}"
        response = terminal.call("GET", query, HTTP_X_API_KEY=key)
        told.append((response.status_code, response.json()["detail"]))
    assert told[0] == told[1]
    assert told[0] == (
        404,
        {"code": "account_not_found", "message": "There is no such account."},
    )
