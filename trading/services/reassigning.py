"""Reassign: giving deals and orders another owner, or another position, after the fact."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts.models import Account
from common.errors import Conflict, Invalid, NotFound
from common.money import plain
from common.principal import Principal
from events.log import NewEvent, audit, publish_all
from trading import states
from trading.models import Deal, Order, Position

from .announce import position_event
from .chains import Sorting, place_of
from .closing_by import INTERNAL
from .fills import locked_cursor
from .folding import DUST
from .owners import is_known_owner
from .pursuing import demand_right
from .refolding import figures
from .venue_marks import holding_at_venue, is_per_side

MAX_IDS = 1000


@dataclass(frozen=True, slots=True)
class Wish:
    """Which deals and orders get which owner and position; 0 leaves the position to the account's
    own rule. ``reason`` is why, where ``override`` takes them from another owner.
    """

    deal_ids: Collection[int] = ()
    order_ids: Collection[int] = ()
    magic_id: int = 0
    position_id: int = 0
    override: bool = False
    reason: str = ""


@dataclass(slots=True)
class Reassigned:
    """How many rows changed, and each position's figures before and after."""

    deals: int = 0
    orders: int = 0
    positions: list[dict[str, Any]] = field(default_factory=list)


def reassign(
    *, principal: Principal, account: Account, wish: Wish, preview: bool = False
) -> Reassigned:
    """Change the attribution of deals (and of orders with all their deals), and fold the positions
    concerned anew; with ``preview`` tell what would become of them and change nothing.

    What is asked for already so is left alone, so a repeat changes nothing. Facts of deals never
    change, and no sum over account and symbol moves. One transaction under the locks of the streams
    and the account. Raises Denied, NotFound (``deal_not_found``, ``order_not_found``,
    ``position_not_found``), Invalid, Conflict (``already_owned``, ``internal_deal``,
    ``order_not_finished``, ``position_close_in_progress``, ``position_would_turn``).
    """
    _demand_sense(account, wish)
    demand_right(principal, account, account.book)
    with transaction.atomic():
        result = _carry_out(principal, account, wish)
        if preview:
            transaction.set_rollback(True)
    return result


def _demand_sense(account: Account, wish: Wish) -> None:
    faults = {
        name: f"at most {MAX_IDS}"
        for name in ("deal_ids", "order_ids")
        if len(getattr(wish, name)) > MAX_IDS
    }
    if not is_known_owner(account.organisation_id, wish.magic_id):
        faults["target_magic_id"] = "nobody has this number"
    if wish.override and not wish.reason:
        faults["reason"] = "is required with override"
    if faults:
        raise Invalid("The reassignment is not acceptable.", fields=faults)


def _carry_out(principal: Principal, account: Account, wish: Wish) -> Reassigned:
    target = _target(account, wish)
    orders = _orders(account, wish)
    chosen = _deals(account, wish)
    for book in {each.book for each in orders} | {each.book for each in chosen}:
        demand_right(principal, account, book)
    _hold(account, {each.symbol for each in orders} | {each.symbol for each in chosen})
    orders, chosen = _orders(account, wish), _deals(account, wish)
    _demand_movable(orders, chosen, target)
    sorting = Sorting(account, target)
    moving = [deal for deal in chosen if _changes(deal, wish, sorting)]
    _demand_unowned(moving, wish)
    before = _ownership(moving, orders)
    result = Reassigned(deals=len(moving))
    if moving:
        _demand_quiet(sorting.concerned(moving))
        result.positions = _refold(account, sorting, moving, wish)
    result.orders = _relabel(orders, wish)
    if result.deals or result.orders:
        _tell(principal, account, wish, before, result)
    return result


def _target(account: Account, wish: Wish) -> Position | None:
    if not wish.position_id:
        return None
    row = Position.objects.filter(account=account, pk=wish.position_id).first()
    if row is None:
        raise NotFound("There is no such position.", code="position_not_found")
    if not row.allocated:
        raise Invalid(
            "Nobody owns this position.",
            code="invalid_position_id",
            fields={"target_position_id": "is not one of ours"},
        )
    return row


def _orders(account: Account, wish: Wish) -> list[Order]:
    rows = list(Order.objects.filter(account=account, pk__in=wish.order_ids).order_by("pk"))
    _demand_all(wish.order_ids, rows, "order")
    return rows


def _deals(account: Account, wish: Wish) -> list[Deal]:
    """The deals that were named, and all deals of the orders that were."""
    rows = Deal.objects.filter(account=account).select_related("position").order_by("pk")
    named = list(rows.filter(pk__in=wish.deal_ids))
    _demand_all(wish.deal_ids, named, "deal")
    of_orders = rows.filter(order__in=wish.order_ids)
    return sorted({each.pk: each for each in (*named, *of_orders)}.values(), key=lambda d: d.pk)


def _demand_all(wanted: Collection[int], rows: Sequence[Deal | Order], kind: str) -> None:
    missing = sorted(set(wanted) - {row.pk for row in rows})
    if missing:
        raise NotFound(
            f"There is no such {kind}.",
            code=f"{kind}_not_found",
            details={f"{kind}_ids": missing[:20]},
        )


def _hold(account: Account, symbols: Collection[str]) -> None:
    """The locks of imports, in their order, and of submissions."""
    for symbol in sorted(symbols):
        locked_cursor(account, symbol)
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)


