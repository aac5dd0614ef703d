"""Writing orders that are about to be sent, with all that belongs to them."""

from collections.abc import Sequence

from common.bulk import insert_rows
from events.log import NewEvent, publish_all
from riskmgmt.limits import NewReservation, reserve
from trading import states
from trading.models import Order, OrderEvent

from .announce import order_event
from .lanes import wake_senders


def write_orders(
    orders: Sequence[Order],
    reservations: Sequence[NewReservation],
    *,
    cause: str = "submit",
    correlation_id: str = "",
    after: Sequence[NewEvent] = (),
) -> None:
    """Insert orders in state CREATED with their history, reservations and events, which follow
    those in ``after``; after the commit their senders are woken. Part of the caller's transaction,
    which has written their commands.
    """
    insert_rows(orders)
    insert_rows(
        [OrderEvent(order_id=order.pk, new_state=states.CREATED, cause=cause) for order in orders],
        with_ids=False,
    )
    reserve(reservations)
    created = [order_event("order.created", each, correlation_id=correlation_id) for each in orders]
    publish_all([*after, *created])
    wake_senders(orders)
