"""``/v1/orders`` of 003: modes, acknowledgements, records."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, EquityPoint
from common.clock import iso, now
from events.models import AuditRecord
from riskmgmt import switches
from tests.orders.conftest import Desk
from tests.server.conftest import refused
from tests.users.people import Person
from trading.models import Command, Order
from users.services import create_api_key

ORDERS, RECENT = "/v1/orders", "/v1/orders/recent"
# The specification's own example, at a venue that is there.
LIMIT = {
    "venue": "rehearsal", "symbol": "BTC-USDT", "side": "buy", "order_type": "limit",
    "quantity": 0.1, "limit_price": 100.0, "mode": "paper",
}  # fmt: skip
MARKET = {
    "venue": "rehearsal", "symbol": "BTC-USDT", "side": "buy", "order_type": "market",
    "quantity": 0.01,
}  # fmt: skip


@pytest.fixture
def account(desk: Desk) -> Account:
    """The only account at the venue, in the book rehearsal."""
    return desk.account()


def test_the_specifications_example_rests_on_paper(
    desk: Desk, account: Account, admin: Person, worker: None
) -> None:
    answer = desk.good("POST", ORDERS, LIMIT)
    order = Order.objects.get()
    assert answer == {
        "ack": {
            "request_id": answer["ack"]["request_id"],
            "status": "accepted",
            "venue_order_id": order.exchange_order_id,
            "mode": "paper",
            "message": "The order is placed.",
            "received_at": answer["ack"]["received_at"],
            "order_id": str(order.pk),
            "state": "OPEN",
            "outcome": "confirmed",
            "reason": None,
        },
        "decision": {"requested": "paper", "effective": "paper", "reason": None},
        "actor": {
            "user_id": str(admin.user.uuid),
            "org_id": str(admin.user.organisation.uuid),
            "label": "ours-admin",
            "role": "admin",
        },
    }
    assert (order.book, order.symbol, str(order.price)) == ("paper", "BTC/USDT", "100")
    assert order.time_in_force == "gtc"
    assert desk.exchange.orders(account.open_secret("api_key")) == []


@pytest.mark.parametrize("mode", ["paper", "shadow"])
def test_a_fill_of_our_own_is_simulated(
    desk: Desk, account: Account, worker: None, mode: str
) -> None:
    ack = desk.good("POST", ORDERS, {**MARKET, "mode": mode})["ack"]
    assert (ack["status"], ack["mode"], ack["state"]) == ("simulated", mode, "FILLED")
    assert Order.objects.get().book == mode
    assert desk.exchange.orders(account.open_secret("api_key")) == []


def test_without_a_mode_the_accounts_own_is_meant(
    desk: Desk, account: Account, worker: None
) -> None:
    answer = desk.good("POST", ORDERS, MARKET)
    assert (answer["ack"]["status"], answer["ack"]["state"]) == ("accepted", "FILLED")
    assert answer["decision"] == {"requested": "live", "effective": "live", "reason": None}
    assert Order.objects.get().book == "rehearsal"
    assert len(desk.exchange.orders(account.open_secret("api_key"))) == 1


def test_live_without_the_right_is_a_403_unless_a_downgrade_is_allowed(
    desk: Desk, account: Account, trader: Person, worker: None
) -> None:
    Account.objects.filter(pk=account.pk).update(book="live")
    body = {**MARKET, "mode": "live"}
    refused(desk.call("POST", ORDERS, body, who=trader), 403, "live_not_permitted")
    assert not Order.objects.exists()
    assert Command.objects.get().state == Command.State.DENIED
    answer = desk.good("POST", ORDERS, {**body, "allow_downgrade": True}, who=trader)
    assert answer["decision"] == {
        "requested": "live",
        "effective": "shadow",
        "reason": "live_not_permitted",
    }
    assert answer["ack"]["mode"] == "shadow"
    assert Order.objects.get().book == "shadow"


def test_live_where_it_is_disabled_is_a_403(desk: Desk, account: Account) -> None:
    Account.objects.filter(pk=account.pk).update(book="paper")
    refused(desk.call("POST", ORDERS, {**MARKET, "mode": "live"}), 403, "live_disabled")
    assert not Order.objects.exists()


def test_a_guard_that_stops_a_live_order_is_a_403_and_paper_is_rejected(
    desk: Desk, account: Account, admin: Person
) -> None:
    engage(admin)
    refused(desk.call("POST", ORDERS, {**MARKET, "mode": "live"}), 403, "denied_kill_switch")
    ack = desk.good("POST", ORDERS, {**MARKET, "mode": "paper"})["ack"]
    assert (ack["status"], ack["reason"]) == ("rejected", "denied_kill_switch")
    assert not Order.objects.exists()


def engage(person: Person) -> None:
    """Stop all entries of the organisation."""
    switches.engage(
        principal=person.principal,
        scope="organisation",
        scope_id=person.user.organisation_id,
        reason="drill",
    )


@pytest.mark.parametrize(("word", "price"), [("stop", None), ("stop_limit", 51100)])
def test_stops_are_triggered_orders(
    desk: Desk, account: Account, worker: None, word: str, price: int | None
) -> None:
    body = {**LIMIT, "mode": "live", "quantity": "0.01", "time_in_force": "day"}
    body |= {"order_type": word, "stop_price": 51000, "limit_price": price}
    assert desk.good("POST", ORDERS, body)["ack"]["status"] == "accepted"
    order = Order.objects.get()
    assert (order.type, order.stop_price, order.price) == ("stop_loss", 51000, price)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"limit_price": None}, "limit_price"),
        ({"limit_price": -1}, "limit_price"),
        ({"quantity": "Infinity"}, "quantity"),
        ({"quantity": 0}, "quantity"),
        ({"venue": "nowhere"}, "venue"),
        ({"symbol": "BTC"}, "symbol"),
        ({"quote_currency": "USD"}, "quote_currency"),
        ({"asset_class": "equity"}, "asset_class"),
        ({"mode": "wet"}, "mode"),
        ({"time_in_force": "week"}, "time_in_force"),
        ({"order_type": "iceberg"}, "order_type"),
        ({"strategy_id": "00000000-0000-4000-8000-000000000000"}, "strategy_id"),
        ({"wrong": 1}, "wrong"),
    ],
)
def test_a_wrong_field_is_a_400_that_names_it(
    desk: Desk, account: Account, change: dict[str, Any], field: str
) -> None:
    response = desk.call("POST", ORDERS, {**LIMIT, **change})
    assert (response.status_code, list(response.json()["fields"])) == (400, [field])
    assert not Command.objects.exists()


def test_several_accounts_at_the_venue_are_named(desk: Desk, account: Account) -> None:
    other = desk.account("two")
    body = refused(desk.call("POST", ORDERS, LIMIT), 409, "account_ambiguous")
    assert body["details"] == {"account_ids": [str(account.pk), str(other.pk)]}
    assert not Command.objects.exists()


def test_a_base_and_a_quote_make_the_symbol(desk: Desk, account: Account, worker: None) -> None:
    body = {**LIMIT, "symbol": "BTC", "quote_currency": "USDT"}
    assert desk.good("POST", ORDERS, body)["ack"]["status"] == "accepted"
    assert Order.objects.get().symbol == "BTC/USDT"


def test_a_key_orders_once(desk: Desk, account: Account, worker: None) -> None:
    first = desk.call("POST", ORDERS, LIMIT, key="click-1")
    again = desk.call("POST", ORDERS, LIMIT, key="click-1")
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert first.json()["ack"]["request_id"] == "click-1"
    other = desk.call("POST", ORDERS, {**LIMIT, "mode": "shadow"}, key="click-1")
    refused(other, 422, "idempotency_mismatch")
    assert Order.objects.count() == 1


def test_who_may_not_trade_is_refused(
    desk: Desk, account: Account, viewer: Person, stranger: Person
) -> None:
    refused(desk.call("POST", ORDERS, LIMIT, who=viewer), 403, "permission_denied")
    live = {**LIMIT, "mode": "live"}
    refused(desk.call("POST", ORDERS, live, who=stranger), 400, "no_account")
    assert not Command.objects.exists()


def test_the_first_paper_order_opens_a_paper_account(
    desk: Desk, stranger: Person, viewer: Person, worker: None
) -> None:
    refused(desk.call("POST", ORDERS, {**LIMIT, "quantity": 0}), 400, "validation_error")
    refused(desk.call("POST", ORDERS, LIMIT, who=viewer), 403, "permission_denied")
    assert not Account.objects.exists()
    for who in (None, stranger):
        ack = desk.good("POST", ORDERS, {**MARKET, "mode": "paper"}, who=who)["ack"]
        assert (ack["status"], ack["mode"]) == ("simulated", "paper")
    ours, theirs = Account.objects.order_by("pk")
    assert (ours.name, ours.venue, ours.book) == ("paper-rehearsal-USDT", "rehearsal", "paper")
    assert ours.organisation_id != theirs.organisation_id
    assert (str(ours.equity), ours.api_key_sealed, ours.key_fingerprint) == ("10000", "", "")
    assert AuditRecord.objects.filter(action="account.created").count() == 2
    desk.good("POST", ORDERS, LIMIT)
    assert Account.objects.count() == 2
    assert desk.good("GET", "/v1/portfolio")["mode"] == "paper"


def test_a_key_limited_to_accounts_opens_none(desk: Desk, admin: Person) -> None:
    _, text = create_api_key(user=admin.user, label="relay", role="admin", account_ids=[])
    answer = desk.client.generic(
        "POST", ORDERS, json.dumps(LIMIT), "application/json", HTTP_X_API_KEY=text
    )
    refused(answer, 403, "key_is_limited")
    assert not Account.objects.exists()


def test_a_venue_that_does_not_answer_rejects_the_first_paper_order(
    desk: Desk, settings: Any
) -> None:
    dead = {"ccxt": "kraken", "base_url": "http://127.0.0.1:9"}
    settings.EXCHANGE_VENUES = {**settings.EXCHANGE_VENUES, "dead": dead}
    body = {**LIMIT, "venue": "dead", "symbol": "BTC-USD"}
    ack = desk.good("POST", ORDERS, body)["ack"]
    assert (ack["status"], ack["reason"]) == ("rejected", "market_unavailable")
    account = Account.objects.get()
    assert (account.quote_currency, account.sync_error != "") == ("USD", True)


def test_records_tell_what_was_asked_decided_and_acknowledged(
    desk: Desk, account: Account, stranger: Person, worker: None
) -> None:
    desk.good("POST", ORDERS, {**LIMIT, "symbol": "NOPE-USDT"})
    desk.good("POST", ORDERS, {**MARKET, "mode": "paper"})
    desk.settle(account)
    with CaptureQueriesContext(connection) as queries:
        body = desk.good("GET", f"{RECENT}?limit=50")
    assert len(queries) <= 3
    filled, denied = body["records"]
    assert filled["order"] == {
        "account_id": str(account.pk),
        "venue": "rehearsal",
        "symbol": "BTC-USDT",
        "side": "buy",
        "order_type": "market",
        "quantity": 0.01,
        "limit_price": None,
        "stop_price": None,
        "time_in_force": "gtc",
        "filled_quantity": 0.01,
        "average_price": 50000.01,
    }
    assert filled["ack"]["status"] == "simulated"
    assert {**filled["decision"], "checks": []} == {
        "requested": "paper", "effective": "paper", "reason": None, "checks": [],
    }  # fmt: skip
    checks = {each["check"]: each["ok"] for each in filled["decision"]["checks"]}
    assert checks["kill_switch"] is checks["venue_disabled"] is True
    assert (denied["ack"]["status"], denied["ack"]["order_id"]) == ("rejected", None)
    assert denied["decision"]["reason"] == "unknown_symbol"
    assert denied["order"]["limit_price"] == 100.0
    page = desk.good("GET", f"{RECENT}?limit=1")
    rest = desk.good("GET", f"{RECENT}?limit=1&cursor={page['next_cursor']}")
    assert rest == {"records": [denied], "next_cursor": None}
    assert desk.good("GET", RECENT, who=stranger) == {"records": [], "next_cursor": None}
    for query in ("limit=0", "limit=x", "wrong=1"):
        assert desk.call("GET", f"{RECENT}?{query}").status_code == 400


def test_the_portfolio_is_of_one_book(
    desk: Desk, account: Account, stranger: Person, worker: None
) -> None:
    desk.good("POST", ORDERS, MARKET)
    desk.settle(account)
    own = desk.good("GET", "/v1/portfolio")
    assert (own["mode"], own["cash_usd"], own["cash"]) == ("rehearsal", 99500.0, {"USDT": 99500.0})
    (row,) = own["positions"]
    assert (row["symbol"], row["quantity"], row["average_price"]) == ("BTC-USDT", 0.00999, 50000.0)
    assert own["source"] in ("postgres", "sqlite")
    assert own["as_of"]
    paper = desk.good("GET", "/v1/portfolio?mode=paper")
    assert (paper["cash_usd"], paper["positions"]) == (0.0, [])
    desk.good("POST", ORDERS, {**MARKET, "mode": "paper", "quantity": 0.02})
    desk.settle(account)
    paper = desk.good("GET", "/v1/portfolio?mode=paper")
    assert (paper["cash_usd"], paper["mode"]) == (8999.9998, "paper")
    assert [row["quantity"] for row in paper["positions"]] == [0.01998]
    assert desk.good("GET", "/v1/portfolio")["positions"] == own["positions"]
    assert desk.good("GET", "/v1/portfolio", who=stranger)["positions"] == []
    assert desk.call("GET", "/v1/portfolio?mode=wet").status_code == 400
    with CaptureQueriesContext(connection) as queries:
        desk.good("GET", "/v1/portfolio")
    assert len(queries) <= 5


def test_the_portfolios_past_is_unwound_from_the_deals(
    desk: Desk, account: Account, stranger: Person, worker: None
) -> None:
    before = now()
    desk.good("POST", ORDERS, MARKET)
    desk.settle(account)
    EquityPoint.objects.filter(account=account).delete()
    first = before - timedelta(seconds=60)
    for at, balance, equity in ((first, 100_000, 600_000), (now(), 99_500, 599_999)):
        EquityPoint.objects.create(
            account=account,
            book=account.book,
            at=at,
            balance=Decimal(balance),
            equity=Decimal(equity),
        )
    rows = desk.good("GET", "/v1/portfolio/history")["snapshots"]
    assert [(row["cash_usd"], row["equity_usd"], row["positions_json"]) for row in rows] == [
        (99500.0, 599999.0, [{"symbol": "BTC-USDT", "quantity": 0.00999}]),
        (100000.0, 600000.0, []),
    ]
    assert rows[1]["created_at"] == iso(first)
    nothing = {"snapshots": [], "next_cursor": None}
    assert desk.good("GET", "/v1/portfolio/history", who=stranger) == nothing
    assert desk.good("GET", "/v1/portfolio/history?mode=paper") == nothing
    page = desk.good("GET", "/v1/portfolio/history?limit=1")
    assert page["snapshots"] == rows[:1]
    query = f"/v1/portfolio/history?limit=1&cursor={page['next_cursor']}"
    assert desk.good("GET", query) == {"snapshots": rows[1:], "next_cursor": None}
    assert list(desk.call("GET", query, who=stranger).json()["fields"]) == ["cursor"]
    for wrong in ("limit=0", "cursor=0", "cursor=x", f"cursor={10**17}", "wrong=1"):
        response = desk.call("GET", f"/v1/portfolio/history?{wrong}")
        assert (response.status_code, list(response.json()["fields"])) == (
            400,
            [wrong.partition("=")[0]],
        )


def test_pages_of_the_past_make_up_the_whole(desk: Desk, account: Account, worker: None) -> None:
    other = desk.account("two")
    desk.good("POST", ORDERS, {**MARKET, "account_id": other.pk})
    desk.settle(account, other)
    EquityPoint.objects.all().delete()
    start = now() - timedelta(hours=1)
    # Two accounts read in turns, twice at the same moment; the second is silent for a while.
    for step, each in enumerate([account, other, account, account, account, other, account]):
        EquityPoint.objects.create(
            account=each,
            book=each.book,
            at=start + timedelta(minutes=step - step % 2),
            balance=Decimal(100 * step),
            equity=Decimal(1000 * step),
        )
    whole = desk.good("GET", "/v1/portfolio/history")["snapshots"]
    assert [row["cash_usd"] for row in whole] == [1100.0, 900.0, 500.0, 400.0, 300.0, 100.0, 0.0]
    assert [row["equity_usd"] for row in whole] == [10 * row["cash_usd"] for row in whole]
    assert [row["positions_json"] for row in whole] == [[]] * 7
    pages, cursor = [], ""
    while cursor is not None:
        with CaptureQueriesContext(connection) as queries:
            page = desk.good("GET", f"/v1/portfolio/history?limit=2{cursor}")
        assert len(queries) <= 9
        pages += page["snapshots"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert pages == whole
