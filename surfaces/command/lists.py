"""``/position/orders``, ``/position/deals`` and ``/position/positions``: what an account has.

The newest first. A page ends with ``next_cursor``, the ``cursor`` of the page after it, or null.
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.db import models
from rest_framework.request import Request
from rest_framework.response import Response

from surfaces.command.dialect import (
    CommandView,
    account_parameter,
    shown_deal,
    shown_order,
    shown_position,
)
from surfaces.filters import Filter, filtered, moments, numbered, said, symbols, words
from surfaces.paging import key_page, page_parameters
from surfaces.policy import Policy
from trading import states
from trading.models import Deal, Order, Position

DEFAULT_PAGE = 100
Row = TypeVar("Row", bound=models.Model)

_STATES_BY_WORD: dict[str, frozenset[str]] = {
    word: frozenset(
        name for name, each in states.STATES.items() if word in (each.words.spec_000, name)
    )
    for state in states.STATES.values()
    for word in (state.words.spec_000, state.name)
}
_COMMON: dict[str, Filter] = {"symbol": symbols(), "side": words("side", ("buy", "sell"))}
_OWNED: dict[str, Filter] = {
    "magic_id": numbered("magic_id", "The owner's number."),
    "position_id": numbered("position_id", "The position's number."),
}
_ORDERS: dict[str, Filter] = {
    **_COMMON,
    **_OWNED,
    "status": words("state", _STATES_BY_WORD),
    **moments("created_at"),
}
_DEALS: dict[str, Filter] = {
    **_COMMON,
    **_OWNED,
    "order_id": numbered("order_id", "The order's number."),
    "reconciled": words("reconciled", {"true": [True], "false": [False]}),
    **moments("executed_at"),
}
_POSITIONS: dict[str, Filter] = {
    **_COMMON,
    "magic_id": numbered("lots__magic_id", "The number of an owner who has a part of it."),
    **moments("opened_at"),
}


def _query(filters: dict[str, Filter], most: int) -> dict[str, dict[str, str]]:
    page = page_parameters(DEFAULT_PAGE, most)
    return {"GET": {"account_id": "The account's number; needed.", **said(filters), **page}}


class _ListView(CommandView):
    """Rows of one account, filtered and paged by their numbers."""

    policy = Policy.AUTHENTICATED
    filters: ClassVar[dict[str, Filter]] = {}
    most = 500

    def page(
        self,
        request: Request,
        rows: "models.QuerySet[Row]",
        shown: Callable[[Row], dict[str, Any]],
    ) -> Response:
        """One page of the account's rows that the query asks for."""
        self.known_query()
        account = account_parameter(self, request)
        found = filtered(request, rows.filter(account=account), self.filters)
        page, next_cursor = key_page(request, found, default=DEFAULT_PAGE, most=self.most)
        return Response({"items": [shown(row) for row in page], "next_cursor": next_cursor})


class _OrdersView(_ListView):
    filters = _ORDERS
    query = _query(_ORDERS, _ListView.most)


class OpenOrdersView(_OrdersView):
    """Orders that are not finished."""

    def get(self, request: Request) -> Response:
        """The account's orders that are not in a final state."""
        return self.page(request, Order.objects.visible_to(self.principal).live(), shown_order)


class OrderHistoryView(_OrdersView):
    """All orders."""

    def get(self, request: Request) -> Response:
        """All orders of the account, finished or not."""
        return self.page(request, Order.objects.visible_to(self.principal), shown_order)


class DealsView(_ListView):
    """Deals: what was executed."""

    most = 1000
    filters = _DEALS
    query = _query(_DEALS, most)

    def get(self, request: Request) -> Response:
        """All deals of the account."""
        return self.page(request, Deal.objects.visible_to(self.principal), shown_deal)


class _PositionsView(_ListView):
    filters = _POSITIONS
    query = _query(_POSITIONS, _ListView.most)


class OpenPositionsView(_PositionsView):
    """Positions that hold something."""

    def get(self, request: Request) -> Response:
        """The account's open positions."""
        return self.page(
            request, Position.objects.visible_to(self.principal).open(), shown_position
        )


class PositionHistoryView(_PositionsView):
    """All positions."""

    def get(self, request: Request) -> Response:
        """All positions of the account, open or closed."""
        return self.page(request, Position.objects.visible_to(self.principal), shown_position)
