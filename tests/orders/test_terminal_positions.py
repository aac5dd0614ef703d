"""``/api/v1/trading/positions`` of 004."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from tests.orders.conftest import SYMBOL, Desk
from tests.users.people import Person
from trading.models import Position

POSITIONS = "/api/v1/trading/positions"
ORDER = {"symbol": SYMBOL, "exchange": "rehearsal", "type": "market"}


@pytest.fixture
def account(desk: Desk) -> Account:
    """An account that holds 0.01998 BTC bought at 50,000, and one closed position before that."""
    account = desk.account()
    for side, quantity in (("buy", 0.01), ("sell", 0.00999), ("buy", 0.02)):
        body = {**ORDER, "side": side, "quantity": quantity}
        desk.good("POST", "/api/v1/trading/orders", body)
        desk.settle(account)
    return account


@pytest.fixture(autouse=True)
def _nothing_is_waited_for(settings: Any) -> None:
    settings.ORDER_WAIT_SECONDS = 0


def test_an_open_position_is_priced(desk: Desk, account: Account) -> None:
    desk.exchange.price(SYMBOL, "51000")
    desk.settle(account)
    (row,) = desk.good("GET", POSITIONS)["positions"]
    position = Position.objects.open().get()
    assert row == {
        "id": str(position.pk),
        "symbol": SYMBOL,
        "exchange": "rehearsal",
        "side": "buy",
        "quantity": 0.01998,
        "entry_price": 50000.0,
        "current_price": row["current_price"],
        "pnl": row["pnl"],
        "pnl_percentage": row["pnl_percentage"],
        "opened_at": row["opened_at"],
        "updated_at": row["updated_at"],
        "status": "open",
        "closed_at": None,
        "average_price": 50000.0,
        "realised_pnl": 0.0,
        "fees": 1.0,
        "price_at": row["price_at"],
        "account_id": str(account.pk),
        "book": "rehearsal",
        "reconciled": True,
    }
    assert row["current_price"] in (50000.0, 51000.0)
    gain = row["current_price"] - 50000
    assert row["pnl"] == pytest.approx(gain * 0.01998)
    assert row["pnl_percentage"] == pytest.approx(gain / 500)


def test_a_closed_position_tells_what_it_brought(desk: Desk, account: Account) -> None:
    (row,) = desk.good("GET", f"{POSITIONS}?status=closed")["positions"]
    assert (row["status"], row["quantity"], row["pnl"], row["pnl_percentage"]) == (
        "closed", 0.00999, 0.0, 0.0,
    )  # fmt: skip
    assert (row["entry_price"], row["current_price"]) == (50000.0, 50000.0)
    assert row["closed_at"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 1), ("status=open", 1), ("status=ALL", 2), ("status=all&symbol=BTC-USDT", 2),
        ("status=all&symbol=ETH/USDT", 0), ("account_id={}", 1), ("account_id=1000000000", 0),
    ],
)  # fmt: skip
def test_filters(desk: Desk, account: Account, query: str, count: int) -> None:
    rows = desk.good("GET", f"{POSITIONS}?{query.format(account.pk)}")["positions"]
    assert len(rows) == count


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=flying", "status"), ("limit=0", "limit"), ("limit=x", "limit"),
        ("cursor=-1", "cursor"), ("symbol=BTC", "symbol"), ("wrong=1", "wrong"),
    ],
)  # fmt: skip
def test_a_wrong_query_is_named(desk: Desk, account: Account, query: str, field: str) -> None:
    response = desk.call("GET", f"{POSITIONS}?{query}")
    assert (response.status_code, list(response.json()["errors"])) == (422, [field])


def test_pages_by_cursor_in_three_queries(desk: Desk, account: Account) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = desk.good("GET", f"{POSITIONS}?status=all&limit=1")
    assert len(queries) <= 3
    first = page["positions"][0]["id"]
    assert page["next_cursor"] == int(first)
    page = desk.good("GET", f"{POSITIONS}?status=all&limit=1&cursor={first}")
    assert (len(page["positions"]), page["next_cursor"]) == (1, None)


def test_a_stranger_sees_none(desk: Desk, account: Account, stranger: Person) -> None:
    assert desk.good("GET", POSITIONS, who=stranger) == {"positions": [], "next_cursor": None}
