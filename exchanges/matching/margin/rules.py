"""How much margin positions and orders take, and which orders a position lets pass. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from exchanges.matching.margin.records import ISOLATED, MarginAccount, Position
from exchanges.matching.margin.tiers import maintenance
from exchanges.matching.records import BOTH, BUY, LONG, MARKET, ZERO, BookOrder, Refusal

Prices = dict[str, Decimal]


def check_side(row: MarginAccount, order: BookOrder) -> None:
    """Refuse a position side the account does not have (``position_side``) and a reduce-only mark
    where the side says it already (``reduce_only_in_hedge``).
    """
    if order.position_side not in row.sides():
        raise Refusal("position_side")
    if row.hedged and order.reduce_only:
        raise Refusal("reduce_only_in_hedge")


def closes(row: MarginAccount, order: BookOrder) -> bool:
    """Whether the order can only make its position smaller."""
    if order.position_side == BOTH:
        return order.reduce_only
    return (order.side == BUY) != (order.position_side == LONG)


def closable(row: MarginAccount, order: BookOrder) -> Decimal:
    """How much of its position the order could close."""
    position = row.position(order.symbol, order.position_side)
    against = position.quantity > 0 if order.side != BUY else position.quantity < 0
    return abs(position.quantity) if against else ZERO


def exposure(position: Position, orders: Iterable[BookOrder], price: Decimal) -> Decimal:
    """The largest value the position can reach if its orders of one side all fill."""
    buys = sells = ZERO
    for order in orders:
        if order.waits_for_trigger or order.reduce_only:
            continue
        worth = order.remaining * (order.price or price)
        if order.side == BUY:
            buys += worth
        else:
            sells += worth
    held = position.quantity * price
    if position.side == BOTH:
        return max(abs(held + buys), abs(held - sells))
    return abs(held) + (buys if position.side == LONG else sells)


def initial_margin(
    row: MarginAccount, orders: Iterable[BookOrder], prices: Prices
) -> dict[tuple[str, str], Decimal]:
    """The initial margin that positions and open orders take, by symbol and side."""
    by_key: dict[tuple[str, str], list[BookOrder]] = {key: [] for key in row.positions}
    for order in orders:
        by_key.setdefault((order.symbol, order.position_side), []).append(order)
    return {
        key: exposure(row.position(*key), rows, prices[key[0]]) / row.leverage_of(key[0])
        for key, rows in by_key.items()
    }


def position_margin(row: MarginAccount, position: Position, mark: Decimal) -> Decimal:
    """The initial margin of a position by itself."""
    return abs(position.quantity) * mark / row.leverage_of(position.symbol)


def cross_wallet(row: MarginAccount, wallet: Decimal) -> Decimal:
    """The wallet without what isolated positions hold."""
    return wallet - sum((p.isolated for p in row.positions.values()), ZERO)


def cross_unrealized(row: MarginAccount, prices: Prices) -> Decimal:
    """The profit of all cross positions."""
    held = (p for p in row.held() if p.symbol not in row.isolated)
    return sum((p.unrealized(prices[p.symbol]) for p in held), ZERO)


def available(
    row: MarginAccount, wallet: Decimal, orders: Iterable[BookOrder], prices: Prices
) -> Decimal:
    """What is free for new orders; below zero when more is taken than there is.

    An isolated position is paid for already; only its orders take from the rest.
    """
    taken = initial_margin(row, orders, prices)
    for position in row.held():
        if position.symbol in row.isolated:
            key = (position.symbol, position.side)
            own = position_margin(row, position, prices[position.symbol])
            taken[key] = max(taken.get(key, ZERO) - own, ZERO)
    free = cross_wallet(row, wallet) + cross_unrealized(row, prices)
    return free - sum(taken.values(), ZERO)


def to_liquidate(
    row: MarginAccount, wallet: Decimal, symbol: str, prices: Prices
) -> list[Position]:
    """The positions whose margin no longer covers what they need, after a price of ``symbol``."""
    doomed = [
        p
        for p in row.held(symbol)
        if symbol in row.isolated and p.isolated + p.unrealized(prices[symbol]) <= _needs(p, prices)
    ]
    cross = [p for p in row.held() if p.symbol not in row.isolated]
    if any(p.symbol == symbol for p in cross):
        need = sum((_needs(p, prices) for p in cross), ZERO)
        if cross_wallet(row, wallet) + cross_unrealized(row, prices) <= need:
            doomed += cross
    return doomed


def liquidation_price(
    row: MarginAccount, position: Position, wallet: Decimal, prices: Prices
) -> Decimal:
    """The price at which the position is liquidated if no other moves; 0 when there is none.

    Uses the bracket of the present value.
    """
    if not position.quantity:
        return ZERO
    mark = prices[position.symbol]
    if position.symbol in row.isolated:
        buffer = position.isolated + position.unrealized(mark) - _needs(position, prices)
    else:
        cross = [p for p in row.held() if p.symbol not in row.isolated]
        need = sum((_needs(p, prices) for p in cross), ZERO)
        buffer = cross_wallet(row, wallet) + cross_unrealized(row, prices) - need
    size = abs(position.quantity)
    value = size * mark
    share = maintenance(value) / value
    # One unit of price against the position costs its size and changes the need by its share.
    sign = 1 if position.quantity > 0 else -1
    return max(mark - sign * buffer / (size * (1 - sign * share)), ZERO)


def mode(row: MarginAccount, symbol: str) -> str:
    """``isolated`` or ``cross``, as Binance writes it in positions."""
    return ISOLATED.lower() if symbol in row.isolated else "cross"


def _needs(position: Position, prices: Prices) -> Decimal:
    return maintenance(abs(position.quantity) * prices[position.symbol])


def close_out(
    position: Position, order_id: int, account: str, now_ms: int, *, hedged: bool
) -> BookOrder:
    """The venue's own order that ends a position in liquidation; ids begin with ``autoclose-``."""
    return BookOrder(
        id=order_id,
        account=account,
        client_id=f"autoclose-{now_ms}{order_id}",
        symbol=position.symbol,
        side="sell" if position.quantity > 0 else "buy",
        type=MARKET,
        quantity=abs(position.quantity),
        price=None,
        stop_price=None,
        time_in_force="IOC",
        created_ms=now_ms,
        updated_ms=now_ms,
        position_side=position.side,
        reduce_only=not hedged,
    )
