"""Executions that end with their first rejected leg: what still waits then is not sent."""

from collections.abc import Collection

from django.db.models import Q

from trading.models import Command, Order

from .legs import CALLED_BACK, FAILED_LEG_STATES, SKIP_CODES

ABORTED = "aborted_after_reject"


def aborted_among(orders: Collection[Order]) -> set[int]:
    """The numbers of those orders that a leg rejected before them keeps from being sent.

    Only orders that had to wait their turn are looked at: the others went out together.
    """
    waited = [order.pk for order in orders if order.not_before is not None]
    if not waited:
        return set()
    rows = Order.objects.filter(
        pk__in=waited, command__execution__abort_on_first_reject=True
    ).values_list("pk", "command__execution_id", "command__request_id")
    ended = _ended_rounds({execution_id for _, execution_id, _ in rows})
    return {pk for pk, execution_id, name in rows if (execution_id, _round_of(name)) in ended}


def _ended_rounds(execution_ids: Collection[int]) -> set[tuple[int, str]]:
    """The rounds of executions in which a leg was rejected: the first one, or a retry."""
    if not execution_ids:
        return set()
    refused = Q(state=Command.State.DENIED) & ~Q(reason_code__in=SKIP_CODES)
    failed = Q(order__state__in=FAILED_LEG_STATES) & ~Q(order__error_code=CALLED_BACK)
    rows = Command.objects.filter(refused | failed, execution__in=execution_ids).order_by()
    return {
        (execution_id, _round_of(name))
        for execution_id, name in rows.values_list("execution_id", "request_id")
    }


def _round_of(request_id: str) -> str:
    """What the legs of one call have in common: a request id ends with the leg's place."""
    return request_id.rpartition(":")[0]
