"""Protective orders: stop-loss, take-profit and trailing stop behind what an owner holds.

One set per owner and position, brought to what it should be whenever something happens and by a
sweep: the legs that the venue takes rest there as reduce-only orders of the whole share, the others
are watched (see ``watching``). An exit withdraws them first, a fill resizes them, the end of the
share ends them. An order of which nothing is known yet is waited for, never doubled. A set that is
not what it should be says so in its state and raises an alert.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db import transaction

from accounts.books import SIMULATED, mode_of
from accounts.models import Account
from common.clock import now
from common.errors import Conflict
from common.money import ZERO, floored
from common.principal import Principal, system_principal
from exchanges.protocol import MarketRules
from trading import states
from trading.brackets import STOP, TARGET, Leg, Place, tighter, trailed, wanted_legs
from trading.models import Command, Order, Position, Protection

from .cancelling import request_cancel
from .commands import submit
from .exits import closes_of, held_by
from .fills import hold_streams
from .folding import is_hedging
from .guarding import note
from .intents import LOT, OrderIntent
from .market_view import stored_rules, stored_view
from .settlement import quirks_of_account
from .venue_marks import is_taken_as_reducing

State = Protection.State
PLACING_PATIENCE = timedelta(seconds=15)
WATCH_IS_FRESH = timedelta(seconds=15)
REFUSAL_COUNTS_FOR = timedelta(minutes=2)
LONGEST_PAUSE = 60
# Why an order of ours may have been taken back without anything being wrong.
HARMLESS = frozenset({"nothing_to_close", "exit_under_way", "cancelled_before_sending"})
PRINCIPAL = "protection:"
KINDS = {"limit": TARGET, "stop_loss": STOP}


@dataclass(frozen=True, slots=True)
class Sight:
    """A set and what stands around it, read under the stream's lock. ``held`` is what the owner
    holds at the venue's step, ``live`` the set's own orders, ``closes`` exits under way.
    """

    row: Protection
    position: Position
    account: Account
    rules: MarketRules | None
    held: Decimal
    live: tuple[Order, ...]
    closes: tuple[Order, ...]

    @property
    def principal(self) -> Principal:
        """Who the set's orders are made by."""
        return system_principal(self.position.organisation_id, f"{PRINCIPAL}{self.row.pk}")

    @property
    def legs(self) -> tuple[Leg, ...]:
        """What the set should consist of now; nothing rests while an exit is under way."""
        if self.rules is None or not self.held:
            return ()
        row, account, side = self.row, self.account, self.position.side
        stop = row.stop_price
        if row.trail and row.best_price is not None:
            step = self.rules.price_step
            follower = trailed(row.trail, row.best_price, side=side, step=step)
            stop = tighter(stop, follower, side=side)
        may_rest = not self.closes and is_taken_as_reducing(self.position, self.held)
        return wanted_legs(
            stop,
            row.target_price,
            Place(
                may_rest,
                triggers_at(account),
                holds_funds=account.market_type == Account.MarketType.SPOT,
            ),
        )


def triggers_at(account: Account) -> bool:
    """Whether the account's venue keeps triggered orders where they can be followed."""
    if account.book in SIMULATED:
        return True
    return account.market_type in quirks_of_account(account).triggers


def converge(position_id: int) -> None:
    """Bring every set of a position to what it should be. Safe to repeat at any time."""
    owners = Protection.objects.active().filter(position=position_id)
    for magic_id in owners.order_by("magic_id").values_list("magic_id", flat=True):
        _converge_one(position_id, magic_id)


@transaction.atomic
def _converge_one(position_id: int, magic_id: int) -> None:
    sight = look(position_id, magic_id)
    if sight is not None:
        note(sight.row, *_tended(sight))


