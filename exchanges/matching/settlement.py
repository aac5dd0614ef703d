"""Moving money for one order: lock at submission, settle at each fill, release at the end."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from exchanges.matching.markets import Market
from exchanges.matching.records import BUY, ZERO, Account, BookOrder, FeeRule, Refusal


@dataclass(frozen=True, slots=True)
class Settled:
    """What one fill moved: its quantity, its commission with the currency, the profit it made."""

    quantity: Decimal
    commission: Decimal
    asset: str
    realized: Decimal = ZERO


def lock(account: Account, order: BookOrder, market: Market, last: Decimal) -> None:
    """Move what the order needs from free to used, or refuse with ``insufficient_funds``.

    A buy locks its worst price: the limit, else the stop price, else the last price.
    """
    if order.side == BUY:
        need = order.quantity * (order.price or order.stop_price or last)
        wallet = account.wallet(market.quote)
    else:
        need = order.quantity
        wallet = account.wallet(market.base)
    if wallet.free < need:
        raise Refusal("insufficient_funds")
    wallet.free -= need
    wallet.used += need
    order.locked = need


def settle(
    account: Account,
    order: BookOrder,
    market: Market,
    quantity: Decimal,
    price: Decimal,
    fees: FeeRule,
) -> Settled | None:
    """Exchange the coins of one fill.

    ``None``, and nothing moved, when a market buy has become too expensive for the wallet.
    """
    value = quantity * price
    base, quote = account.wallet(market.base), account.wallet(market.quote)
    commission, asset = _commission(order, market, quantity, value, fees)
    in_base = commission if asset == market.base else ZERO
    in_quote = commission if asset == market.quote else ZERO
    if order.side == BUY:
        extra = max(value - order.locked, ZERO) + in_quote
        if extra > quote.free:
            return None
        from_lock = min(value, order.locked)
        quote.used -= from_lock
        quote.free -= extra
        order.locked -= from_lock
        base.free += quantity - in_base
    else:
        base.used -= quantity
        order.locked -= quantity
        quote.free += value - in_quote
    order.filled += quantity
    order.quote_filled += value
    _release_surplus(account, order, market)
    return Settled(quantity, commission, asset)


def release(account: Account, order: BookOrder, market: Market, *, keep: Decimal = ZERO) -> None:
    """Give back what the order holds beyond ``keep``."""
    surplus = order.locked - keep
    if surplus <= 0:
        return
    wallet = account.wallet(market.quote if order.side == BUY else market.base)
    wallet.used -= surplus
    wallet.free += surplus
    order.locked -= surplus


def _release_surplus(account: Account, order: BookOrder, market: Market) -> None:
    """After a fill better than the limit, hold only what the rest can cost."""
    if order.side == BUY and order.price is not None:
        release(account, order, market, keep=order.price * order.remaining)


def _commission(
    order: BookOrder, market: Market, quantity: Decimal, value: Decimal, fees: FeeRule
) -> tuple[Decimal, str]:
    if order.side == BUY and fees.taken_in == "received":
        amount, asset = quantity * fees.rate, market.base
    else:
        amount, asset = value * fees.rate, market.quote
    return cut(amount, market.fee_decimals), asset


def cut(amount: Decimal, decimals: int) -> Decimal:
    """``amount`` without what lies beyond so many places."""
    return amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_DOWN)
