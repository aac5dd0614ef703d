"""An order request in the words that ccxt passes on to its venue. Pure."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from common.money import EXACT

from .outcomes import NOT_SENT, VenueError
from .protocol import OrderRequest
from .quirks import DEFAULT, HEDGE_UNIFIED, HEDGE_UNKNOWN, Quirks

MAX_SLIPPAGE = Decimal("0.02")
_TIME_IN_FORCE = {"gtc": "GTC", "ioc": "IOC", "fok": "FOK"}


def order_arguments(
    request: OrderRequest, quirks: Quirks = DEFAULT, reference: Decimal | None = None
) -> tuple[str, str | None, dict[str, Any]]:
    """ccxt's type, price and params for a request; raises VenueError (NOT_SENT) for a position side
    that the venue or the order's own direction does not allow.

    A triggered order is a market order at ``stop_price``, or a limit order when it has a price.
    ``reference`` is the price that ccxt needs for market orders at some venues.
    """
    params: dict[str, Any] = {quirks.client_id_param: request.client_order_id}
    params.update(_position_params(request, quirks))
    if not request.is_contract:
        params.update(quirks.spot_order_params)
    price = _text(request.price)
    if request.is_triggered:
        name = "stopLossPrice" if request.type == "stop_loss" else "takeProfitPrice"
        params[name] = f"{request.stop_price:f}"
        return ("limit" if price else "market"), price or _text(reference), params
    if request.type == "limit":
        if request.post_only:
            params["postOnly"] = True
        elif request.time_in_force != "gtc":
            params["timeInForce"] = _TIME_IN_FORCE[request.time_in_force]
        return "limit", price, params
    return "market", _text(reference), params


def order_amount(request: OrderRequest, quirks: Quirks) -> str | int:
    """The quantity as ccxt wants it: exact text, or a whole number where ccxt compares it."""
    if quirks.whole_contracts and request.is_contract:
        return int(request.quantity)
    return f"{request.quantity:f}"


def needs_price(request: OrderRequest, quirks: Quirks) -> str:
    """AS_LIMIT or WITH_PRICE for a market order that cannot leave without a price, else empty."""
    if request.type == "limit" or request.price is not None:
        return ""
    if request.type == "market" and request.side == "buy" and not request.is_contract:
        return quirks.spot_market_buys or quirks.market_orders
    return quirks.market_orders


def as_limit(request: OrderRequest, last: Decimal) -> OrderRequest:
    """A market buy as a limit order that fills at once, or as far as it can, up to MAX_SLIPPAGE
    above ``last``. Unlike a cost in quote currency that buys exactly the quantity.
    """
    price = EXACT.multiply(last, 1 + MAX_SLIPPAGE)
    return replace(request, type="limit", price=price, time_in_force="ioc")


def _position_params(request: OrderRequest, quirks: Quirks) -> dict[str, Any]:
    """Which position an order works on. In hedge mode its side and the position's tell whether it
    opens or closes, and ccxt derives the venue's field from the closing mark: Binance and KuCoin
    positionSide, Bybit positionIdx, OKX and Bitget posSide; Gate takes the mark alone.
    """
    if not request.position_side:
        return {"reduceOnly": True} if request.reduce_only else {}
    closes = (request.position_side == "long") == (request.side == "sell")
    if request.reduce_only and not closes:
        raise _not_allowed(f"a {request.side} does not reduce a {request.position_side} position")
    if quirks.hedge == HEDGE_UNKNOWN:
        raise _not_allowed("the venue holds one position per symbol")
    params: dict[str, Any] = {"reduceOnly": True} if closes else {}
    if quirks.hedge == HEDGE_UNIFIED:
        params["hedged"] = True
    return params


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"


def _not_allowed(message: str) -> VenueError:
    return VenueError(outcome=NOT_SENT, code="position_side_not_allowed", message=message)
