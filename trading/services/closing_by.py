"""Closing two opposite positions of a hedging account against each other. No order is sent: two
deals of our own move what both hold, at one price.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import IntegrityError, transaction

from accounts.models import Account
from common.clock import now
from common.errors import Conflict, Invalid, NotFound
from common.money import ZERO, floored, plain
from common.principal import Principal
from events.log import NewEvent, audit
from trading.models import Command, Deal, Order, Position

from .fills import locked_cursor
from .folding import fold_deal, is_hedging
from .holdings import Stream
from .intents import payload_hash
from .market_view import stored_rules
from .pursuing import demand_right, repeated_command
from .transitions import Moves
from .venue_marks import is_per_side

INTERNAL = "close_by_internal"


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two positions as they were read under their locks; ``by`` gives the price."""

    position: Position
    by: Position
    quantity: Decimal


def close_by(
    *,
    principal: Principal,
    account: Account,
    position_id: int,
    by_id: int,
    quantity: Decimal | None = None,
    request_id: str = "",
) -> Command:
    """Close ``position_id`` and ``by_id`` against each other, by default as far as the smaller one
    reaches.

    Both legs are booked at the average price of ``by_id``, so that the result, quantity x (average
    of the short - average of the long), stands on the other one; its total is the same the other
    way round. One transaction, under the locks of the stream and the account. A repeat with the
    same ``request_id`` gives the first command. Raises Denied, NotFound ``position_not_found``,
    Conflict (``account_not_hedging``, ``venue_hedge_mode``, ``position_not_reconciled``,
    ``position_close_in_progress``, ``idempotency_mismatch``), Invalid.
    """
    payload: dict[str, Any] = {"position_id_a": position_id, "position_id_b": by_id}
    if quantity is not None:
        payload["qty"] = plain(quantity)
    if (earlier := repeated_command(principal, account, request_id, payload)) is not None:
        return earlier
    try:
        return _carry_out(principal, account, payload, quantity, request_id)
    except IntegrityError:
        # The id was given to another command at the same moment: that is told now.
        earlier = repeated_command(principal, account, request_id, payload)
        if earlier is None:
            raise
        return earlier


@transaction.atomic
def _carry_out(
    principal: Principal,
    account: Account,
    payload: dict[str, Any],
    quantity: Decimal | None,
    request_id: str,
) -> Command:
    ids = (payload["position_id_a"], payload["position_id_b"])
    symbol = _named(principal, account, ids[0]).symbol
    locked_cursor(account, symbol)
    # A submission judges what may be closed under this lock.
    account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    if (earlier := repeated_command(principal, account, request_id, payload)) is not None:
        return earlier
    moves = Moves()
    position, by = (_locked(principal, account, number, moves) for number in ids)
    demand_right(principal, account, position.book)
    _demand_opposite(account, position, by)
    pair = _Pair(position, by, _quantity(account, position, by, quantity))
    command = Command.objects.create(
        organisation_id=account.organisation_id,
        account=account,
        principal_key=principal.key,
        request_id=request_id or f"close_by:{uuid4().hex}",
        payload_sha256=payload_hash(payload),
        kind=Command.Kind.CLOSE_BY,
        payload=payload,
        state=Command.State.ACCEPTED,
        decision={"allowed": True, "code": "", "checks": []},
    )
    before = [_shown(position), _shown(by)]
    moves.add_event(_event(pair))
    _book(command, pair, moves)
    moves.flush()
    audit(
        principal,
        "position.close_by",
        target=f"account:{account.pk}:{position.pk}:{by.pk}",
        before={"positions": before},
        after={"positions": [_shown(position), _shown(by)], "quantity": plain(pair.quantity)},
    )
    return command


def _named(principal: Principal, account: Account, number: int) -> Position:
    """An open position of the account; raises NotFound."""
    rows = Position.objects.visible_to(principal).open().filter(account=account, pk=number)
    position = rows.first()
    if position is None:
        raise NotFound(
            "There is no such open position.",
            code="position_not_found",
            details={"position_id": number},
        )
    return position