def look(position_id: int, magic_id: int) -> Sight | None:
    """A set that has not ended, locked together with its stream; None where there is none."""
    stream = Position.objects.filter(pk=position_id).values_list("account_id", "symbol")
    hold_streams(stream)
    row = (
        Protection.objects.active()
        .select_for_update(of=("self",), no_key=True)
        .select_related("position__account")
        .filter(position=position_id, magic_id=magic_id)
        .first()
    )
    if row is None:
        return None
    position = row.position
    rules = stored_rules(position.account, position.symbol)
    is_open = position.state == Position.State.OPEN
    held = held_by(position, magic_id) if is_open else ZERO
    live = Order.objects.live().filter(position=position, magic_id=magic_id, is_protective=True)
    return Sight(
        row=row,
        position=position,
        account=position.seat,
        rules=rules,
        held=floored(held, rules.amount_step) if rules else held,
        live=tuple(live.select_related("account").order_by("pk")),
        closes=tuple(closes_of(position, magic_id)),
    )


def _tended(sight: Sight) -> tuple[str, str]:
    """Do what is missing, and tell how the set stands: its state and why."""
    legs = sight.legs
    kept = {leg.kind: order for leg in legs if (order := _kept(sight, leg)) is not None}
    strays = [order for order in sight.live if order not in kept.values()]
    if not sight.closes:  # an exit takes the orders away that stand in its way
        for order in strays:
            withdraw(sight.principal, order)
    if not sight.held:
        return (State.PLACING, "withdrawing") if sight.live else (State.ENDED, "")
    if sight.rules is None:
        return State.MISSING, "market_unavailable"
    found = [
        verdict
        for leg in legs
        if (verdict := _verdict(sight, leg, kept.get(leg.kind), strays)) is not None
    ]
    return _worst(sight, found) if found else (State.ENDED, "")


def _kept(sight: Sight, leg: Leg) -> Order | None:
    """The order that is this leg already."""
    if not leg.at_venue:
        return None
    for order in sight.live:
        price = order.price if leg.kind == TARGET else order.stop_price
        is_right = price == leg.price and order.remaining == sight.held
        is_staying = order.state != states.PENDING_CANCEL and order.cancel_requested_at is None
        if KINDS.get(order.type) == leg.kind and is_right and is_staying:
            return order
    return None


def _verdict(
    sight: Sight, leg: Leg, order: Order | None, strays: list[Order]
) -> tuple[str, str] | None:
    """How one leg stands, after placing it where that is due; None where a person took it away."""
    if not leg.at_venue:
        return _watched(sight, leg)
    if order is not None:
        if order.state == states.NEEDS_OPERATOR:
            return State.MISSING, "needs_operator"
        is_working = order.state in states.WORKING
        return (State.PROTECTED, "") if is_working else (State.PLACING, "under_way")
    is_spot = sight.account.market_type == Account.MarketType.SPOT
    if any(is_spot or KINDS.get(stray.type) == leg.kind for stray in strays):
        return State.PLACING, "replacing"
    return _placed(sight, leg)


def _watched(sight: Sight, leg: Leg) -> tuple[str, str]:
    """How a leg stands that we hold the price against: lately, and its exit was not refused."""
    row = sight.row
    exits = Order.objects.filter(position=sight.position, magic_id=row.magic_id, reason=leg.kind)
    since = now() - REFUSAL_COUNTS_FOR
    refused = exits.filter(
        is_protective=False, state__in=states.NEVER_WORKED, finished_at__gte=since
    )
    last = refused.exclude(error_code__in=HARMLESS).order_by("-pk").first()
    if last is not None:
        return State.MISSING, last.error_code
    is_fresh = row.watched_at is not None and now() - row.watched_at < WATCH_IS_FRESH
    return (State.PROTECTED, "") if is_fresh else (State.PLACING, "not_watched")


def _worst(sight: Sight, found: list[tuple[str, str]]) -> tuple[str, str]:
    """The state of a set by those of its legs. What takes too long, or has failed before, is
    missing until it works.
    """
    row = sight.row
    for wanted in (State.MISSING, State.PLACING):
        problem = next((why for state, why in found if state == wanted), None)
        if problem is None:
            continue
        is_late = row.state == State.PLACING and now() - row.since > PLACING_PATIENCE
        if is_late or row.failures or row.state == State.MISSING:
            return State.MISSING, row.problem if row.failures and row.problem else problem
        return wanted, problem
    if not sight.closes:
        row.failures, row.next_attempt_at = 0, None
    return State.PROTECTED, ""


