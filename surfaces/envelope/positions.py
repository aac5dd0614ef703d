"""``/positions`` of 002: what all accounts together hold of each symbol, books apart."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from common.money import ZERO
from marketdata.symbols import spelled, unified_symbol
from reports.positions import NetPosition, net_positions
from surfaces.envelope.dialect import EnvelopeView, enveloped
from surfaces.lookups import whole_parameter
from surfaces.paging import page_parameters
from surfaces.policy import Policy
from surfaces.rendering import number

DEFAULT_SYMBOLS, MAX_SYMBOLS = 100, 500
# Which book stands for a symbol that is held in several: the one with the most at stake.
BOOKS = ("live", "rehearsal", "shadow", "paper")


class PositionsView(EnvelopeView):
    """Open positions, summed by symbol and book."""

    policy = Policy.AUTHENTICATED
    query = {"GET": page_parameters(DEFAULT_SYMBOLS, MAX_SYMBOLS)}

    def get(self, request: Request) -> Response:
        """By symbol; ``limit`` is capped at 500, ``next_cursor`` is the ``cursor`` of the next
        page.
        """
        self.known_query()
        limit = min(whole_parameter(request, "limit", DEFAULT_SYMBOLS, least=1), MAX_SYMBOLS)
        after = request.query_params.get("cursor", "")
        rows = [row for row in net_positions(self.principal) if _cursor(row) > after]
        payload = {
            "positions": [_shown(row) for row in rows[:limit]],
            "next_cursor": _cursor(rows[limit - 1]) if len(rows) > limit else None,
        }
        return Response(enveloped(payload, status="positions_list"))


class PositionView(EnvelopeView):
    """What is held of one symbol."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request, symbol: str) -> Response:
        """``position`` is flat where nothing is held; ``positions`` has every book in which
        something is, and ``position`` is the first of them in the order live, rehearsal, shadow,
        paper.
        """
        unified = unified_symbol(symbol)
        rows = net_positions(self.principal, unified)
        rows.sort(key=lambda row: BOOKS.index(row.book))
        flat = NetPosition(unified, "", ZERO, ZERO, 0, ZERO)
        payload = {
            "position": _shown(rows[0] if rows else flat),
            "positions": [_shown(row) for row in rows],
        }
        return Response(enveloped(payload, status="position_details"))


def _cursor(row: NetPosition) -> str:
    return f"{spelled(row.symbol, '_')},{row.book}"


def _shown(row: NetPosition) -> dict[str, Any]:
    return {
        "symbol": spelled(row.symbol, "_"),
        "quantity": number(row.quantity),
        "average_price": number(row.average_price),
        "book": row.book or None,
        "positions": row.positions,
        "unrealized_pnl": number(row.unrealised),
    }
