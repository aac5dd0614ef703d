"""Positions, position sides and leverage, in the words of each venue."""

from decimal import Decimal
from typing import Any

import pytest

from exchanges.outcomes import NOT_SENT, VenueError
from exchanges.protocol import OrderRequest
from tests.exchanges.recorder import Desk, with_desk

SWAP = "BTC/USDT:USDT"


def sent_order(ccxt_id: str, answers: dict[str, Any] | None = None, **fields: Any) -> Any:
    """What the venue would receive for a market order of one contract."""

    async def place(desk: Desk) -> dict[str, Any]:
        request = OrderRequest(SWAP, fields.pop("side"), "market", Decimal(1), "tpid", **fields)
        with pytest.raises(VenueError, match="no_id|unclear_answer"):
            await desk.client.place(request)
        return desk.last.sent

    return with_desk(ccxt_id, SWAP, place, answers=answers)


CASES = [
    # side, position side, whether it closes
    ("buy", "long", False),
    ("sell", "long", True),
    ("sell", "short", False),
    ("buy", "short", True),
]


@pytest.mark.parametrize(("side", "position_side", "closes"), CASES)
@pytest.mark.parametrize("ccxt_id", ["binance", "binanceusdm"])
def test_binance_is_told_the_position_and_never_reduce_only(
    ccxt_id: str, side: str, position_side: str, closes: bool
) -> None:
    sent = sent_order(ccxt_id, side=side, position_side=position_side, reduce_only=closes)
    assert sent["positionSide"] == position_side.upper()
    assert "reduceOnly" not in sent
    assert "hedged" not in sent


@pytest.mark.parametrize(("side", "position_side", "closes"), CASES)
def test_bybit_is_told_the_positions_index(side: str, position_side: str, closes: bool) -> None:
    sent = sent_order("bybit", side=side, position_side=position_side, reduce_only=closes)
    assert sent["positionIdx"] == {"long": 1, "short": 2}[position_side]
    assert "reduceOnly" not in sent


@pytest.mark.parametrize(("side", "position_side", "closes"), CASES)
def test_okx_is_told_the_position(side: str, position_side: str, closes: bool) -> None:
    sent = sent_order("okx", side=side, position_side=position_side, reduce_only=closes)
    assert sent["posSide"] == position_side
    assert "reduceOnly" not in sent
    assert "tgtCcy" not in sent


@pytest.mark.parametrize(("side", "position_side", "closes"), CASES)
def test_gate_is_told_only_whether_the_order_closes(
    side: str, position_side: str, closes: bool
) -> None:
    sent = sent_order("gate", side=side, position_side=position_side, reduce_only=closes)
    assert sent.get("reduce_only", False) is closes
    assert "hedged" not in sent


@pytest.mark.parametrize(
    ("ccxt_id", "name", "value"),
    [
        ("binanceusdm", "reduceOnly", "true"),
        ("bybit", "reduceOnly", True),
        ("okx", "reduceOnly", True),
        ("gate", "reduce_only", True),
    ],
)
def test_a_one_way_account_is_told_reduce_only(ccxt_id: str, name: str, value: Any) -> None:
    assert sent_order(ccxt_id, side="sell", reduce_only=True)[name] == value
    assert name not in sent_order(ccxt_id, side="sell")


@pytest.mark.parametrize("ccxt_id", ["kraken", "hyperliquid", "coinbase"])
def test_a_venue_without_hedge_mode_gets_no_order_for_one_side(ccxt_id: str) -> None:
    async def place(desk: Desk) -> VenueError:
        with pytest.raises(VenueError) as raised:
            await desk.client.place(
                OrderRequest(SWAP, "buy", "market", Decimal(1), "tpid", position_side="long")
            )
        assert desk.session.requests == []
        return raised.value

    error = with_desk(ccxt_id, SWAP, place)
    assert (error.outcome, error.code) == (NOT_SENT, "position_side_not_allowed")


def test_reduce_only_on_the_wrong_side_is_not_sent() -> None:
    async def place(desk: Desk) -> VenueError:
        request = OrderRequest(
            SWAP, "buy", "market", Decimal(1), "tpid", reduce_only=True, position_side="long"
        )
        with pytest.raises(VenueError) as raised:
            await desk.client.place(request)
        assert desk.session.requests == []
        return raised.value

    assert with_desk("binanceusdm", SWAP, place).code == "position_side_not_allowed"


def test_a_position_is_told_in_contracts_and_in_base_units() -> None:
    row = {
        "instId": "BTCUSDT",
        "instType": "SWAP",
        "posSide": "short",
        "pos": "3",
        "avgPx": "50000.1",
        "lever": "5",
        "mgnMode": "cross",
        "posId": "9",
        "uTime": "1",
    }
    empty = row | {"posSide": "long", "pos": "0"}
    answers = {"/account/positions": {"code": "0", "data": [row, empty]}}
    found = with_desk("okx", SWAP, lambda desk: desk.client.positions([SWAP]), answers=answers)
    assert [(p.symbol, p.side, p.contracts, p.quantity) for p in found] == [
        (SWAP, "short", Decimal(3), Decimal("0.03"))
    ]
    assert (found[0].entry_price, found[0].leverage) == (Decimal("50000.1"), Decimal(5))
    assert found[0].is_hedged


def test_a_spot_account_has_no_positions_and_asks_for_none() -> None:
    async def look(desk: Desk) -> Any:
        found = await desk.client.positions(["BTC/USDT"]), await desk.client.is_hedged()
        return found, desk.session.requests

    assert with_desk("binance", "BTC/USDT", look) == (([], False), [])


@pytest.mark.parametrize("hedged", [True, False])
def test_binance_tells_its_position_mode(hedged: bool) -> None:
    answers = {"/positionSide/dual": {"dualSidePosition": hedged}}
    assert (
        with_desk("binanceusdm", SWAP, lambda desk: desk.client.is_hedged(), answers=answers)
        is hedged
    )


@pytest.mark.parametrize(("index", "hedged"), [(0, False), (1, True)])
def test_bybit_tells_its_position_mode_in_the_rows_of_a_symbol(index: int, hedged: bool) -> None:
    rows = [{"symbol": "BTCUSDT", "positionIdx": index, "size": "0", "side": ""}]
    answers = {"/position/list": {"retCode": 0, "result": {"category": "linear", "list": rows}}}
    assert (
        with_desk("bybit", SWAP, lambda desk: desk.client.is_hedged(SWAP), answers=answers)
        is hedged
    )


def test_leverage_that_is_set_already_is_no_error() -> None:
    async def set_it(desk: Desk) -> dict[str, Any]:
        await desk.client.set_leverage(SWAP, Decimal(5))
        return desk.last.sent

    answers = {"/set-leverage": {"retCode": 110043, "retMsg": "Set leverage not modified"}}
    assert with_desk("bybit", SWAP, set_it, answers=answers)["buyLeverage"] == "5"


def test_a_refused_leverage_is_an_error() -> None:
    answers = {"/leverage": {"code": -4028, "msg": "Leverage 999 is not valid"}}

    async def set_it(desk: Desk) -> VenueError:
        with pytest.raises(VenueError) as raised:
            await desk.client.set_leverage(SWAP, Decimal(99))
        return raised.value

    error = with_desk("binanceusdm", SWAP, set_it, answers=answers, status=400)
    assert error.venue_code == "-4028"
