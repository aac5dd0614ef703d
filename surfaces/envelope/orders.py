"""``/orders`` of 002: all orders, one, and its cancel."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from common.clock import iso
from marketdata.symbols import spelled
from surfaces.envelope.dialect import EnvelopeView, enveloped
from surfaces.fields import StrictInput, TextField
from surfaces.filters import Filter, filtered, numbered, said, symbols, words
from surfaces.idempotency import idempotency_key
from surfaces.limits import Bucket
from surfaces.lookups import DEFAULT_PAGE, MAX_PAGE, find
from surfaces.paging import key_page, page_parameters
from surfaces.policy import Policy
from surfaces.rendering import number
from trading import states
from trading.models import Order
from trading.services.cancelling import cancel_order

_STATES_BY_WORD = {
    word: [name for name, each in states.STATES.items() if each.words.spec_002 == word]
    for word in sorted({each.words.spec_002 for each in states.STATES.values()})
}
FILTERS: dict[str, Filter] = {
    "status": words("state", _STATES_BY_WORD),
    "symbol": symbols(),
    "account_id": numbered("account_id", "The account's number."),
}


class CancelInput(StrictInput):
    """The client's own id of its request."""

    id = TextField(required=False, allow_null=True, max_length=100)


class OrdersView(EnvelopeView):
    """Orders of all accounts the caller may read."""

    policy = Policy.AUTHENTICATED
    query = {"GET": {**said(FILTERS), **page_parameters(DEFAULT_PAGE, MAX_PAGE)}}

    def get(self, request: Request) -> Response:
        """The newest first; ``limit`` is capped at 100, ``next_cursor`` is the ``cursor`` of the
        next page.
        """
        self.known_query()
        rows = Order.objects.visible_to(self.principal).select_related("account")
        page, next_cursor = key_page(
            request, filtered(request, rows, FILTERS), default=DEFAULT_PAGE, most=MAX_PAGE
        )
        payload = {"orders": [_shown(row) for row in page], "next_cursor": next_cursor}
        return Response(enveloped(payload, status="orders_list"))


class _OneOrderView(EnvelopeView):
    def order(self, order_id: str) -> Order:
        """The order; raises NotFound, alike for missing and foreign ones."""
        rows = Order.objects.visible_to(self.principal).select_related("account")
        return find(rows, order_id, what="order")


class OrderView(_OneOrderView):
    """One order."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request, order_id: str) -> Response:
        """As it is now."""
        payload = {"order": _shown(self.order(order_id))}
        return Response(enveloped(payload, status="order_details"))


class CancelOrderView(_OneOrderView):
    """The cancel of one order."""

    policy = Policy.ACCOUNT_TRADE
    has_key = True
    bucket = Bucket.SAFETY
    inputs = {"POST": CancelInput}

    def post(self, request: Request, order_id: str) -> Response:
        """409 ``order_finished`` where nothing is left to cancel. ``order_cancel_pending`` where
        the venue has not said by now that it is cancelled: the cancel is pursued.
        """
        given, order = self.input(), self.order(order_id)
        cancel_order(principal=self.principal, order=order, request_id=idempotency_key(request))
        order.refresh_from_db(fields=["state"])
        words_of = states.STATES[order.state].words
        payload = {
            "order_id": str(order.pk),
            "order_status": words_of.spec_002,
            "state": order.state,
            "outcome": words_of.outcome,
        }
        done = words_of.spec_002 == "cancelled"
        return Response(
            enveloped(
                payload,
                status="order_cancelled" if done else "order_cancel_pending",
                correlation=given.get("id"),
            )
        )


def _shown(order: Order) -> dict[str, Any]:
    words_of = states.STATES[order.state].words
    return {
        "order_id": str(order.pk),
        "symbol": spelled(order.symbol, "_"),
        "side": order.side,
        "order_type": order.type,
        "quantity": number(order.quantity),
        "price": number(order.price),
        "status": words_of.spec_002,
        "created_at": iso(order.created_at),
        "updated_at": iso(order.updated_at),
        "strategy_name": None,
        "stop_price": number(order.stop_price),
        "filled_quantity": number(order.filled_quantity),
        "average_price": number(order.average_price),
        "exchange": order.account.venue,
        "account_id": str(order.account_id),
        "book": order.book,
        "state": order.state,
        "outcome": words_of.outcome,
        "reason": order.error_code or None,
    }
