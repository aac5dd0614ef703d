"""What ccxt answers, read into the values of the protocol. Pure."""

from decimal import Decimal
from typing import Any

from common.clock import now_ms
from common.money import EXACT

from .protocol import (
    CANCELED,
    EXPIRED,
    FILLED,
    OPEN,
    REJECTED,
    OrderRequest,
    VenueBalance,
    VenueFunding,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    VenueTransfer,
)

_STATUS = {
    "open": OPEN,
    "closed": FILLED,
    "canceled": CANCELED,
    "canceling": OPEN,
    "expired": EXPIRED,
    "rejected": REJECTED,
}


def venue_order(answer: dict[str, Any], request: OrderRequest | None = None) -> VenueOrder:
    """ccxt's order as ours. A status ccxt cannot tell counts as open: the next look decides."""
    trades = tuple(
        venue_trade(
            {**row, "symbol": row.get("symbol") or answer.get("symbol"), "order": answer["id"]},
            answer,
        )
        for row in answer.get("trades") or []
        # Some venues (kraken) only name an order's trades; the poll fetches them whole.
        if row.get("id") and row.get("amount") and row.get("price")
    )
    quantity = _number(answer.get("amount")) or (request.quantity if request else Decimal(0))
    filled = _number(answer.get("filled"))
    status = _STATUS.get(str(answer.get("status")), OPEN)
    return VenueOrder(
        exchange_order_id=str(answer["id"]),
        client_order_id=str(
            answer.get("clientOrderId") or (request.client_order_id if request else "")
        ),
        symbol=str(answer.get("symbol") or (request.symbol if request else "")),
        side=str(answer.get("side") or (request.side if request else "")),
        type=str(answer.get("type") or (request.type if request else "")),
        status=status,
        quantity=quantity,
        filled=filled,
        price=_optional(answer.get("price")),
        average=_optional(answer.get("average")),
        created_ms=answer.get("timestamp"),
        trades=trades,
        raw=_raw(answer),
    )


def venue_trade(row: dict[str, Any], order: dict[str, Any] | None = None) -> VenueTrade:
    """ccxt's trade as ours; fees of several currencies are not merged, the first one with a cost
    counts.
    """
    fees = [fee for fee in [row.get("fee"), *(row.get("fees") or [])] if fee and fee.get("cost")]
    fee = fees[0] if fees else {}
    order = order or {}
    return VenueTrade(
        trade_id=str(row["id"]),
        exchange_order_id=str(row.get("order") or ""),
        symbol=str(row["symbol"]),
        side=str(row.get("side") or order.get("side") or ""),
        quantity=_number(row.get("amount")),
        price=_number(row.get("price")),
        fee=_number(fee.get("cost")),
        fee_currency=str(fee.get("currency") or ""),
        executed_ms=int(row.get("timestamp") or order.get("timestamp") or now_ms()),
        position_side=_position_side(row),
        raw=_raw(row),
    )


def _position_side(row: dict[str, Any]) -> str:
    """Binance and Bitget say ``positionSide`` or ``posSide``, OKX ``posSide``, Binance's stream
    ``ps``; net and both are none.
    """
    told = _raw(row)
    side = str(told.get("positionSide") or told.get("posSide") or told.get("ps") or "").lower()
    return side if side in ("long", "short") else ""


def venue_funding(row: dict[str, Any]) -> VenueFunding:
    """ccxt's funding payment as ours."""
    at_ms = int(row.get("timestamp") or 0)
    return VenueFunding(
        payment_id=str(row.get("id") or at_ms),
        symbol=str(row.get("symbol") or ""),
        amount=_number(row.get("amount")),
        currency=str(row.get("code") or ""),
        at_ms=at_ms,
    )


def venue_deposit(row: dict[str, Any]) -> VenueTransfer | None:
    """ccxt's deposit as ours; None while it is on its way."""
    return _moved(row, _number(row.get("amount")), "deposit")


def venue_withdrawal(row: dict[str, Any]) -> VenueTransfer | None:
    """ccxt's withdrawal as ours, its fee in the same currency counted; None while on its way."""
    fee = row.get("fee") or {}
    is_same = fee.get("currency") in (None, row.get("currency"))
    cost = _number(fee.get("cost")) if is_same else Decimal(0)
    return _moved(row, -EXACT.add(_number(row.get("amount")), cost), "withdrawal")


def venue_wallet_transfer(row: dict[str, Any]) -> VenueTransfer | None:
    """A row of ccxt's ledger as a transfer into or out of the wallet; None for any other row."""
    if row.get("type") != "transfer":
        return None
    amount = abs(_number(row.get("amount")))
    return _moved({**row, "status": "ok"}, -amount if row.get("direction") == "out" else amount, "")


def _moved(row: dict[str, Any], amount: Decimal, kind: str) -> VenueTransfer | None:
    at_ms = int(row.get("updated") or row.get("timestamp") or 0)
    number = row.get("id") or row.get("txid") or at_ms
    if row.get("status") != "ok" or not at_ms or not amount:
        return None
    return VenueTransfer(
        f"{kind}:{number}" if kind else str(number), amount, str(row.get("currency") or ""), at_ms
    )


def venue_balances(answer: dict[str, Any]) -> dict[str, VenueBalance]:
    """ccxt's balance as the non-zero ones by currency; what is only told as a total is free."""
    result = {}
    for currency, total in (answer.get("total") or {}).items():
        free = _number((answer.get("free") or {}).get(currency))
        used = _number((answer.get("used") or {}).get(currency))
        if free == 0 and used == 0 and _number(total) != 0:
            free = _number(total)
        if free or used:
            result[currency] = VenueBalance(currency, free, used)
    return result


def venue_position(row: dict[str, Any]) -> VenuePosition | None:
    """ccxt's position as ours; None for a row that holds nothing."""
    contracts = _number(row.get("contracts"))
    if not contracts:
        return None
    side = str(row.get("side") or ("short" if contracts < 0 else "long"))
    size = _number(row.get("contractSize")) or Decimal(1)
    return VenuePosition(
        symbol=str(row["symbol"]),
        side=side,
        contracts=abs(contracts),
        quantity=EXACT.multiply(abs(contracts), size),
        entry_price=_optional(row.get("entryPrice")),
        leverage=_optional(row.get("leverage")),
        is_hedged=row.get("hedged") is True,
        raw=_raw(row),
    )


def _raw(answer: dict[str, Any]) -> dict[str, Any]:
    """The venue's own words, where they are an object."""
    info = answer.get("info")
    return info if isinstance(info, dict) else {}


def _number(value: Any) -> Decimal:
    return Decimal(0) if value in (None, "") else Decimal(str(value))


def _optional(value: Any) -> Decimal | None:
    number = _number(value)
    return number or None
