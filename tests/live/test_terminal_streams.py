"""The streams of 004 on ``/ws/v1``: their frames, and that nothing is lost, doubled or foreign."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from channels.db import database_sync_to_async

from accounts.models import Account
from common.clock import iso, now
from marketdata.models import LastPrice, PriceWish
from surfaces.terminal import streams
from tests.live.terminals import PATH, asked, connected
from tests.management.sockets import numbered, received, socket, tell
from tests.users.people import Person, new_account
from users.services import create_api_key

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = {"type": "subscribe", "stream": "order_updates"}
ALERTS = {"type": "subscribe", "stream": "risk_alerts"}
ORDER: dict[str, Any] = {
    "order_id": 7,
    "account_id": 3,
    "book": "live",
    "symbol": "BTC/USDT",
    "side": "buy",
    "quantity": "0.5",
    "price": "50001",
    "filled_quantity": "0.2",
    "average_price": "50000",
    "state": "PARTIAL",
    "reason_code": "",
}


async def market_data(exchange: str = "binance", *symbols: str) -> LastPrice:
    """A price of BTC/USDT, newer than the one before."""
    price, _ = await LastPrice.objects.aupdate_or_create(
        venue=exchange,
        symbol=symbols[0] if symbols else "BTC/USDT",
        defaults={"price": Decimal("50000.5"), "volume": Decimal("10.25"), "at": now()},
    )
    return price


async def test_order_updates_are_frames_of_004(admin: Person) -> None:
    start = await numbered()
    async with connected(admin) as connection:
        answer = await asked(connection, **ORDERS, id=1)
        assert answer == {
            "type": "subscribed", "stream": "order_updates", "id": 1, "event_id": start,
        }  # fmt: skip
        await tell(admin, "deal.created")
        await tell(admin, "order.updated", **ORDER)
        await tell(admin, "order.created", **{**ORDER, "state": "UNKNOWN", "average_price": None})
        partial, unknown = await received(connection, 2)
        timestamp = partial.pop("timestamp")
        assert timestamp.endswith("Z")
        assert partial == {
            "type": "order_update",
            "id": start + 2,
            "event_id": start + 2,
            "order_id": "7",
            "status": "partially_filled",
            "filled_quantity": 0.2,
            "avg_fill_price": 50000.0,
            "symbol": "BTC/USDT",
            "side": "buy",
            "quantity": 0.5,
            "price": 50001.0,
            "account_id": "3",
            "book": "live",
            "state": "PARTIAL",
            "outcome": "confirmed",
            "reason": None,
        }
        assert (unknown["status"], unknown["outcome"]) == ("placed", "unknown")
        assert unknown["avg_fill_price"] is None
        answer = await asked(connection, type="unsubscribe", stream="order_updates")
        assert answer == {"type": "unsubscribed", "stream": "order_updates"}
        await tell(admin, "order.updated", **ORDER)
        assert await connection.receive_nothing(0.1)


async def test_risk_alerts_tell_alerts_and_kill_switches(admin: Person) -> None:
    await numbered()
    async with connected(admin) as connection:
        await asked(connection, **ALERTS)
        switch = {"scope": "global", "level": "REDUCING", "reason": "drill"}
        await tell(admin, "alert.raised", severity="warning", message="Look", code="stale")
        await tell(admin, "kill_switch.engaged", **switch)
        await tell(admin, "kill_switch.released", **switch)
        frames = await received(connection, 3)
        assert [(each["type"], each["level"]) for each in frames] == [
            ("risk_alert", "warning"),
            ("risk_alert", "critical"),
            ("risk_alert", "info"),
        ]
        assert (frames[0]["message"], frames[0]["code"]) == ("Look", "stale")
        assert frames[1]["message"] == "Kill switch engaged (global, REDUCING): drill"


async def test_a_client_that_comes_back_misses_nothing(admin: Person) -> None:
    start = await numbered()
    for number in range(3):
        await tell(admin, "order.updated", **{**ORDER, "order_id": number})
    by_auth = connected(admin, resume_from=start + 1)
    async with by_auth as connection:
        await connection.send_json_to(ORDERS)
        subscribed, *frames = await received(connection, 3)
        assert (subscribed["event_id"], connection.hello["event_id"]) == (start + 1, start + 1)
        assert [frame["order_id"] for frame in frames] == ["1", "2"]
        await tell(admin, "order.updated", **{**ORDER, "order_id": 3})
        assert (await connection.receive_json_from())["order_id"] == "3"
        assert await connection.receive_nothing(0.05)
    connection = socket(f"{PATH}?after_id={start + 2}", authorization=f"Bearer {admin.pair.access}")
    await connection.connect()
    await connection.receive_json_from()
    await connection.send_json_to(ORDERS)
    frames = (await received(connection, 3))[1:]
    assert [frame["order_id"] for frame in frames] == ["2", "3"]
    await connection.disconnect()


async def test_another_organisation_and_a_limited_key_see_nothing_of_it(
    admin: Person, stranger: Person
) -> None:
    account: Account = await database_sync_to_async(new_account)(admin, "one")
    _, key = await database_sync_to_async(create_api_key)(
        user=admin.user, label="limited", account_ids=[account.pk + 1]
    )
    await numbered()
    limited = socket(PATH, x_api_key=key)
    await limited.connect()
    assert (await limited.receive_json_from())["status"] == "authenticated"
    async with connected(stranger) as foreign:
        for connection in (foreign, limited):
            assert (await asked(connection, **ORDERS))["type"] == "subscribed"
            assert (await asked(connection, **ALERTS))["type"] == "subscribed"
        await tell(admin, "order.updated", f"account:{account.pk}", **ORDER)
        await tell(admin, "alert.raised", "alerts", severity="info", message="Ours", code="c")
        assert await limited.receive_nothing(0.1)
        order = {**ORDER, "order_id": 9}
        await tell(admin, "order.updated", f"account:{account.pk + 1}", **order)
        assert (await limited.receive_json_from())["order_id"] == "9"
        assert await foreign.receive_nothing(0.1)
    await limited.disconnect()


async def test_prices_come_at_once_and_when_they_change_in_the_clients_spelling(
    admin: Person,
) -> None:
    known = await market_data()
    async with connected(admin) as connection:
        symbols = ["BTC-USDT", "ETH/USDT"]
        subscribe = {"stream": "market_data", "symbols": symbols, "exchange": "binance"}
        answer = await asked(connection, type="subscribe", **subscribe, id="m")
        assert answer == {
            "type": "subscribed", "stream": "market_data", "id": "m",
            "exchange": "binance", "symbols": symbols,
        }  # fmt: skip
        assert await connection.receive_json_from() == {
            "type": "market_data",
            "symbol": "BTC-USDT",
            "exchange": "binance",
            "price": 50000.5,
            "volume": 10.25,
            "bid": None,
            "ask": None,
            "timestamp": iso(known.at),
        }
        assert (await PriceWish.objects.aget()).symbol == "ETH/USDT"
        await market_data("binance", "ETH/USDT")
        assert (await connection.receive_json_from())["symbol"] == "ETH/USDT"
        assert await connection.receive_nothing(0.1)
        unsubscribe = {"stream": "market_data", "symbols": ["BTC/USDT"], "exchange": "binance"}
        assert (await asked(connection, type="unsubscribe", **unsubscribe))["type"] == (
            "unsubscribed"
        )
        await market_data()
        newer = await market_data("binance", "ETH/USDT")
        frame = await connection.receive_json_from()
        assert (frame["symbol"], frame["timestamp"]) == ("ETH/USDT", iso(newer.at))
        await asked(connection, type="unsubscribe", stream="market_data")
        await market_data("binance", "ETH/USDT")
        assert await connection.receive_nothing(0.1)


async def test_a_symbol_that_the_exchange_does_not_list_is_told_once(admin: Person) -> None:
    async with connected(admin) as connection:
        subscribe = {"stream": "market_data", "symbols": ["NO-USDT"], "exchange": "binance"}
        await asked(connection, type="subscribe", **subscribe)
        assert await connection.receive_nothing(0.1)
        assert await PriceWish.objects.aupdate(unlisted_at=now()) == 1
        frame = await connection.receive_json_from()
        assert frame.pop("timestamp").endswith("Z")
        assert frame == {
            "type": "market_data_unavailable",
            "symbol": "NO-USDT",
            "exchange": "binance",
            "code": "unknown_symbol",
        }
        assert await connection.receive_nothing(0.1)


async def test_a_watched_price_stays_in_use(admin: Person) -> None:
    price = await market_data()
    long_ago = now() - timedelta(hours=2)
    await LastPrice.objects.filter(pk=price.pk).aupdate(wanted_at=long_ago)
    async with connected(admin) as connection:
        subscribe = {"stream": "market_data", "symbols": ["BTC/USDT"], "exchange": "binance"}
        await connection.send_json_to({"type": "subscribe", **subscribe})
        await received(connection, 2)
        await price.arefresh_from_db()
        assert price.wanted_at > long_ago + timedelta(hours=1)


async def test_a_client_that_reads_slowly_gets_the_newest_price_alone(
    admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[streams.Ticks] = []

    class Kept(streams.Ticks):
        def __init__(self, socket: Any) -> None:
            super().__init__(socket)
            made.append(self)

    monkeypatch.setattr(streams, "Ticks", Kept)
    pair = ("binance", "BTC/USDT")
    async with connected(admin) as connection:
        subscribe = {"stream": "market_data", "symbols": ["BTC/USDT"], "exchange": "binance"}
        await asked(connection, type="subscribe", **subscribe)
        for price in ("1", "2", "3"):
            row = LastPrice(venue=pair[0], symbol=pair[1], price=Decimal(price), at=now())
            made[0].priced(pair, row)
        assert (await connection.receive_json_from())["price"] == 3
        assert await connection.receive_nothing(0.1)


@pytest.mark.parametrize(
    ("message", "code", "field"),
    [
        ({"stream": "weather"}, "unknown_stream", "stream"),
        ({"stream": ["order_updates"]}, "unknown_stream", "stream"),
        ({"stream": "indicators"}, "not_available", None),
        ({"stream": "market_data", "exchange": "binance"}, "validation_error", "symbols"),
        ({"stream": "market_data", "symbols": ["BTC/USDT"]}, "validation_error", "exchange"),
        (
            {"stream": "market_data", "symbols": ["BTC"], "exchange": "binance"},
            "validation_error",
            "symbols",
        ),
        (
            {"stream": "market_data", "symbols": [1], "exchange": "binance"},
            "validation_error",
            "symbols",
        ),
        (
            {"stream": "market_data", "symbols": ["BTC/USDT"], "exchange": "mtgox"},
            "unknown_venue",
            "exchange",
        ),
        (
            {
                "stream": "market_data",
                "symbols": [f"C{number}/USDT" for number in range(101)],
                "exchange": "binance",
            },
            "too_many_symbols",
            "symbols",
        ),
    ],
)
async def test_what_cannot_be_subscribed_has_an_error_and_nothing_is_watched(
    admin: Person, message: dict[str, Any], code: str, field: str | None
) -> None:
    async with connected(admin) as connection:
        answer = await asked(connection, type="subscribe", id=9, **message)
        assert (answer["type"], answer["code"], answer["id"]) == ("error", code, 9)
        assert answer["error"]["details"]["field"] == field
        assert not await PriceWish.objects.aexists()
