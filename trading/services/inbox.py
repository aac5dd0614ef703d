"""The inbox of external trades: what somebody did at the exchange beside the platform.

Each order that no row of ours explains has a position of its own until an operator adopts it,
gives it to an owner, flattens it, or leaves it as it is.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.models import Account
from common.clock import now
from common.errors import Conflict, Denied, Invalid, NotFound
from common.money import ZERO, plain
from common.principal import TRADE, Principal
from events.log import audit
from monitoring.alerts import resolve_alerts
from trading.models import Deal, Execution, Order, Position
from trading.positions import Fill, Holding, apply_fill

from .admission import FLATTEN
from .closing import raise_refusal
from .commands import submit
from .fills import locked_cursor
from .folding import EXTERNAL_ALERT, RECONCILE, external_subject, fold_deal, is_hedging
from .holdings import holding_of
from .intents import POSITION, exit_of, payload_hash
from .owners import demand_known_owner
from .transitions import Moves


@dataclass(frozen=True, slots=True)
class Preview:
    """What an adoption would do to the account's own position; None where there is none."""

    before: Holding | None
    after: Holding | None

    def as_text(self) -> str:
        """For a person, in one line."""
        return f"own position: {_told(self.before)} → {_told(self.after)}"


def preview_adoption(position: Position, *, magic_id: int = 0) -> Preview:
    """What :func:`adopt` would do now; writes nothing and holds no lock."""
    own = None if is_hedging(position.account) else _own_position(position)
    before = holding_of(own) if own else None
    fill = Fill(position.side, position.quantity, position.average_price, ZERO, magic_id)
    return Preview(before, apply_fill(before, fill).current)


def _told(holding: Holding | None) -> str:
    if holding is None or not holding.quantity:
        return "none"
    return f"{holding.side} {plain(holding.quantity)} @ {plain(holding.average)}"


def _own_position(position: Position) -> Position | None:
    rows = Position.objects.open().filter(
        account=position.account, book=position.book, symbol=position.symbol, allocated=True
    )
    return rows.first()


@transaction.atomic
def adopt(
    *, principal: Principal, position: Position, magic_id: int = 0, reason: str
) -> Position | None:
    """Move an external position into the account's own, as a lot of the owner ``magic_id`` (0 is
    manual); returns the own position that took it.

    Two internal deals at the external position's average price carry it over, so that neither
    quantity nor cash of the account changes; the exchange's deals stay where they are. In a netting
    account an opposite one reduces what is there. A repeat changes nothing. Holds the stream's
    import lock. Raises Denied, NotFound, Invalid ``unknown_owner`` or without a reason, Conflict
    ``external_settled``, ``position_close_in_progress``.
    """
    demand_known_owner(position.organisation_id, magic_id)
    row = _locked(principal, position, reason)
    earlier = Deal.objects.filter(
        account=row.account, book=row.book, symbol=row.symbol, exchange_trade_id=_name(row, "in")
    ).first()
    if earlier is not None and earlier.magic_id == magic_id:
        return earlier.position
    _demand_external(row)
    own = None if is_hedging(row.account) else _own_position(row)
    _demand_no_close(row, own)
    before = {"position": row.pk, "external_order_id": row.external_order_id, **_figures(row)}
    leaving, arriving = _transfer(row, magic_id)
    moves = Moves()
    fold_deal(leaving, moves, external_order_id=row.external_order_id)
    fold_deal(arriving, moves)
    moves.flush()
    after = {"magic_id": magic_id, "position": arriving.position_id, "reason": reason.strip()}
    _settled(principal, row, "external.adopted", before, after)
    return arriving.position


@transaction.atomic
def ignore(*, principal: Principal, position: Position, reason: str) -> None:
    """Leave an external position as it is, out of the inbox until it changes again; it goes on
    counting in what the account holds. Raises Denied, NotFound, Invalid, Conflict
    ``external_settled``.
    """
    row = _locked(principal, position, reason)
    _demand_external(row)
    if not Position.objects.waiting().filter(pk=row.pk).exists():
        return
    moment = now()
    Position.objects.filter(pk=row.pk).update(ignored_at=moment, updated_at=moment)
    before = {"position": row.pk, "external_order_id": row.external_order_id, **_figures(row)}
    _settled(principal, row, "external.ignored", before, {"reason": reason.strip()})