def _demand_movable(
    orders: Iterable[Order], deals: Iterable[Deal], target: Position | None
) -> None:
    for order in orders:
        if order.state not in states.TERMINAL:
            raise Conflict(
                "The order is not finished.",
                code="order_not_finished",
                details={"order_id": order.pk, "state": order.state},
            )
    for deal in deals:
        if deal.reason in (INTERNAL, DUST):
            raise Conflict(
                "The deal moves quantity inside the account.",
                code="internal_deal",
                details={"deal_id": deal.pk},
            )
        if target is not None and (deal.symbol, deal.book) != (target.symbol, target.book):
            raise Invalid(
                "The position is of another symbol.",
                code="invalid_position_id",
                fields={"target_position_id": f"is not of {deal.symbol}"},
            )


def _changes(deal: Deal, wish: Wish, sorting: Sorting) -> bool:
    """Whether a deal is not yet as it shall be."""
    is_here = sorting.destination(deal) == place_of(deal)
    return not (deal.reconciled and deal.magic_id == wish.magic_id and is_here)


def _demand_unowned(deals: Iterable[Deal], wish: Wish) -> None:
    owned = [each.pk for each in deals if each.reconciled and each.magic_id]
    if owned and not wish.override:
        raise Conflict(
            "Some of the deals have an owner: override, and say why.",
            code="already_owned",
            details={"deal_ids": owned[:20]},
        )


def _demand_quiet(positions: Iterable[Position]) -> None:
    """Raise Conflict while orders of these positions are under way."""
    running = Order.objects.live().filter(position__in=list(positions))
    order_id = running.values_list("pk", flat=True).first()
    if order_id is not None:
        raise Conflict(
            "An order of one of these positions is running.",
            code="position_close_in_progress",
            details={"order_id": order_id},
        )


def _refold(
    account: Account, sorting: Sorting, moving: Sequence[Deal], wish: Wish
) -> list[dict[str, Any]]:
    before = figures(sorting.concerned(moving))
    sides = [_venue_side(deal) for deal in moving]
    for deal in moving:
        deal.magic_id, deal.reconciled = wish.magic_id, True
    after = [row for chain in sorting.chains(moving) for row in chain.refold()]
    if is_per_side(account):
        _demand_sides(moving, sides)
    publish_all([position_event(row, {wish.magic_id}) for row in after])
    now_there = figures(after)
    return [
        {
            "position_id": number,
            "before": _shown(before.get(number)),
            "after": _shown(now_there.get(number)),
        }
        for number in sorted(before.keys() | now_there.keys())
    ]


def _venue_side(deal: Deal) -> str:
    """On which side the venue has a deal; empty where nobody told."""
    return holding_at_venue(deal.position).venue_side if deal.position else ""


def _demand_sides(deals: Iterable[Deal], sides: Iterable[str]) -> None:
    """Raise Invalid where a deal has left the side on which its venue has it."""
    if any(side not in ("", _venue_side(deal)) for deal, side in zip(deals, sides, strict=True)):
        raise Invalid(
            "The exchange has the deal on the other side.",
            code="invalid_position_id",
            fields={"target_position_id": "must be on the side on which the exchange has the deal"},
        )


def _shown(figure: tuple[Any, ...] | None) -> dict[str, str] | None:
    if figure is None:
        return None
    state, *numbers = figure
    names = ("quantity", "avg_price", "realised_pnl")
    return {"state": state} | dict(zip(names, map(plain, numbers), strict=True))


def _relabel(orders: Iterable[Order], wish: Wish) -> int:
    """Give the orders the owner and the position of their deals; returns how many changed."""
    changed = 0
    for order in orders:
        order.refresh_from_db(fields=["position", "magic_id"])
        last = Deal.objects.filter(order=order).order_by("-pk").first()
        position_id = last.position_id if last else order.position_id
        if (order.magic_id, order.position_id) == (wish.magic_id, position_id):
            continue
        Order.objects.filter(pk=order.pk).update(magic_id=wish.magic_id, position=position_id)
        changed += 1
    return changed


def _ownership(deals: Iterable[Deal], orders: Iterable[Order]) -> dict[str, Any]:
    """Owner and position as they are, by row."""
    return {
        "deals": {each.pk: [each.magic_id, each.position_id] for each in deals},
        "orders": {each.pk: [each.magic_id, each.position_id] for each in orders},
    }


def _tell(
    principal: Principal,
    account: Account,
    wish: Wish,
    before: dict[str, Any],
    result: Reassigned,
) -> None:
    after = {
        "magic_id": wish.magic_id,
        "position_id": wish.position_id,
        "reason": wish.reason,
        "positions": result.positions,
    }
    target = f"account:{account.pk}"
    audit(principal, "ledger.reassigned", target=target, before=before, after=after)
    publish_all([_event(account, wish, result)])


def _event(account: Account, wish: Wish, result: Reassigned) -> NewEvent:
    return NewEvent(
        "ledger.reassigned",
        account.organisation_id,
        (f"account:{account.pk}", f"magic:{wish.magic_id}"),
        {
            "account_id": account.pk,
            "magic_id": wish.magic_id,
            "deals_updated": result.deals,
            "orders_updated": result.orders,
        },
    )
