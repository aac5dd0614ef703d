"""``/api/v1/trading/orders`` of 004: place an order, look at it, cancel it."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import Conflict
from marketdata.symbols import unified_symbol
from surfaces.idempotency import idempotency_key, replayed
from surfaces.limits import Bucket, admit_caller
from surfaces.lookups import account_named, find
from surfaces.policy import Policy
from surfaces.rendering import moment
from surfaces.terminal.dialect import (
    DENIED,
    TerminalView,
    shown_denied,
    shown_order,
    shown_placed,
)
from surfaces.terminal.serializers import NewOrderInput
from trading import states
from trading.models import Command, Deal, Order
from trading.services.cancelling import cancel_order
from trading.services.placing import NewOrder, place_at


class OrdersView(TerminalView):
    """New orders."""

    policy = Policy.ACCOUNT_TRADE
    has_key = True
    inputs = {"POST": NewOrderInput}

    def post(self, request: Request) -> Response:
        """``placed`` or ``rejected`` once the venue has answered, at most after five seconds.

        ``exchange`` names a venue, or ``paper`` for a paper account, which opens at its first
        order; where several accounts fit, ``account_id`` names one. ``placed`` with the outcome
        ``pending`` or ``unknown`` has an address to ask again. The header Idempotency-Key makes a
        repeat the first order.
        """
        given = self.input()
        given.pop("strategy_id", None)
        venue, named = given.pop("exchange"), given.pop("account_id", None)
        given["symbol"] = unified_symbol(given["symbol"])
        placed = place_at(
            principal=self.principal,
            venue=venue,
            account=account_named(self.principal, named),
            order=NewOrder(**given),
            source="terminal",
            idempotency_key=idempotency_key(request),
        )
        return Response(shown_placed(placed), headers=replayed(is_repeat=placed.is_repeat))


class OrderView(TerminalView):
    """One order; its id may be that of an order which was denied."""

    policy = {"GET": Policy.AUTHENTICATED, "DELETE": Policy.ACCOUNT_TRADE}
    has_key = True
    bucket = Bucket.SAFETY

    def get(self, request: Request, order_id: str) -> Response:
        """The order as it is now."""
        admit_caller(self.principal, Bucket.CALLS)
        if order_id.startswith(DENIED):
            return Response(shown_denied(self._denied(order_id)))
        order = self._order(order_id)
        deals = Deal.objects.visible_to(self.principal).filter(order=order)
        return Response(shown_order(order, list(deals.order_by("pk"))))

    def delete(self, request: Request, order_id: str) -> Response:
        """Cancel it. ``cancel_failed`` with the real state where it is not cancelled by now; with
        the outcome ``pending`` or ``unknown`` the cancel is pursued further.
        """
        if order_id.startswith(DENIED):
            command = self._denied(order_id)
            return Response(_told(f"{DENIED}{command.pk}", states.REJECTED))
        order = self._order(order_id)
        try:
            cancel_order(principal=self.principal, order=order, request_id=idempotency_key(request))
        except Conflict as error:
            if error.code != "order_finished":
                raise
            order.refresh_from_db()
        return Response(
            {
                **_told(str(order.pk), order.state),
                "cancelled_at": moment(order.finished_at) if _is_cancelled(order.state) else None,
                "filled_quantity": float(order.filled_quantity),
            }
        )

    def _order(self, order_id: str) -> Order:
        rows = Order.objects.visible_to(self.principal).select_related("account")
        return find(rows, order_id, what="order")

    def _denied(self, order_id: str) -> Command:
        rows = Command.objects.visible_to(self.principal).filter(
            state=Command.State.DENIED,
            kind__in=(Command.Kind.SEND_ORDER, Command.Kind.CLOSE_POSITION),
        )
        number = order_id.removeprefix(DENIED)
        return find(rows.select_related("account"), number, what="order")


def _is_cancelled(state: str) -> bool:
    return states.STATES[state].words.spec_004 == "cancelled"


def _told(order_id: str, state: str) -> dict[str, Any]:
    outcome = states.STATES[state].words.outcome
    if state not in states.TERMINAL and outcome == "confirmed":
        outcome = "pending"
    return {
        "order_id": order_id,
        "status": "cancelled" if _is_cancelled(state) else "cancel_failed",
        "cancelled_at": None,
        "state": state,
        "outcome": outcome,
    }