def flatten(
    *, principal: Principal, position: Position, reason: str, request_id: str = ""
) -> Execution:
    """Close an external position at the exchange by a market order that reduces nothing else; what
    the order brings is booked there.

    A repeat with the same ``request_id`` gives the first execution. Raises Denied, NotFound,
    Invalid without a reason, Conflict ``external_settled`` and whatever refuses the order.
    """
    correlation_id = None
    if request_id:
        key = {"principal": principal.key, "external": position.pk, "flatten": request_id}
        correlation_id = payload_hash(key)[:32]
    with transaction.atomic():
        row = _locked(principal, position, reason)
        executions = Execution.objects.filter(correlation_id=correlation_id or "")
        if not executions.exists():
            _demand_external(row)
            before = {"position": row.pk, **_figures(row)}
            audit(
                principal,
                "external.flatten",
                target=f"position:{row.pk}",
                before=before,
                after={"reason": reason.strip()},
            )
    execution = submit(
        principal=principal,
        intents=[
            exit_of(row, exit_scope=POSITION, position_id=row.pk, of_nobody=True, reason=FLATTEN)
        ],
        source="flatten",
        source_ref=str(row.pk),
        correlation_id=correlation_id,
        requested={"flatten": row.pk},
    )
    raise_refusal(execution)
    return execution


def _locked(principal: Principal, position: Position, reason: str) -> Position:
    """The position under its stream's import lock, if the principal may trade there."""
    if not reason.strip():
        raise Invalid("A reason is required.", fields={"reason": "required"})
    visible = Position.objects.visible_to(principal).filter(pk=position.pk)
    found = visible.select_related("account").first()
    if found is None:
        raise NotFound("There is no such position.", code="position_not_found")
    if not principal.may(TRADE, found.account_id):
        raise Denied("Your role does not allow this.", code="permission_denied")
    locked_cursor(found.account, found.symbol)
    found.refresh_from_db()
    return found


def _demand_external(row: Position) -> None:
    if row.allocated or row.state != Position.State.OPEN:
        raise Conflict("This was settled already.", code="external_settled")


def _demand_no_close(row: Position, own: Position | None) -> None:
    """Nothing that closes either of the two may be under way: it was measured by what is there."""
    concerned = [each.pk for each in (row, own) if each is not None]
    running = Order.objects.live().filter(
        position__in=concerned, reduce_only=True, is_protective=False
    )
    close = running.first()
    if close is not None:
        raise Conflict(
            "A close of this position is running.",
            code="position_close_in_progress",
            details={"order_id": close.pk},
        )


def _name(row: Position, leg: str) -> str:
    return f"adopt:{row.pk}:{leg}"


def _transfer(row: Position, magic_id: int) -> tuple[Deal, Deal]:
    """The deals that carry a position over: out of it, and in again for the owner."""
    away = "sell" if row.side == "buy" else "buy"
    return _leg(row, away, "out", 0), _leg(row, row.side, "in", magic_id)


def _leg(row: Position, side: str, leg: str, magic_id: int) -> Deal:
    account: Account = row.account
    return Deal(
        organisation_id=row.organisation_id,
        account=account,
        book=row.book,
        symbol=row.symbol,
        side=side,
        quantity=row.quantity,
        price=row.average_price,
        net_quantity=row.quantity,
        magic_id=magic_id,
        reason=RECONCILE,
        exchange_trade_id=_name(row, leg),
        executed_at=now(),
    )


def _figures(row: Position) -> dict[str, Any]:
    return {
        "symbol": row.symbol,
        "side": row.side,
        "quantity": plain(row.quantity),
        "average_price": plain(row.average_price),
    }


def _settled(
    principal: Principal, row: Position, action: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    audit(principal, action, target=f"position:{row.pk}", before=before, after=after)
    resolve_alerts(
        EXTERNAL_ALERT,
        organisation_id=row.organisation_id,
        subject=external_subject(row.account_id, row.symbol, row.external_order_id),
    )
