"""How an order is found and cancelled by our id at each venue."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import ccxt.pro as pro
import pytest

from common.ids import new_order_uid
from exchanges.outcomes import UNKNOWN, VenueError
from exchanges.protocol import OrderRequest
from exchanges.quirks import DEGRADED, FETCH, FULL, QUIRKS, Quirks, quirks_of
from tests.exchanges.recorder import Desk, Request, with_desk

SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"
BY_ID = ("binance", "bybit", "okx", "kraken", "kucoin", "gate", "bitget", "hyperliquid")


def client_id(ccxt_id: str) -> str:
    return quirks_of(ccxt_id).encode_client_id(new_order_uid())


def asked(ccxt_id: str, call: str, symbol: str = SPOT, **fields: Any) -> tuple[str, list[Request]]:
    """Our id, and the requests that a call by it makes."""
    name = client_id(ccxt_id)

    async def work(desk: Desk) -> list[Request]:
        with suppress(VenueError):  # the answers are empty
            await getattr(desk.client, call)(symbol, name, "")
        return desk.session.requests

    market = {"baseId": "0"} if ccxt_id == "hyperliquid" else None
    return name, with_desk(ccxt_id, symbol, work, market_fields=market, **fields)


@pytest.mark.parametrize("call", ["find_order", "cancel"])
@pytest.mark.parametrize("ccxt_id", BY_ID)
def test_a_venue_is_asked_for_our_id(ccxt_id: str, call: str) -> None:
    name, requests = asked(ccxt_id, call)
    assert name in requests[-1].everything
    assert "None" not in requests[-1].everything


@pytest.mark.parametrize("call", ["find_order", "cancel"])
@pytest.mark.parametrize("ccxt_id", ["binance", "bybit", "okx", "kucoin", "gate", "bitget"])
def test_a_derivative_venue_is_asked_for_our_id(ccxt_id: str, call: str) -> None:
    name, requests = asked(ccxt_id, call, SWAP)
    assert name in requests[-1].everything


@pytest.mark.parametrize("ccxt_id", [*BY_ID, "coinbase"])
def test_a_venue_is_asked_for_its_own_id(ccxt_id: str) -> None:
    async def work(desk: Desk) -> str:
        with suppress(VenueError):
            await desk.client.find_order(SPOT, "ours", "4711")
        return desk.last.everything

    sent = with_desk(ccxt_id, SPOT, work)
    assert "4711" in sent
    assert "ours" not in sent


def test_kraken_filters_both_lists_by_our_id() -> None:
    name, requests = asked("kraken", "find_order")
    assert [request.path.rsplit("/", 1)[1] for request in requests] == [
        "OpenOrders",
        "ClosedOrders",
    ]
    assert [request.sent["cl_ord_id"] for request in requests] == [name, name]


def test_coinbase_orders_are_looked_for_in_every_state_before_a_cancel() -> None:
    name = client_id("coinbase")
    row = {"order_id": "9", "client_order_id": name, "product_id": "BTCUSDT", "status": "CANCELLED"}
    other = row | {"order_id": "8", "client_order_id": "another"}
    answers = {
        "/orders/historical/batch": {"orders": [other, row]},
        "/batch_cancel": {"results": [{"success": True, "order_id": "9"}]},
    }

    async def work(desk: Desk) -> dict[str, Any]:
        found = await desk.client.find_order(SPOT, name, "")
        assert found is not None
        assert found.exchange_order_id == "9"
        await desk.client.cancel(SPOT, name, "")
        return desk.last.sent

    assert with_desk("coinbase", SPOT, work, answers=answers) == {"order_ids": ["9"]}


def test_a_cancel_of_an_order_that_is_not_found_is_unknown() -> None:
    async def work(desk: Desk) -> VenueError:
        with pytest.raises(VenueError) as raised:
            await desk.client.cancel(SPOT, client_id("coinbase"), "")
        assert all("cancel" not in request.path for request in desk.session.requests)
        return raised.value

    error = with_desk("coinbase", SPOT, work, answers={"/historical/batch": {"orders": []}})
    assert (error.outcome, error.code) == (UNKNOWN, "order_not_found")


@pytest.mark.parametrize(
    ("ccxt_id", "status", "answer"),
    [
        ("binance", 400, {"code": -2013, "msg": "Order does not exist."}),
        ("bybit", 200, {"retCode": 0, "result": {"list": []}}),
        ("okx", 200, {"code": "51603", "data": [], "msg": "Order does not exist"}),
        ("kucoin", 200, {"code": "200000", "data": None}),
        ("gate", 404, {"label": "ORDER_NOT_FOUND", "message": "Order not found"}),
        ("bitget", 400, {"code": "25204", "msg": "Order does not exist", "data": None}),
        ("hyperliquid", 200, {"status": "unknownOid"}),
    ],
)
def test_a_venues_word_that_it_knows_no_such_order_is_no_error(
    ccxt_id: str, status: int, answer: dict[str, Any]
) -> None:
    async def work(desk: Desk) -> Any:
        return await desk.client.find_order(SPOT, client_id(ccxt_id), "")

    market = {"baseId": "0"} if ccxt_id == "hyperliquid" else None
    assert (
        with_desk(ccxt_id, SPOT, work, answers={"": answer}, status=status, market_fields=market)
        is None
    )


@pytest.mark.parametrize("answer", ["", "<html></html>", '{"orders": ['])
@pytest.mark.parametrize("ccxt_id", [*BY_ID, "coinbase"])
def test_an_answer_that_says_nothing_is_not_taken_for_absence(ccxt_id: str, answer: str) -> None:
    async def work(desk: Desk) -> VenueError:
        with pytest.raises(VenueError) as raised:
            await desk.client.find_order(SPOT, client_id(ccxt_id), "")
        return raised.value

    market = {"baseId": "0"} if ccxt_id == "hyperliquid" else None
    error = with_desk(ccxt_id, SPOT, work, answers={"": answer}, market_fields=market)
    assert (error.outcome, error.code) == (UNKNOWN, "unclear_answer")


@pytest.mark.parametrize("ccxt_id", ["binance", "gate", "hyperliquid"])
def test_an_order_without_an_id_is_not_taken_for_absence(ccxt_id: str) -> None:
    async def work(desk: Desk) -> VenueError:
        with pytest.raises(VenueError) as raised:
            await desk.client.find_order(SPOT, client_id(ccxt_id), "")
        return raised.value

    assert with_desk(ccxt_id, SPOT, work).outcome == UNKNOWN


@pytest.mark.parametrize(
    ("ccxt_id", "market_type", "safety"),
    [
        ("binance", "spot", FULL),
        ("binance", "swap", FULL),
        ("bybit", "spot", FULL),
        ("okx", "spot", FULL),
        ("kraken", "spot", FULL),
        ("kucoin", "spot", FULL),
        ("gate", "spot", FULL),
        ("bitget", "spot", FULL),
        ("hyperliquid", "swap", FULL),
        ("coinbase", "spot", DEGRADED),
        ("luno", "spot", DEGRADED),
        ("alpaca", "spot", DEGRADED),
    ],
)
def test_safety_says_whether_a_lost_answer_can_be_settled(
    ccxt_id: str, market_type: str, safety: str
) -> None:
    assert quirks_of(ccxt_id, market_type).safety == safety


def test_an_order_without_our_id_is_never_fully_safe() -> None:
    assert Quirks(has_client_id=False, lookup=FETCH, request_window_ms=1).safety == DEGRADED


def test_the_private_streams_are_those_of_ccxt_pro() -> None:
    names = {"orders": "watchOrders", "trades": "watchMyTrades", "balance": "watchBalance"}
    for ccxt_id, quirks in QUIRKS.items():
        if quirks.pro_streams or quirks.lookup != "scan":
            has = getattr(pro, ccxt_id)().has
            told = {stream for stream, method in names.items() if has.get(method) is True}
            assert quirks.pro_streams == told, ccxt_id


def test_edits_are_sent_where_the_venue_changes_an_order_in_place() -> None:
    request = OrderRequest(SPOT, "buy", "limit", Decimal(3), "ours", price=Decimal(99))

    async def edit(desk: Desk) -> dict[str, Any]:
        await desk.client.edit("4711", request)
        return desk.last.sent

    answers = {"": {"retCode": 0, "result": {"orderId": "4711"}}}
    sent = with_desk("bybit", SPOT, edit, answers=answers)
    assert (sent["orderId"], sent["qty"], sent["price"]) == ("4711", "3", "99")

    async def refused(desk: Desk) -> VenueError:
        with pytest.raises(VenueError) as raised:
            await desk.client.edit("4711", request)
        assert desk.session.requests == []
        return raised.value

    assert with_desk("binance", SPOT, refused).code == "not_supported"
