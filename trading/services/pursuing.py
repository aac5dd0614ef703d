"""What is written about a working order first and pursued at its venue afterwards: cancels and
changes share how a repeat is answered, how a row is locked and how due rows are claimed.
"""

from datetime import timedelta
from typing import Any

from accounts.models import Account, Book
from common.clock import now
from common.errors import Conflict, Denied
from common.principal import LIVE, TRADE, Principal
from trading.models import Command, Order

from .fills import hold_streams
from .lanes import Condition

ASK_AGAIN_AFTER = timedelta(seconds=2)
BATCH = 50


def demand_right(principal: Principal, account: Account, book: str) -> None:
    """Raise Denied for who may not trade on the account, or not live in its live book."""
    if not principal.may(TRADE, account.pk):
        raise Denied("Your role does not allow this.", code="permission_denied")
    if book == Book.LIVE and not principal.may(LIVE, account.pk):
        raise Denied("Your role does not allow live orders.", code="live_not_permitted")


def repeated_command(
    principal: Principal, account: Account, request_id: str, payload: dict[str, Any]
) -> Command | None:
    """The command that this request id stands for already; Conflict ``idempotency_mismatch`` when
    it was another act.
    """
    if not request_id:
        return None
    command = Command.objects.filter(
        organisation_id=account.organisation_id,
        principal_key=principal.key,
        account=account,
        request_id=request_id,
    ).first()
    if command is not None and command.payload != payload:
        raise Conflict("This request id was used before.", code="idempotency_mismatch")
    return command


def locked_order(order: Order) -> Order:
    """The order's row under its lock, its stream's import lock taken first."""
    hold_streams([(order.account_id, order.symbol)])
    rows = Order.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    return rows.get(pk=order.pk)


def finished_conflict(order: Order) -> Conflict:
    """``order_finished``, with the state and the order that replaced this one, if any."""
    details: dict[str, Any] = {"state": order.state}
    replacement = Order.objects.filter(replaces=order).values_list("pk", flat=True).first()
    if replacement is not None:
        details["replaced_by"] = replacement
    return Conflict("The order is finished.", code="order_finished", details=details)


def claim_pursuit(state: str, mine: Condition) -> list[Order]:
    """The orders of a state whose time has come, read with their accounts; pushing their time on
    makes the attempt single.
    """
    moment = now()
    due = Order.objects.filter(mine, state=state, next_attempt_at__lte=moment)
    return [
        order
        for order in due.select_related("account").order_by("next_attempt_at")[:BATCH]
        if Order.objects.filter(pk=order.pk, next_attempt_at=order.next_attempt_at).update(
            next_attempt_at=moment + ASK_AGAIN_AFTER
        )
    ]
