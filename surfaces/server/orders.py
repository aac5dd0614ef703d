"""``/v1/orders`` of 003: orders in paper, shadow or live, and what was decided of the last."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.books import PAPER
from common.errors import Denied, Invalid
from marketdata.symbols import unified_symbol
from surfaces.idempotency import idempotency_key, replayed
from surfaces.lookups import DEFAULT_PAGE, account_named
from surfaces.paging import key_page, page_parameters
from surfaces.policy import Policy
from surfaces.server.dialect import ServerView
from surfaces.server.order_words import is_blocked, shown_ack, shown_actor, shown_record
from surfaces.server.serializers import ServerOrderInput
from trading.models import Command
from trading.services.placing import NewOrder, Placed, place_at

MAX_RECORDS = 500
# How 003 calls what the service calls otherwise.
NAMES = {"price": "limit_price", "exchange": "venue", "type": "order_type"}


class OrdersView(ServerView):
    """New orders."""

    policy = Policy.ACCOUNT_TRADE
    has_key = True
    inputs = {"POST": ServerOrderInput}

    def post(self, request: Request) -> Response:
        """The acknowledgement once the venue has answered, at most after five seconds; ``rejected``
        is one too.

        A paper order at a venue where the caller has no account opens a paper account there. 403
        where live is disabled, not permitted or blocked by a guard; with ``allow_downgrade`` a
        live order that may not be live goes to shadow, and ``decision`` says so. The header
        Idempotency-Key makes a repeat the first order.
        """
        key = idempotency_key(request)
        try:
            placed = self._placed(self.input(), key)
        except Invalid as error:
            fields = {NAMES.get(name, name): fault for name, fault in error.fields.items()}
            raise Invalid(error.message, code=error.code, fields=fields) from error
        if is_blocked(placed):
            raise Denied(placed.message, code=placed.reason)
        body = {**shown_ack(placed), "actor": shown_actor(self.principal, request.user)}
        return Response(body, headers=replayed(is_repeat=placed.is_repeat))

    def _placed(self, given: dict[str, Any], key: str) -> Placed:
        mode = given.get("mode") or ""
        return place_at(
            principal=self.principal,
            venue=given["venue"],
            account=account_named(self.principal, given.get("account_id")),
            opens_paper=mode in ("", PAPER),
            order=NewOrder(
                symbol=_symbol(given),
                side=given["side"],
                type=given["order_type"],
                quantity=given["quantity"],
                price=given.get("limit_price"),
                stop_price=given.get("stop_price"),
                time_in_force=given["time_in_force"],
                post_only=given["post_only"],
                reduce_only=given["reduce_only"],
                mode=mode,
                allow_downgrade=given["allow_downgrade"],
            ),
            source="server",
            idempotency_key=key,
        )


def _symbol(given: dict[str, Any]) -> str:
    """The pair asked for; a symbol without a quote takes it from ``quote_currency``, and one with
    another contradicts it.
    """
    text, quote = given["symbol"], given.get("quote_currency")
    is_pair = any(sign in text for sign in "/-_")
    symbol = unified_symbol(text if is_pair or not quote else f"{text}/{quote}")
    if quote and symbol.partition("/")[2].partition(":")[0] != quote:
        raise Invalid(
            "The symbol has another quote currency.",
            fields={"quote_currency": "is not that of the symbol"},
        )
    return symbol


class RecentOrdersView(ServerView):
    """What was asked for, decided and acknowledged."""

    policy = Policy.AUTHENTICATED
    query = {"GET": page_parameters(DEFAULT_PAGE, MAX_RECORDS)}

    def get(self, request: Request) -> Response:
        """The newest first, denied ones too; ``limit`` is capped at 500, ``next_cursor`` is the
        ``cursor`` of the next page.
        """
        self.known_query()
        rows = Command.objects.visible_to(self.principal).filter(kind__in=Command.PLACING)
        rows = rows.select_related("account", "order")
        page, next_cursor = key_page(request, rows, default=DEFAULT_PAGE, most=MAX_RECORDS)
        return Response(
            {"records": [shown_record(row) for row in page], "next_cursor": next_cursor}
        )
