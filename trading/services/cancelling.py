"""Cancels: a wish that is written down first and pursued until the exchange's word settles it."""

import logging
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from django.db import IntegrityError, transaction

from common.clock import now
from common.crash import crash_point
from common.errors import Denied, DomainError
from common.principal import TRADE, Principal
from exchanges.gateway import gateway, gathered
from exchanges.outcomes import VenueError
from exchanges.protocol import VenueOrder
from trading import states
from trading.models import Command, Order

from .intents import payload_hash
from .lanes import EVERYWHERE, Condition, wake_sweep
from .pursuing import claim_pursuit, finished_conflict, locked_order, repeated_command
from .settlement import settle_found, suspend_moved
from .transitions import Moves
from .venue_access import account_ref

logger = logging.getLogger(__name__)

ROUND_TIMEOUT = 40.0


def cancel_order(*, principal: Principal, order: Order, request_id: str = "") -> Command:
    """Cancel an order, trying it at once; the wish outlives failures, crashes, unknown outcomes.

    A created order is withdrawn. A working one is asked for at its venue, again and again until the
    venue says what became of it. One that is being sent or whose outcome is unknown is cancelled as
    soon as it is found. The order is brought up to date: only a terminal state means cancelled.
    Cancels pass every guard. A repeat with the same ``request_id`` gives the first command. Raises
    Denied, Conflict ``order_finished`` with the state.
    """
    command, is_new = _wished(principal, order, request_id)
    if not is_new:
        return command
    if order.state == states.PENDING_CANCEL:
        pursue([Order.objects.select_related("account").get(pk=order.pk)])
    order.refresh_from_db()
    return command


def request_cancel(*, principal: Principal, order: Order, request_id: str = "") -> Command:
    """As :func:`cancel_order`, but only written down: no venue is asked here, a worker pursues it
    after the commit. Fit for a transaction.
    """
    return _wished(principal, order, request_id)[0]


def _wished(principal: Principal, order: Order, request_id: str) -> tuple[Command, bool]:
    """The command of the wish, and whether it is a new one."""
    if not principal.may(TRADE, order.account_id):
        raise Denied("Your role does not allow this.", code="permission_denied")
    if (repeated := _repeated(principal, order, request_id)) is not None:
        return repeated, False
    try:
        return _write_wish(principal, order, request_id), True
    except IntegrityError:
        # The id was given to another order's cancel at the same moment: that is told now.
        if (repeated := _repeated(principal, order, request_id)) is None:
            raise
        return repeated, False


def _payload(order: Order) -> dict[str, Any]:
    return {"order_id": order.pk}


def _repeated(principal: Principal, order: Order, request_id: str) -> Command | None:
    return repeated_command(principal, order.account, request_id, _payload(order))


@transaction.atomic
def _write_wish(principal: Principal, order: Order, request_id: str) -> Command:
    """The command and the order's new state in one transaction; ``order`` is brought up to date."""
    row = locked_order(order)
    if (repeated := _repeated(principal, order, request_id)) is not None:
        order.state, order.version = row.state, row.version
        return repeated
    if row.state in states.TERMINAL:
        raise finished_conflict(row)
    command = Command.objects.create(
        organisation_id=row.organisation_id,
        account_id=row.account_id,
        principal_key=principal.key,
        request_id=request_id or f"cancel:{row.pk}:{uuid4().hex[:12]}",
        payload_sha256=payload_hash({"cancel": row.pk}),
        kind=Command.Kind.CANCEL_ORDER,
        payload=_payload(row),
        state=Command.State.ACCEPTED,
        decision={"allowed": True, "code": "", "checks": []},
    )
    moves = Moves()
    wish: dict[str, Any] = {"cancel_requested_at": row.cancel_requested_at or now()}
    if row.state == states.CREATED:
        moves.move(row, states.WITHDRAWN, cause="cancel", error_code="cancelled_before_sending")
    elif row.state in (states.OPEN, states.PARTIAL):
        moves.move(row, states.PENDING_CANCEL, cause="cancel", next_attempt_at=now(), **wish)
        wake_sweep(row.account_id)
    else:
        Order.objects.filter(pk=row.pk).update(**wish)
    moves.flush()
    order.state, order.version = row.state, row.version
    return command


def pursue_due(mine: Condition = EVERYWHERE) -> None:
    """Ask the venues about all cancels that are due; part of the sweep."""
    claimed = claim_pursuit(states.PENDING_CANCEL, mine)
    if claimed:
        pursue(claimed)


def pursue(orders: list[Order]) -> None:
    """Ask for the cancels of orders read with their accounts, then what became of them, and write
    that down.
    """
    answers = gateway().run(_ask_all(orders), timeout=ROUND_TIMEOUT)
    for order, answer in zip(orders, answers, strict=True):
        if isinstance(answer, VenueOrder):
            _settle(order, answer)
        elif isinstance(answer, (VenueError, DomainError)):
            logger.warning("cancel of order %s: %s", order.pk, answer.code)
            suspend_moved(order.account, answer)
        elif isinstance(answer, BaseException):
            logger.error("cancel of order %s failed", order.pk, exc_info=answer)


async def _ask_all(orders: Iterable[Order]) -> list[VenueOrder | None | BaseException]:
    return await gathered(cancel_and_look(order) for order in orders)


async def cancel_and_look(order: Order) -> VenueOrder | None:
    """Ask for the cancel, then look: "unknown order" is not "cancelled"."""
    client = await gateway().client(account_ref(order.seat))
    try:
        crash_point("before_cancel")
        await client.cancel(order.symbol, order.client_order_id, order.exchange_order_id)
        crash_point("cancel_in_flight")
    except VenueError as error:
        logger.info("cancel of order %s: %s; looking", order.pk, error.code)
    return await client.find_order(order.symbol, order.client_order_id, order.exchange_order_id)


@transaction.atomic
def _settle(order: Order, found: VenueOrder) -> None:
    moves = Moves()
    settle_found(locked_order(order), found, moves, cause="cancel")
    moves.flush()
