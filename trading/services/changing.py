"""Changing a working order's price or quantity: asked for and judged here, carried out by
``replacing``.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import IntegrityError, transaction

from accounts.models import Account
from common.clock import now
from common.errors import Conflict, Invalid
from common.money import EXACT, ZERO, floored, multiplied, plain
from common.principal import Principal
from exchanges.protocol import MarketRules
from riskmgmt.checks import Decision, OrderFacts, evaluate
from riskmgmt.limits import held_for, hold_instead
from trading import states
from trading.models import Command, Order, Position
from trading.sizing import Basis, fit_quantity

from .admission import FLATTEN, read_surroundings
from .exits import held_by, is_of_lot
from .intents import LOT, payload_hash
from .lanes import wake_sweep
from .market_view import MarketView, Seen, view_markets
from .pursuing import demand_right, finished_conflict, locked_order, repeated_command
from .transitions import Moves

MUTABLE = frozenset({states.OPEN, states.PARTIAL})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an order shall be: ``price`` in quote (None: it has none), ``quantity`` in total."""

    price: Decimal | None
    quantity: Decimal

    def left_of(self, order: Order) -> Decimal:
        """What the order shall still execute."""
        return EXACT.subtract(self.quantity, order.filled_quantity)

    def value_in(self, order: Order, price: Decimal | None) -> Decimal:
        """What that is worth in quote currency: at its own price, else at ``price``."""
        valued_at = self.price or order.stop_price or price or order.reference_price or ZERO
        return multiplied(self.left_of(order), valued_at)


def request_change(
    *,
    principal: Principal,
    order: Order,
    new_price: Decimal | None = None,
    new_quantity: Decimal | None = None,
    request_id: str = "",
    markets: MarketView | None = None,
) -> Command:
    """Write down that a working order shall have another price or total quantity; a worker pursues
    it after the commit. ``order`` is read with its account and command.

    The changed order is judged like a new one of what is left to execute; a refusal makes a denied
    command and moves nothing. A repeat with the same ``request_id`` gives the first command. Raises
    Denied, Conflict (``order_finished``, ``order_not_mutable``, ``already_filled``,
    ``idempotency_mismatch``), Invalid. Asks the venue about the market (unless given) before the
    transaction.
    """
    demand_right(principal, order.account, order.book)
    payload = _payload(order, new_price, new_quantity)
    if (earlier := repeated_command(principal, order.account, request_id, payload)) is not None:
        return earlier
    markets = markets or view_markets([order.account], {order.symbol})
    wanted = new_price, new_quantity
    try:
        return _write(principal, order, wanted, payload, request_id, markets)
    except IntegrityError:
        # The id was given to another command at the same moment: that is told now.
        earlier = repeated_command(principal, order.account, request_id, payload)
        if earlier is None:
            raise
        return earlier


def _payload(order: Order, price: Decimal | None, quantity: Decimal | None) -> dict[str, Any]:
    payload: dict[str, Any] = {"order_id": order.pk}
    if price is not None:
        payload["new_price"] = plain(price)
    if quantity is not None:
        payload["new_qty"] = plain(quantity)
    # An order that stands in for this one has this command and closes what this one closes.
    return {**payload, "exit_scope": LOT} if is_of_lot(order) else payload


@transaction.atomic
def _write(
    principal: Principal,
    order: Order,
    asked: tuple[Decimal | None, Decimal | None],
    payload: dict[str, Any],
    request_id: str,
    markets: MarketView,
) -> Command:
    """Command, reservation and the order's new state in one transaction."""
    row = locked_order(order)
    if (earlier := repeated_command(principal, row.account, request_id, payload)) is not None:
        return earlier
    wanted = _wanted(row, *asked)
    seen = markets.of(row.account, row.symbol)
    _demand_fitting(row, wanted, seen)
    account = Account.objects.select_for_update(no_key=True).get(pk=row.account_id)
    decision = judge_change(row, wanted, account, seen.price)
    command = Command.objects.create(
        organisation_id=row.organisation_id,
        account_id=row.account_id,
        principal_key=principal.key,
        request_id=request_id or f"change:{row.pk}:{uuid4().hex[:12]}",
        payload_sha256=payload_hash(payload),
        kind=Command.Kind.CHANGE_ORDER,
        payload=payload,
        state=Command.State.ACCEPTED if decision.allowed else Command.State.DENIED,
        reason_code=decision.code,
        decision=decision.as_json(),
    )
    if decision.allowed:
        _begin(row, command, wanted, seen.price)
        order.state, order.version = row.state, row.version
    return command


