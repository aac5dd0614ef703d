"""``/api/v1/trading/positions`` of 004: what the caller's accounts hold and held."""

from rest_framework.request import Request
from rest_framework.response import Response

from reports.positions import priced
from surfaces.filters import Filter, filtered, numbered, said, symbols, words
from surfaces.lookups import DEFAULT_PAGE, MAX_PAGE
from surfaces.paging import key_page, page_parameters
from surfaces.policy import Policy
from surfaces.terminal.dialect import TerminalView, shown_position
from trading.models import Position

State = Position.State
STATUSES = {
    "open": (State.OPEN,),
    "closed": (State.CLOSED,),
    "all": (State.OPEN, State.CLOSED),
}
FILTERS: dict[str, Filter] = {
    "status": words("state", STATUSES),
    "symbol": symbols(),
    "account_id": numbered("account_id", "The account's number."),
}


class PositionsView(TerminalView):
    """Positions of all accounts the caller may read."""

    policy = Policy.AUTHENTICATED
    query = {"GET": {**said(FILTERS), **page_parameters(DEFAULT_PAGE, MAX_PAGE)}}

    def get(self, request: Request) -> Response:
        """The newest first, open ones unless ``status`` says closed or all; ``limit`` is capped at
        100, ``next_cursor`` is the ``cursor`` of the next page.
        """
        self.known_query()
        rows = Position.objects.visible_to(self.principal).select_related("account")
        rows = filtered(request, rows if "status" in request.query_params else rows.open(), FILTERS)
        page, next_cursor = key_page(request, rows, default=DEFAULT_PAGE, most=MAX_PAGE)
        return Response(
            {"positions": [shown_position(row) for row in priced(page)], "next_cursor": next_cursor}
        )
