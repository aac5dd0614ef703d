"""Calling back an owner's entries that wait or rest at the exchange."""

from collections.abc import Collection
from contextlib import suppress

from common.errors import Conflict
from common.principal import Principal
from trading import states
from trading.models import Order

from .cancelling import request_cancel


def call_back_entries(
    *,
    principal: Principal,
    account_ids: Collection[int],
    symbols: Collection[str],
    owner: int,
    cause: str,
) -> set[int]:
    """Have an owner's entries in some symbols cancelled; returns the accounts whose exchange has
    still to be asked.

    What was not sent yet is withdrawn at once; what is being sent is cancelled as soon as it is
    found. Only written down here, a worker pursues it. ``cause`` makes a repeat harmless.
    """
    rows = Order.objects.live().filter(
        account__in=account_ids,
        symbol__in=symbols,
        magic_id=owner,
        reduce_only=False,
        is_protective=False,
        cancel_requested_at=None,
    )
    asked = set()
    for order in rows.select_related("account").order_by("pk"):
        with suppress(Conflict):  # it came to its end meanwhile
            request_cancel(principal=principal, order=order, request_id=f"{cause}:{order.pk}")
        if order.state not in states.TERMINAL:
            asked.add(order.account_id)
    return asked
