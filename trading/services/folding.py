"""From a new deal to its position's row: which position it belongs to, and the fold itself.

A netting account has one position per symbol. In a hedging account the deal's order names the
position: an entry that names none opens its own with its first deal. What an exit brings beyond its
position is nobody's: it goes to a position that is not allocated, and is reported.
"""

from collections.abc import Sequence
from decimal import Decimal

from accounts.models import Account
from common.money import ZERO, canonical
from monitoring.alerts import raise_alert
from monitoring.models import Alert
from trading.models import Deal, Position
from trading.models.positions import DUST
from trading.positions import Fill, apply_fill, divide, portion

from .holdings import Stream
from .transitions import Moves

EXCESS = "excess"
LIQUIDATION, EXTERNAL = "liquidation", "external"
# An internal deal by which an operator moves what nobody owned into the account's own positions.
RECONCILE = "reconcile"
EXTERNAL_ALERT = "external_trade"


def fold_deal(
    deal: Deal, moves: Moves, *, external_order_id: str = "", venue_side: str = ""
) -> None:
    """Fold a new deal into its position; both are written and announced with the moves.

    ``external_order_id`` puts it into the unallocated position of that name, ``venue_side`` is
    where a venue in hedge mode has that one. Where the deal's position cannot take all of it, the
    deal is written in parts whose ids start with its own. The caller holds the stream's cursor.
    """
    if deal.reason == LIQUIDATION:
        _fold_liquidation(deal, moves, external_order_id, venue_side)
    elif external_order_id:
        _fold_unallocated(deal, moves, external_order_id, venue_side)
    elif (unowned := _unowned_target(deal, moves)) is not None:
        _fold_exit(deal, unowned, moves)
    elif is_hedging(deal.account):
        _fold_hedged(deal, moves)
    else:
        own = (row for row in _open_rows(deal, moves) if row.allocated)
        _fold_into(deal, next(own, None), moves)


def is_hedging(account: Account) -> bool:
    """Whether an account may hold several positions of a symbol."""
    return account.position_mode == Account.PositionMode.HEDGE


def _open_rows(deal: Deal, moves: Moves) -> list[Position]:
    return moves.holdings.open_in(Stream(deal.account_id, deal.book, deal.symbol))


def _fold_unallocated(deal: Deal, moves: Moves, name: str, venue_side: str) -> None:
    """Into the position of that name that nobody owns."""
    rows = (row for row in _open_rows(deal, moves) if not row.allocated)
    position = next((row for row in rows if row.external_order_id == name), None)
    _fold_into(deal, position, moves, name, venue_side)
    if position is None and deal.reason == EXTERNAL:
        _report_external(deal, name)


def external_subject(account_id: int, symbol: str, name: str) -> str:
    """What the alert of an external position is about."""
    return f"account:{account_id}:{symbol}:{name}"


def _report_external(deal: Deal, name: str) -> None:
    raise_alert(
        EXTERNAL_ALERT,
        message=f"Somebody traded {deal.symbol} on account {deal.account_id} at the exchange "
        "itself; it waits in the inbox.",
        organisation_id=deal.organisation_id,
        subject=external_subject(deal.account_id, deal.symbol, name),
    )


def _unowned_target(deal: Deal, moves: Moves) -> Position | None:
    """The position without an owner that the deal's order was sent to close."""
    order = deal.order
    if order is None or not order.reduce_only or not order.position_id:
        return None
    rows = (row for row in _open_rows(deal, moves) if not row.allocated)
    return next((row for row in rows if row.pk == order.position_id), None)


def _named(deal: Deal, moves: Moves) -> Position | None:
    """The open position that the deal or its order names, or that the order has just opened."""
    order = deal.order
    named = deal.position_id or (order.position_id if order else None)
    own = moves.holdings.opened_by(order) if order else None
    rows = _open_rows(deal, moves)
    return next((row for row in rows if row is own or (named and row.pk == named)), None)


def _fold_hedged(deal: Deal, moves: Moves) -> None:
    """Into the position that the deal or its order names, or a new one of the order's own."""
    order = deal.order
    position = _named(deal, moves)
    if position is None and _opens(deal):
        _fold_into(deal, None, moves)
        if order is not None and deal.position is not None:
            moves.holdings.opens(order, deal.position)
        return
    _fold_exit(deal, position, moves)


def _opens(deal: Deal) -> bool:
    """Whether a deal without a position opens one: an entry's, or what an operator took over."""
    return deal.reason == RECONCILE if deal.order is None else not deal.order.reduce_only


def _fold_exit(deal: Deal, position: Position | None, moves: Moves) -> None:
    """Into the position as far as that goes; what is left is nobody's."""
    for part, target in _parts(deal, [position] if position else []):
        if target is not None:
            _fold_into(part, target, moves)
        else:
            _fold_excess(part, moves)


