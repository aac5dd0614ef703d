"""Carrying changes out. Where the venue changes an order in place it is asked for that once; else
the order is cancelled, and once the venue has proven that, another one takes its place for what is
left. Only what the venue says of the order afterwards is believed.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.books import SIMULATED
from accounts.models import Account
from common.clock import now
from common.crash import crash_point
from common.errors import DomainError
from common.money import ZERO
from exchanges.gateway import gateway, gathered
from exchanges.outcomes import NOT_SENT, REFUSED, VenueError
from exchanges.protocol import VenueOrder
from riskmgmt.limits import hold_instead
from trading import states
from trading.models import Order

from .cancelling import ROUND_TIMEOUT, cancel_and_look
from .changing import Wanted, judge_change
from .lanes import EVERYWHERE, Condition, wake_sweep
from .pursuing import claim_pursuit, locked_order
from .settlement import (
    RETRY_NOT_SENT_FOR,
    TRANSIENT,
    acceptance_bound,
    quirks_of_account,
    settle_found,
    suspend_moved,
)
from .substitutes import NO_CHANGE, conclude_change
from .transitions import Moves
from .venue_access import account_ref, order_request

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the venue says of an order after it was asked, and how it answered the request."""

    found: VenueOrder | None
    error: VenueError | None = None


def pursue_changes(mine: Condition = EVERYWHERE) -> None:
    """Carry out all changes that are due, as far as their venues let; part of the sweep."""
    claimed = claim_pursuit(states.PENDING_REPLACE, mine)
    if claimed:
        carry_out(claimed)


def carry_out(orders: Sequence[Order]) -> None:
    """Ask the venues of orders read with their accounts, look, and write down what came of it."""
    steps = [(order, step) for order in orders if (step := _next_step(order)) is not None]
    deadline = time.monotonic() + settings.EXECUTION_SEND_BUDGET_MS / 1000
    answers = gateway().run(
        gathered(_act(order, step, deadline) for order, step in steps), timeout=ROUND_TIMEOUT
    )
    for (order, _), answer in zip(steps, answers, strict=True):
        if isinstance(answer, _Look):
            _settle(order, answer)
        elif isinstance(answer, (VenueError, DomainError)):
            logger.warning("change of order %s: %s", order.pk, answer.code)
            suspend_moved(order.account, answer)
        elif isinstance(answer, BaseException):
            logger.error("change of order %s failed", order.pk, exc_info=answer)


_CANCEL, _EDIT, _LOOK = "cancel", "edit", "look"


def is_changed_in_place(order: Order) -> bool:
    """Whether the order's venue changes it in place: its kind there, with the quirks' word."""
    account: Account = order.account
    if order.book in SIMULATED or order.type != "limit" or not order.exchange_order_id:
        return False
    return account.market_type in quirks_of_account(account).edits


@transaction.atomic
def _next_step(order: Order) -> str | None:
    """What to ask the venue for now, stamped before it is asked; None when nothing is to be done.

    An order is asked to be changed in place once; a cancel may be repeated.
    """
    row = locked_order(order)
    if row.state != states.PENDING_REPLACE or row.change_id is None:
        return None
    in_place = is_changed_in_place(row)
    if row.change_sent_at is not None:
        return _LOOK if in_place else _CANCEL
    code = "change_cancelled" if row.cancel_requested_at else _forbidden(row)
    if code:
        moves = Moves()
        _give_up(row, moves, code)
        moves.flush()
        return None
    Order.objects.filter(pk=row.pk).update(change_sent_at=now())
    return _EDIT if in_place else _CANCEL


def _forbidden(row: Order) -> str:
    """Why the change may not be carried out any more, by the checks' code."""
    return judge_change(row, wanted_of(row), row.account, row.reference_price).code


def wanted_of(order: Order) -> Wanted:
    """What a pending change shall make of the order."""
    return Wanted(order.wanted_price, order.wanted_quantity or order.quantity)


async def _act(order: Order, step: str, deadline: float) -> _Look:
    if step == _CANCEL:
        return _Look(await cancel_and_look(order))
    account, error = account_ref(order.seat), None
    if step == _EDIT:
        crash_point("before_change")
        request = replace(
            order_request(order), price=order.wanted_price, quantity=wanted_of(order).quantity
        )
        try:
            await gateway().edit(account, order.exchange_order_id, request, deadline)
        except VenueError as refusal:
            logger.info("change of order %s: %s; looking", order.pk, refusal.code)
            error = refusal
        crash_point("change_in_flight")
    client = await gateway().client(account)
    found = await client.find_order(order.symbol, order.client_order_id, order.exchange_order_id)
    return _Look(found, error)


@transaction.atomic
def _settle(order: Order, look: _Look) -> None:
    row = locked_order(order)
    if row.state != states.PENDING_REPLACE or row.change_id != order.change_id:
        return
    moves = Moves()
    if look.found is not None:
        settle_found(row, look.found, moves, cause="change")
    if row.state in states.TERMINAL:
        conclude_change(row, moves)
    elif is_changed_in_place(row):
        _settle_in_place(row, look, moves)
    moves.flush()


def _settle_in_place(row: Order, look: _Look, moves: Moves) -> None:
    """Take the change over once the venue shows it; give it up once it cannot come any more."""
    wanted, error = wanted_of(row), look.error
    if look.found is None:
        return
    if (look.found.price, look.found.quantity) == (wanted.price, wanted.quantity):
        _take_over(row, wanted, moves)
    elif error is not None and error.outcome == NOT_SENT and error.code in TRANSIENT:
        if row.change is not None and now() - row.change.created_at > RETRY_NOT_SENT_FOR:
            _give_up(row, moves, error.code, error.message)
        else:
            moves.put(row, change_sent_at=None)
    elif error is not None and error.outcome in (REFUSED, NOT_SENT):
        _give_up(row, moves, error.code, error.message)
    elif _is_over(row):
        _give_up(row, moves, "change_not_taken", "The venue did not change the order.")


def _is_over(row: Order) -> bool:
    """Whether the venue cannot accept the one request any more."""
    bound = acceptance_bound(quirks_of_account(row.account))
    budget = timedelta(milliseconds=settings.EXECUTION_SEND_BUDGET_MS)
    return row.change_sent_at is not None and now() > row.change_sent_at + budget + bound


def _take_over(row: Order, wanted: Wanted, moves: Moves) -> None:
    values = {"price": wanted.price, "quantity": wanted.quantity}
    _back_to_work(row, moves, values, {"changed": True})
    hold_instead(row.uid, wanted.value_in(row, row.reference_price))


def _give_up(row: Order, moves: Moves, code: str, message: str = "") -> None:
    """Leave the order as it was, with the reason."""
    values = {"error_code": code, "error_message": message[:500]}
    _back_to_work(row, moves, values, {"changed": False, "code": code})
    before = Wanted(row.price, row.quantity)
    hold_instead(row.uid, before.value_in(row, row.reference_price))


def _back_to_work(
    row: Order, moves: Moves, values: dict[str, Any], details: dict[str, Any]
) -> None:
    moves.move(
        row,
        states.PARTIAL if row.filled_quantity > ZERO else states.OPEN,
        cause="change",
        details=details,
        **{**NO_CHANGE, "next_attempt_at": None, **values},
    )
    if row.cancel_requested_at is not None:
        moves.move(row, states.PENDING_CANCEL, cause="cancel", next_attempt_at=now())
        wake_sweep(row.account_id)
