"""Positions with what the market says of them now."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.models import Account
from common.money import ZERO, canonical, divided, multiplied
from common.principal import Principal
from exchanges.venues import venue_key
from marketdata.models import LastPrice
from trading.models import Position

HUNDRED = Decimal(100)


def priced(positions: Iterable[Position]) -> list[Position]:
    """The same positions with ``last_price``, ``price_at`` and ``unrealised`` (quote currency) set.

    One query; None where no price is known or the position is closed. Needs the accounts loaded.
    """
    listed = list(positions)
    symbols = {position.symbol for position in listed}
    venues = {key_of(position.account) for position in listed}
    prices = {
        (price.venue, price.symbol): price
        for price in LastPrice.objects.filter(venue__in=venues, symbol__in=symbols)
    }
    for position in listed:
        price = prices.get((key_of(position.account), position.symbol))
        known = price is not None and position.state == Position.State.OPEN
        position.last_price = price.price if known and price else None
        position.price_at = price.at if known and price else None
        position.unrealised = _unrealised(position) if known else None
    return listed


def result_of(position: Any) -> Decimal | None:
    """A priced position's result before fees in its quote currency: what an open one would bring
    now, None without a price; what a closed one brought.
    """
    result: Decimal | None = (
        position.unrealised if position.state == Position.State.OPEN else position.realised
    )
    return result


def percentage_of(position: Any) -> Decimal | None:
    """The same in percent of what was paid for it on entry."""
    result = result_of(position)
    if position.state == Position.State.OPEN:
        paid = multiplied(position.average_price, position.quantity)
    else:
        paid = multiplied(position.entry_price, position.entered_quantity)
    if result is None or paid == ZERO:
        return None
    return divided(multiplied(result, HUNDRED), paid)


@dataclass(frozen=True, slots=True)
class NetPosition:
    """What all accounts together hold of a symbol in one book: signed base quantity, the average
    price of the side that outweighs the other, and how many positions that is.

    ``unrealised`` is in the quote currency, None where a price is missing.
    """

    symbol: str
    book: str
    quantity: Decimal
    average_price: Decimal
    positions: int
    unrealised: Decimal | None


def net_positions(principal: Principal, symbol: str = "") -> list[NetPosition]:
    """The open positions the principal may read, summed by symbol and book, in that order, with
    two queries; ``symbol`` asks for one alone.
    """
    rows = Position.objects.visible_to(principal).open().select_related("account")
    parts: dict[tuple[str, str], list[Position]] = defaultdict(list)
    for row in priced(rows.filter(symbol=symbol) if symbol else rows):
        parts[row.symbol, row.book].append(row)
    return [_net(name, book, parts[name, book]) for name, book in sorted(parts)]


def _net(symbol: str, book: str, rows: Sequence[Any]) -> NetPosition:
    quantity = sum((row.signed_quantity for row in rows), ZERO)
    side = "buy" if quantity > 0 else "sell"
    weights = [(row.quantity, row.average_price) for row in rows if row.side == side]
    held = sum((each for each, _ in weights), ZERO)
    cost = sum((multiplied(each, price) for each, price in weights), ZERO)
    gains = [row.unrealised for row in rows]
    return NetPosition(
        symbol=symbol,
        book=book,
        quantity=canonical(quantity),
        average_price=divided(cost, held) if quantity else ZERO,
        positions=len(rows),
        unrealised=None if None in gains else canonical(sum(gains, ZERO)),
    )


def key_of(account: Account) -> str:
    """Under which name the prices of the account's venue are stored."""
    return venue_key(account.venue, is_testnet=account.is_testnet)


def _unrealised(position: Any) -> Decimal:
    difference = position.last_price - position.average_price
    return multiplied(difference if position.side == "buy" else -difference, position.quantity)