def _locked(principal: Principal, account: Account, number: int, moves: Moves) -> Position:
    """The position as this transaction folds it."""
    named = _named(principal, account, number)
    rows = moves.holdings.open_in(Stream(account.pk, named.book, named.symbol))
    return next(row for row in rows if row.pk == number)


def _demand_opposite(account: Account, position: Position, by: Position) -> None:
    """Raise Conflict or Invalid for positions that cannot be closed against each other."""
    if not is_hedging(account):
        raise Conflict("A netting account has one position per symbol.", code="account_not_hedging")
    if is_per_side(account):
        raise Conflict(
            "The exchange holds both sides itself: close each with an order.",
            code="venue_hedge_mode",
        )
    if not (position.allocated and by.allocated):
        raise Conflict(
            "Nobody owns one of these positions yet: reassign its deals first.",
            code="position_not_reconciled",
        )
    place = (position.symbol, position.book)
    if place != (by.symbol, by.book) or position.side == by.side:
        raise Invalid(
            "Only opposite positions of one symbol close each other.",
            code="positions_not_opposite",
            fields={"payload.position_id_b": "must be on the other side of the same symbol"},
        )
    _demand_no_close((position, by))


def _demand_no_close(positions: Iterable[Position]) -> None:
    running = Order.objects.live().filter(
        position__in=list(positions), reduce_only=True, is_protective=False
    )
    order_id = running.values_list("pk", flat=True).first()
    if order_id is not None:
        raise Conflict(
            "A close of one of these positions is running.",
            code="position_close_in_progress",
            details={"order_id": order_id},
        )


def _quantity(
    account: Account, position: Position, by: Position, wanted: Decimal | None
) -> Decimal:
    """What both legs give up; raises Invalid for more than they have or a fraction of a step."""
    most: Decimal = min(position.quantity, by.quantity)
    if wanted is None or wanted == most:
        return most
    if wanted > most:
        raise Invalid(
            "More than one of the positions holds.",
            code="quantity_above_position",
            fields={"payload.qty": f"at most {plain(most)}"},
        )
    rules = stored_rules(account, position.symbol)
    if rules is not None and floored(wanted, rules.amount_step) != wanted:
        raise Invalid(
            "The quantity is not a multiple of the venue's step.",
            code="off_precision",
            fields={"payload.qty": f"must be a multiple of {plain(rules.amount_step)}"},
        )
    return wanted


def _book(command: Command, pair: _Pair, moves: Moves) -> None:
    """Fold the two legs; their ids follow from the command's."""
    price: Decimal = pair.by.average_price
    for number, position in enumerate((pair.position, pair.by), start=1):
        deal = Deal(
            organisation_id=command.organisation_id,
            account=command.account,
            book=position.book,
            position=position,
            symbol=position.symbol,
            side="sell" if position.side == "buy" else "buy",
            quantity=pair.quantity,
            net_quantity=pair.quantity,
            price=price,
            magic_id=_owner(position, moves),
            reason=INTERNAL,
            exchange_trade_id=f"cb:{command.pk}:{number}",
            executed_at=now(),
        )
        fold_deal(deal, moves)
        deal.entry = Deal.Entry.OUT_BY


def _owner(position: Position, moves: Moves) -> int:
    """Whose share is taken first: the largest one's owner."""
    shares = [each for each in moves.holdings.figures(position).shares if each.quantity > ZERO]
    return max(shares, key=lambda each: (each.quantity, -each.magic_id)).magic_id


def _event(pair: _Pair) -> NewEvent:
    return NewEvent(
        "close_by.executed",
        pair.position.organisation_id,
        (f"account:{pair.position.account_id}",),
        {
            "account_id": pair.position.account_id,
            "symbol": pair.position.symbol,
            "position_id_a": pair.position.pk,
            "position_id_b": pair.by.pk,
            "quantity": plain(pair.quantity),
            "price": plain(pair.by.average_price),
        },
    )


def _shown(position: Position) -> dict[str, Any]:
    return {
        "position_id": position.pk,
        "side": position.side,
        "quantity": plain(position.quantity),
        "average_price": plain(position.average_price),
        "realised": plain(position.realised),
    }