def _begin(row: Order, command: Command, wanted: Wanted, price: Decimal | None) -> None:
    # Until it is settled the venue may execute either the old quantity or the new one.
    hold_instead(row.uid, max(held_for(row.uid), wanted.value_in(row, price)))
    moves = Moves()
    moves.move(
        row,
        states.PENDING_REPLACE,
        cause="change",
        details=command.payload,
        change=command,
        wanted_price=wanted.price,
        wanted_quantity=wanted.quantity,
        change_sent_at=None,
        next_attempt_at=now(),
        error_code="",
        error_message="",
    )
    moves.flush()
    wake_sweep(row.account_id)


def _wanted(row: Order, new_price: Decimal | None, new_quantity: Decimal | None) -> Wanted:
    """What the order shall be; raises Conflict for an order that cannot be changed now, Invalid for
    a change that is none.
    """
    if row.state in states.TERMINAL:
        raise finished_conflict(row)
    if row.is_protective:
        raise Conflict(
            "A protective order follows its position's set: change that instead.",
            code="order_is_protective",
        )
    if row.state not in MUTABLE or row.cancel_requested_at is not None:
        raise Conflict(
            "The order cannot be changed now.",
            code="order_not_mutable",
            details={"state": row.state},
        )
    if new_price is not None and row.price is None:
        raise Invalid(
            "Only an order with a price can get another one.",
            fields={"payload.new_price": "the order has no price"},
        )
    wanted = Wanted(new_price or row.price, new_quantity or row.quantity)
    if wanted == Wanted(row.price, row.quantity):
        raise Invalid("Nothing would change.", code="nothing_to_change")
    if wanted.quantity <= row.filled_quantity:
        raise Conflict(
            "As much is filled already: cancel the rest instead.",
            code="already_filled",
            details={"filled": plain(row.filled_quantity)},
        )
    return wanted


def _demand_fitting(row: Order, wanted: Wanted, seen: Seen) -> None:
    """Raise Invalid for what the venue would not take, or a close that exceeds its position."""
    rules = seen.rules
    if rules is None or (seen.price is None and not row.reduce_only):
        raise Conflict(seen.message or "The market is not known.", code=seen.code)
    _demand_steps(rules, wanted)
    left = wanted.left_of(row)
    if row.reduce_only:
        if wanted.quantity > row.quantity:
            _demand_held(row, left)
        return
    price = wanted.price or row.stop_price or seen.price or ZERO
    fitting = fit_quantity(left, Basis(rules=rules, price=price, equity=ZERO))
    if fitting.code:
        raise Invalid(fitting.message, code=fitting.code, fields={"payload": fitting.message})


def _demand_steps(rules: MarketRules, wanted: Wanted) -> None:
    pairs = (
        ("new_price", wanted.price, rules.price_step),
        ("new_qty", wanted.quantity, rules.amount_step),
    )
    for name, value, step in pairs:
        if value is not None and floored(value, step) != value:
            raise Invalid(
                "Not a multiple of the venue's step.",
                code="off_precision",
                fields={f"payload.{name}": f"must be a multiple of {plain(step)}"},
            )


def _demand_held(row: Order, left: Decimal) -> None:
    position = Position.objects.open().filter(pk=row.position_id or 0).first()
    held = ZERO
    if position is not None:
        held = held_by(position, row.magic_id) if is_of_lot(row) else position.quantity
    if left > held:
        raise Invalid(
            "More than the position holds.",
            code="quantity_above_position",
            fields={"payload.new_qty": f"at most {plain(held + row.filled_quantity)}"},
        )


def judge_change(
    order: Order, wanted: Wanted, account: Account, price: Decimal | None = None
) -> Decision:
    """Whether the order may be what is wanted, as the checks see a new order of what is left. What
    it holds itself does not count against it.
    """
    value = wanted.value_in(order, price)
    facts = OrderFacts(
        side=order.side,
        quantity=wanted.left_of(order),
        notional=value or None,
        price=wanted.price,
        reduce_only=order.reduce_only,
        is_operator_flatten=order.reason == FLATTEN,
    )
    situation = read_surroundings([account], {order.symbol})[order.symbol].situation(
        account.in_book(order.book),
        side=order.side,
        magic_id=order.magic_id,
        reference_price=price or order.reference_price,
        own_reserved=held_for(order.uid),
    )
    return evaluate(facts, situation)