def _placed(sight: Sight, leg: Leg) -> tuple[str, str] | None:
    """Submit a leg, unless a person has cancelled it or the venue has just refused it."""
    row = sight.row
    last = _last(sight, leg)
    if last is not None and _was_taken_away(last):
        give_up(row, leg.kind)
        return None
    failed = (
        last is not None and last.state in states.NEVER_WORKED and last.error_code not in HARMLESS
    )
    if failed and last is not None:
        row.problem = last.error_code
    if (failed or row.failures) and row.next_attempt_at and now() < row.next_attempt_at:
        return State.MISSING, row.problem
    row.failures += failed
    row.next_attempt_at = now() + pause_after(row.failures)
    code = make_order(
        sight,
        kind=leg.kind,
        type="limit" if leg.kind == TARGET else "stop_loss",
        quantity=sight.held,
        price=leg.price if leg.kind == TARGET else None,
        stop_price=leg.price if leg.kind == STOP else None,
        is_protective=True,
    )
    if not code:
        return State.PLACING, "under_way"
    row.problem = code
    row.failures += 1
    return State.MISSING, code


def pause_after(failures: int) -> timedelta:
    """How long an attempt is given before the next one, after so many that did not come to work."""
    return timedelta(seconds=min(2 ** min(failures + 1, 10), LONGEST_PAUSE))


def _last(sight: Sight, leg: Leg) -> Order | None:
    """The newest order that was this leg, of those made since the set began."""
    orders = Order.objects.filter(
        position=sight.position, magic_id=sight.row.magic_id, is_protective=True
    )
    kinds = [name for name, kind in KINDS.items() if kind == leg.kind]
    return orders.filter(type__in=kinds, pk__gt=sight.row.entry_id or 0).order_by("-pk").first()


def _was_taken_away(order: Order) -> bool:
    """Whether a person, not the set itself, has cancelled an order."""
    if order.state not in (states.CANCELED, states.WITHDRAWN):
        return False
    wishes = Command.objects.filter(
        account=order.account_id,
        kind=Command.Kind.CANCEL_ORDER,
        payload__order_id=order.pk,
    )
    return wishes.exclude(principal_key__startswith=PRINCIPAL).exists()


def give_up(row: Protection, kind: str) -> None:
    """Wish for a leg no longer."""
    row.is_fixed = True
    if kind == TARGET:
        row.target_price = None
    else:
        row.stop_price, row.trail, row.best_price = None, "", None


def withdraw(principal: Principal, order: Order) -> None:
    """Take an order back, once; a worker pursues that."""
    if order.cancel_requested_at is None and order.state != states.PENDING_CANCEL:
        try:
            request_cancel(principal=principal, order=order)
        except Conflict:
            return  # finished meanwhile


def make_order(
    sight: Sight,
    *,
    kind: str,
    type: str = "market",
    quantity: Decimal | None = None,
    price: Decimal | None = None,
    stop_price: Decimal | None = None,
    is_protective: bool = False,
) -> str:
    """Submit an exit of the owner's share; returns the code that refused it, empty when none did.

    The set's ``revision`` makes it one command whatever happens; the caller's transaction holds the
    set.
    """
    row, position = sight.row, sight.position
    row.revision += 1
    execution = submit(
        principal=sight.principal,
        intents=[
            OrderIntent(
                account_id=sight.account.pk,
                symbol=position.symbol,
                side="sell" if position.side == "buy" else "buy",
                type=type,
                quantity=quantity,
                price=price,
                stop_price=stop_price,
                reduce_only=True,
                exit_scope=LOT,
                position_id=position.pk if is_hedging(sight.account) else 0,
                is_protective=is_protective,
                magic_id=row.magic_id,
                reason=kind,
                mode=mode_of(position.book),
                request_id=f"protect:{row.pk}:{row.revision}",
            )
        ],
        source="protection",
        source_ref=str(row.pk),
        markets=stored_view(sight.account, position.symbol),
    )
    refused = Command.objects.filter(execution=execution).exclude(reason_code="").first()
    return refused.reason_code if refused else ""
