"""``/v1/portfolio`` of 003: money and positions of one book, now and before."""

from typing import Any

from django.db import connection
from rest_framework.request import Request
from rest_framework.response import Response

from common.clock import iso, now
from marketdata.symbols import spelled
from reports.portfolio import Portfolio, portfolio_of
from reports.portfolio_history import past_portfolios
from reports.positions import result_of
from surfaces.filters import BOOK, book_parameter
from surfaces.lookups import whole_parameter
from surfaces.paging import cursor_parameter, page_parameters
from surfaces.policy import Policy
from surfaces.rendering import moment, number
from surfaces.server.dialect import ServerView
from trading.models import Position

DEFAULT_SNAPSHOTS = 100
MAX_SNAPSHOTS = 1000


class PortfolioView(ServerView):
    """What the caller's accounts hold."""

    policy = Policy.AUTHENTICATED
    query = {"GET": {"mode": BOOK}}

    def get(self, request: Request) -> Response:
        """``mode`` (paper, shadow, rehearsal or live) names the book; without it the one that all
        accounts are in, else paper.
        """
        self.known_query()
        return Response(_shown(portfolio_of(self.principal, book_parameter(request, "mode"))))


class PortfolioHistoryView(ServerView):
    """What the caller's accounts held."""

    policy = Policy.AUTHENTICATED
    query = {"GET": {"mode": BOOK, **page_parameters(DEFAULT_SNAPSHOTS, MAX_SNAPSHOTS)}}

    def get(self, request: Request) -> Response:
        """The readings of the accounts that are in a book, the newest first; ``mode`` as for the
        portfolio, ``limit`` is capped at 1000, ``next_cursor`` is the ``cursor`` of the next page.
        """
        self.known_query()
        wanted = whole_parameter(request, "limit", DEFAULT_SNAPSHOTS, least=1)
        rows, next_cursor = past_portfolios(
            self.principal,
            book_parameter(request, "mode"),
            limit=min(wanted, MAX_SNAPSHOTS),
            cursor=cursor_parameter(request),
        )
        return Response(
            {
                "snapshots": [
                    {
                        "cash_usd": number(row.cash),
                        "equity_usd": number(row.equity),
                        "positions_json": [
                            {"symbol": spelled(symbol, "-"), "quantity": number(quantity)}
                            for symbol, quantity in sorted(row.quantities.items())
                        ],
                        "created_at": iso(row.at),
                    }
                    for row in rows
                ],
                "next_cursor": next_cursor,
            }
        )


def _shown(portfolio: Portfolio) -> dict[str, Any]:
    return {
        "cash_usd": number(portfolio.dollars),
        "cash": {name: number(amount) for name, amount in sorted(portfolio.cash.items())},
        "positions": [_position(row) for row in portfolio.positions],
        "mode": portfolio.book,
        "source": "postgres" if connection.vendor == "postgresql" else connection.vendor,
        "as_of": moment(portfolio.as_of),
        "created_at": iso(now()),
    }


def _position(row: Position) -> dict[str, Any]:
    return {
        "position_id": str(row.pk),
        "account_id": str(row.account_id),
        "venue": row.account.venue,
        "symbol": spelled(row.symbol, "-"),
        "side": row.side,
        "quantity": number(row.signed_quantity),
        "average_price": number(row.average_price),
        "market_price": number(row.last_price),  # type: ignore[attr-defined]
        "unrealized_pnl": number(result_of(row)),
        "realized_pnl": number(row.realised),
        "fees": number(row.fees),
        "reconciled": row.allocated,
        "opened_at": iso(row.opened_at),
    }
