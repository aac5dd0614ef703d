"""What each venue receives for an order, built and signed by unmodified ccxt."""

import re
from decimal import Decimal
from typing import Any

import pytest

from common.ids import new_order_uid
from exchanges.outcomes import NOT_SENT, VenueError
from exchanges.protocol import OrderRequest
from exchanges.quirks import quirks_of
from tests.exchanges.recorder import Desk, Request, with_desk

SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"
# The field that carries our id, and what it may hold.
IDS = {
    "binance": ("newClientOrderId", r"[.A-Z:/a-z0-9_-]{1,36}"),
    "bybit": ("orderLinkId", r"[A-Za-z0-9_-]{1,36}"),
    "okx": ("clOrdId", r"[A-Za-z0-9]{1,32}"),
    "kraken": ("cl_ord_id", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "coinbase": ("client_order_id", r"[0-9a-f-]{36}"),
    "kucoin": ("clientOid", r"[A-Za-z0-9_-]{1,40}"),
    "gate": ("text", r"t-[0-9A-Za-z_.-]{1,28}"),
    "bitget": ("clientOid", r"[A-Za-z0-9]{1,32}"),
    "hyperliquid": ("c", r"0x[0-9a-f]{32}"),
}
DERIVATIVES = ("binance", "binanceusdm", "bybit", "okx", "kucoin", "gate", "bitget", "hyperliquid")
TICKERS = {
    "BTCUSDT/ticker": {"trades": [{"price": "100"}], "best_bid": "99", "best_ask": "101"},
    "/spot/tickers": [{"currency_pair": "BTCUSDT", "last": "100", "lowest_ask": "101"}],
    "/market/tickers": {
        "code": "00000",
        "data": [{"symbol": "BTCUSDT", "lastPrice": "100", "ask1Price": "101"}],
    },
}


def place(ccxt_id: str, request: OrderRequest, **fields: Any) -> list[Request]:
    """The requests that one order makes; the answers are empty."""

    async def work(desk: Desk) -> list[Request]:
        with pytest.raises(VenueError, match="no_id|unclear_answer"):
            await desk.client.place(request)
        return desk.session.requests

    market = {"baseId": "0"} if ccxt_id == "hyperliquid" else None
    return with_desk(ccxt_id, request.symbol, work, market_fields=market, **fields)


def order(ccxt_id: str, symbol: str = SPOT, **fields: Any) -> OrderRequest:
    client_id = quirks_of(ccxt_id).encode_client_id(new_order_uid())
    given = {"side": "buy", "type": "limit", "quantity": Decimal(2), "price": Decimal(100)}
    return OrderRequest(symbol=symbol, client_order_id=client_id, **(given | fields))


def sent(ccxt_id: str, request: Request) -> dict[str, Any]:
    content = request.sent
    return content["action"]["orders"][0] if ccxt_id == "hyperliquid" else content


@pytest.mark.parametrize("ccxt_id", sorted(IDS))
def test_an_order_carries_our_id_in_the_venues_field_and_alphabet(ccxt_id: str) -> None:
    request = order(ccxt_id)
    field, alphabet = IDS[ccxt_id]
    last = place(ccxt_id, request)[-1]
    assert sent(ccxt_id, last)[field] == request.client_order_id
    assert re.fullmatch(alphabet, request.client_order_id)
    assert "ccxt" not in last.body.lower()


@pytest.mark.parametrize("ccxt_id", DERIVATIVES)
def test_a_contract_order_carries_our_id(ccxt_id: str) -> None:
    request = order(ccxt_id, SWAP)
    assert request.client_order_id in place(ccxt_id, request)[-1].everything


@pytest.mark.parametrize("ccxt_id", sorted(IDS))
def test_two_orders_have_different_ids(ccxt_id: str) -> None:
    assert order(ccxt_id).client_order_id != order(ccxt_id).client_order_id


@pytest.mark.parametrize(
    ("ccxt_id", "name"),
    [
        ("bybit", "Referer"),
        ("gate", "X-Gate-Channel-Id"),
        ("bitget", "X-CHANNEL-API-CODE"),
        ("kucoin", "KC-API-PARTNER"),
        ("kucoin", "KC-API-PARTNER-SIGN"),
    ],
)
def test_nobody_is_credited_with_an_order(ccxt_id: str, name: str) -> None:
    for request in place(ccxt_id, order(ccxt_id)):
        assert name not in request.headers
        assert None not in request.headers.values()


@pytest.mark.parametrize("ccxt_id", ["okx", "binance", "coinbase"])
def test_no_broker_tag_is_in_an_order(ccxt_id: str) -> None:
    content = place(ccxt_id, order(ccxt_id))[-1].sent
    assert "tag" not in content
    assert not {"x-TKT5PX2F", "6b9ad766b55dBCDE"} & {str(value)[:16] for value in content.values()}


def test_hyperliquid_takes_no_builder_fee_and_sets_no_referrer() -> None:
    requests = place("hyperliquid", order("hyperliquid"))
    actions = [request.sent["action"] for request in requests if "action" in request.sent]
    assert [action["type"] for action in actions] == ["order"]
    assert actions[0]["builder"]["f"] == 0


@pytest.mark.parametrize("ccxt_id", ["binance", "bybit", "okx", "kraken", "kucoin"])
def test_a_market_buy_names_its_quantity(ccxt_id: str) -> None:
    content = place(ccxt_id, order(ccxt_id, type="market", price=None))[-1].sent
    field = {"okx": "sz", "bybit": "qty", "kraken": "volume", "kucoin": "size"}.get(ccxt_id)
    assert content[field or "quantity"] == "2"
    assert content.get("marketUnit", "baseCoin") == "baseCoin"
    assert content.get("tgtCcy", "base_ccy") == "base_ccy"
    assert not {"quoteOrderQty", "funds"} & set(content)


@pytest.mark.parametrize(
    ("ccxt_id", "quantity", "limit"),
    [
        ("coinbase", "base_size", "limit_price"),
        ("gate", "amount", "price"),
        ("bitget", "qty", "price"),
    ],
)
def test_a_market_buy_that_would_name_its_cost_leaves_as_a_limit_order(
    ccxt_id: str, quantity: str, limit: str
) -> None:
    request = order(ccxt_id, type="market", price=None)
    content = place(ccxt_id, request, answers=TICKERS)[-1].sent
    content = content.get("order_configuration", {}).get("sor_limit_ioc", content)
    assert (content[quantity], content[limit]) == ("2", "103.02")
    assert request.client_order_id in place(ccxt_id, request, answers=TICKERS)[-1].body


def test_without_a_price_such_a_market_buy_is_not_sent() -> None:
    async def work(desk: Desk) -> VenueError:
        with pytest.raises(VenueError) as raised:
            await desk.client.place(order("gate", type="market", price=None))
        assert all(request.method == "GET" for request in desk.session.requests)
        return raised.value

    assert with_desk("gate", SPOT, work).outcome == NOT_SENT


def test_kraken_is_told_how_late_an_order_may_be() -> None:
    deadline = place("kraken", order("kraken"))[-1].sent["deadline"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", deadline)


@pytest.mark.parametrize("ccxt_id", ["okx", "gate", "bitget", "kucoin", "mexc"])
def test_a_triggered_order_that_could_not_be_followed_is_not_sent(ccxt_id: str) -> None:
    async def work(desk: Desk) -> VenueError:
        request = order(ccxt_id, type="stop_loss", price=None, stop_price=Decimal(90))
        with pytest.raises(VenueError) as raised:
            await desk.client.place(request)
        assert desk.session.requests == []
        return raised.value

    error = with_desk(ccxt_id, SPOT, work)
    assert (error.outcome, error.code) == (NOT_SENT, "not_supported")


COUNTDOWNS = {
    ("binance", SWAP): (
        "/fapi/v1/countdownCancelAll", {"symbol": "BTCUSDT", "countdownTime": ("30000", "0")}
    ),
    ("okx", SPOT): ("/api/v5/trade/cancel-all-after", {"timeOut": (30, 0)}),
    ("kraken", SPOT): ("/0/private/CancelAllOrdersAfter", {"timeout": ("30", "0")}),
}  # fmt: skip


def count_down(ccxt_id: str, symbol: str, seconds: int) -> Request:
    """The request that starts or stops a countdown."""

    async def work(desk: Desk) -> Request:
        await desk.client.count_down(symbol, seconds)
        return desk.last

    return with_desk(
        ccxt_id, symbol, work, answers={"/cancel-all-after": {"code": "0", "data": []}}
    )


@pytest.mark.parametrize(("ccxt_id", "symbol"), COUNTDOWNS)
@pytest.mark.parametrize("place_of", [0, 1])
def test_a_countdown_is_told_in_the_venues_own_unit(
    ccxt_id: str, symbol: str, place_of: int
) -> None:
    path, fields = COUNTDOWNS[ccxt_id, symbol]
    request = count_down(ccxt_id, symbol, (30, 0)[place_of])
    assert (request.method, request.path) == ("POST", path)
    for name, value in fields.items():
        wanted = value[place_of] if isinstance(value, tuple) else value
        assert request.sent[name] == wanted


@pytest.mark.parametrize("ccxt_id", ["binance", "bybit", "coinbase", "gate", "hyperliquid"])
def test_a_venue_without_a_countdown_is_asked_for_none(ccxt_id: str) -> None:
    with pytest.raises(VenueError) as error:
        count_down(ccxt_id, SPOT, 30)
    assert (error.value.outcome, error.value.code) == (NOT_SENT, "not_supported")


def test_a_countdown_leaves_the_budget_to_orders() -> None:
    async def work(desk: Desk) -> tuple[str, int]:
        limiter = desk.client._connection.limiter
        await limiter.acquire(cost=292)  # of 400; nine more would leave less than a quarter
        with pytest.raises(VenueError) as short:
            await desk.client.count_down(SWAP, 30)
        assert desk.session.requests == []
        with pytest.raises(VenueError, match="no_id|unclear_answer"):
            await desk.client.place(order("binance", SWAP))
        return short.value.code, len(desk.session.requests)

    assert with_desk("binance", SWAP, work) == ("budget_short", 1)