def _fold_excess(deal: Deal, moves: Moves) -> None:
    """The venue executed more than the position held: kept, owned by nobody, reported."""
    name = f"{EXCESS}:{deal.order_id or deal.exchange_trade_id}"
    _fold_unallocated(deal, moves, name, deal.order.position_side if deal.order else "")
    raise_alert(
        "close_exceeded_position",
        message=f"More of {deal.symbol} was closed than the position held.",
        organisation_id=deal.organisation_id,
        subject=f"account:{deal.account_id}:{name}",
        severity=Alert.Severity.CRITICAL,
    )


def _fold_liquidation(deal: Deal, moves: Moves, external_order_id: str, venue_side: str) -> None:
    """What the venue closed by force closes our positions of that side, the oldest first."""
    rows = _open_rows(deal, moves)
    victims = [row for row in rows if row.allocated and row.side != deal.side]
    for part, target in _parts(deal, victims):
        if target is not None:
            _fold_into(part, target, moves)
        else:
            _fold_unallocated(part, moves, external_order_id, venue_side)
    raise_alert(
        "position_liquidated",
        message=f"The exchange closed {deal.symbol} of account {deal.account_id} by force.",
        organisation_id=deal.organisation_id,
        subject=f"account:{deal.account_id}:{external_order_id}",
        severity=Alert.Severity.CRITICAL,
    )


def _parts(deal: Deal, positions: Sequence[Position]) -> list[tuple[Deal, Position | None]]:
    """The deal cut along what the positions can take; what is left over belongs to none.

    A position of the deal's own side takes everything. The parts' figures add up to the deal's,
    and the first part keeps its id.
    """
    rooms = [deal.net_quantity if each.side == deal.side else each.quantity for each in positions]
    taken, left = divide(deal.net_quantity, rooms)
    shares: list[tuple[Decimal, Position | None]] = [*zip(taken, positions, strict=True)]
    shares = [(share, position) for share, position in shares if share] or shares[:1]
    if left or not shares:
        shares.append((left, None))
    deals = _cut(deal, [share for share, _ in shares])
    return list(zip(deals, [position for _, position in shares], strict=True))


def _cut(deal: Deal, shares: Sequence[Decimal]) -> list[Deal]:
    """Deals of these net quantities, which add up to the deal's; the first takes the remainders of
    dividing its figures.
    """
    pieces = []
    whole = deal.net_quantity
    for number, share in enumerate(shares[1:], start=2):
        piece = _copy_of(deal)
        piece.exchange_trade_id = f"{deal.exchange_trade_id}:{number}"
        piece.net_quantity = share
        for name in ("quantity", "fee", "fee_quote"):
            setattr(piece, name, portion(getattr(deal, name), share, whole))
        pieces.append(piece)
    for name in ("net_quantity", "quantity", "fee", "fee_quote"):
        rest = getattr(deal, name) - sum((getattr(piece, name) for piece in pieces), ZERO)
        setattr(deal, name, canonical(rest))
    return [deal, *pieces]


def _copy_of(deal: Deal) -> Deal:
    """A new row with the deal's facts; it shares the account and the order, not the position."""
    linked = ("id", "account", "order", "position")
    facts = {
        field.attname: getattr(deal, field.attname)
        for field in Deal._meta.concrete_fields
        if field.name not in linked
    }
    return Deal(account=deal.account, order=deal.order, **facts)


def _fold_into(
    deal: Deal,
    position: Position | None,
    moves: Moves,
    external_order_id: str = "",
    venue_side: str = "",
) -> None:
    holdings = moves.holdings
    step = apply_fill(holdings.figures(position) if position else None, fill_of(deal))
    deal.entry = step.entry
    deal.realised = step.realised
    if step.closed is not None and position is not None:
        holdings.put(position, step.closed, deal)
        deal.position, position = position, None
    if step.current is not None:
        position = position or _new_position(deal, external_order_id, venue_side)
        holdings.put(position, step.current, deal)
        deal.position = position
    holdings.add(deal)


def fill_of(deal: Deal) -> Fill:
    """The deal as the fold sees it."""
    is_dust = deal.reason == DUST
    return Fill(
        deal.side, deal.net_quantity, deal.price, deal.fee_quote, deal.magic_id, is_dust=is_dust
    )


def _new_position(deal: Deal, external_order_id: str, venue_side: str) -> Position:
    return Position(
        organisation_id=deal.organisation_id,
        account_id=deal.account_id,
        book=deal.book,
        symbol=deal.symbol,
        allocated=not external_order_id,
        external_order_id=external_order_id,
        venue_side=venue_side,
        is_netting=bool(external_order_id) or not is_hedging(deal.account),
        opened_at=deal.executed_at,
    )
