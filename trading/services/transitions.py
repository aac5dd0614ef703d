"""Moving orders along the state table: a conditional UPDATE each, everything else written in bulk
at the end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F

from common.bulk import insert_rows, update_rows
from common.clock import now
from common.errors import Conflict
from events.log import NewEvent, publish_all
from monitoring.alerts import raise_alert
from monitoring.models import Alert
from riskmgmt.limits import hold_again, release_reservations
from trading import states
from trading.models import Order, OrderEvent

from .announce import order_event
from .holdings import Holdings


@dataclass(slots=True)
class _Held:
    """A locked order, the version of its row, and the columns that changed since."""

    order: Order
    version: int
    fields: set[str] = field(default_factory=set)


class Moves:
    """Collects the moves of one transaction; use inside ``transaction.atomic`` and call
    :meth:`flush` last.
    """

    def __init__(self) -> None:
        self.holdings = Holdings()
        self._held: dict[int, _Held] = {}
        self._history: list[OrderEvent] = []
        self._changed: dict[int, Order] = {}
        self._events: list[NewEvent] = []
        self._finished: set[Any] = set()

    def move(
        self,
        order: Order,
        new_state: str,
        *,
        cause: str,
        details: dict[str, Any] | None = None,
        **values: Any,
    ) -> bool:
        """Move an order as it was read; False when another has moved it meanwhile or the table
        forbids it.

        ``values`` are further columns written with the move. The order object is brought up to
        date.
        """
        old_state = order.state
        if not states.may_move(old_state, new_state):
            return False
        moment = now()
        changes = {**values, "state": new_state, "version": order.version + 1, "updated_at": moment}
        is_final = new_state in states.TERMINAL
        changes["finished_at"] = moment if is_final else None
        if is_final:
            changes["next_attempt_at"] = None
        if not self._write(order, changes, old_state):
            return False
        self.note(order, old_state, cause=cause, details=details)
        if old_state in states.ADOPTABLE:
            _report_adoption(order, old_state)
            if not is_final:
                hold_again(order.uid)
        return True

    def hold(self, orders: Iterable[Order]) -> None:
        """Keep what changes of these orders, whose rows this transaction has locked, until they are
        written together.
        """
        for order in orders:
            self._held[order.pk] = _Held(order, order.version)

    def put(self, order: Order, **values: Any) -> None:
        """Set columns of an order without a change of state."""
        self._write(order, values)

    def _write(self, order: Order, changes: dict[str, Any], old_state: str = "") -> bool:
        """Bring the row and the object up to date, now or with the others; False when the row is
        not as it was read.
        """
        held = self._held.get(order.pk)
        if held is None:
            rows = Order.objects.filter(pk=order.pk)
            if old_state:
                rows = rows.filter(state=old_state, version=order.version)
            if not rows.update(**changes):
                return False
        else:
            assert held.order is order, "an order that is held was read twice"
            held.fields.update(changes)
        for name, value in changes.items():
            setattr(order, name, value)
        return True

    def move_together(
        self,
        orders: Sequence[Order],
        new_state: str,
        *,
        cause: str,
        details: Mapping[int, dict[str, Any]],
        error_code: str,
    ) -> None:
        """Move orders of one state, whose rows this transaction has locked, to a final state with
        one UPDATE; ``details`` by primary key.
        """
        old_state, moment = orders[0].state, now()
        assert states.may_move(old_state, new_state), (old_state, new_state)
        changes = {
            "state": new_state,
            "updated_at": moment,
            "finished_at": moment,
            "next_attempt_at": None,
            "error_code": error_code,
        }
        Order.objects.filter(pk__in=[order.pk for order in orders], state=old_state).update(
            version=F("version") + 1, **changes
        )
        for order in orders:
            for name, value in {**changes, "version": order.version + 1}.items():
                setattr(order, name, value)
            self.note(order, old_state, cause=cause, details=details.get(order.pk))

    def note(
        self, order: Order, old_state: str, *, cause: str, details: dict[str, Any] | None = None
    ) -> None:
        """Add a move that the database has already seen to the history, and announce it."""
        self._history.append(
            OrderEvent(
                order=order,
                old_state=old_state,
                new_state=order.state,
                cause=cause,
                details=details or {},
                at=order.updated_at,
            )
        )
        self._changed[order.pk] = order
        if order.state in states.TERMINAL:
            self._finished.add(order.uid)

    def touch(self, order: Order) -> None:
        """Announce an order whose figures changed without a change of state."""
        self._changed[order.pk] = order

    def add_event(self, event: NewEvent) -> None:
        """Announce something else at the end, after the orders."""
        self._events.append(event)

    def write(self) -> None:
        """Write orders that are held, positions and deals; what is read from here on sees them."""
        changed = [held for held in self._held.values() if held.fields]
        fields = sorted({name for held in changed for name in held.fields})
        versions = [held.version for held in changed]
        written = update_rows([held.order for held in changed], fields, versions=versions)
        if written != len(changed):
            raise Conflict("An order was moved by somebody else.", code="order_moved")
        self._held.clear()
        self._events.extend(self.holdings.write())

    def flush(self) -> None:
        """Write what is held, history, releases and events."""
        self.write()
        insert_rows(self._history, with_ids=False)
        release_reservations(self._finished)
        publish_all(
            [
                *(order_event("order.updated", order) for order in self._changed.values()),
                *self._events,
            ]
        )


def _report_adoption(order: Order, old_state: str) -> None:
    raise_alert(
        "late_order_adopted",
        message=f"Order {order.pk}, held for {old_state}, stands at the exchange: adopted.",
        organisation_id=order.organisation_id,
        subject=f"order:{order.pk}",
        severity=Alert.Severity.CRITICAL,
    )
