"""``/wallet/balance`` and ``/trading/performance`` of 002."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from common.clock import iso, now
from reports.accounts import Results
from reports.performance import performance_of
from reports.portfolio import wallet_of
from surfaces.envelope.dialect import EnvelopeView, enveloped
from surfaces.filters import BOOK, book_parameter
from surfaces.lookups import account_named
from surfaces.policy import Policy
from surfaces.rendering import moment, number
from trading import states


class BalanceView(EnvelopeView):
    """What the caller's accounts hold."""

    policy = Policy.AUTHENTICATED
    query = {"GET": {"book": BOOK, "account_id": "One account alone, in its own book."}}

    def get(self, request: Request) -> Response:
        """Of one ``book`` (the one all accounts are in, else paper, unless it is named), or of one
        ``account_id``. ``source`` says where the figures come from, ``as_of`` how old they are.
        """
        self.known_query()
        account = account_named(self.principal, request.query_params.get("account_id"))
        wallet = wallet_of(self.principal, book_parameter(request, "book"), account=account)
        payload = {
            "assets": {
                name: {"free": number(free), "locked": number(used)}
                for name, (free, used) in wallet.assets.items()
            },
            "total_usd_estimate": number(wallet.dollars),
            "source": wallet.source,
            "book": wallet.book,
            "as_of": moment(wallet.as_of),
            "timestamp": iso(now()),
        }
        return Response(enveloped(payload, status="wallet_balance"))


class PerformanceView(EnvelopeView):
    """How the caller's trading went."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request) -> Response:
        """Counts of orders, and for each book and currency what closed positions brought."""
        self.known_query()
        performance = performance_of(self.principal)
        payload = {
            "total_orders": performance.count(*states.STATES),
            "filled_orders": performance.count(states.FILLED),
            "open_orders": performance.live,
            "cancelled_orders": performance.count(*_states("cancelled")),
            "rejected_orders": performance.count(*_states("rejected")),
            "books": [
                _shown(book, currency, results)
                for (book, currency), results in sorted(performance.results.items())
            ],
            "timestamp": iso(now()),
        }
        return Response(enveloped(payload, status="trading_performance"))


def _states(word: str) -> list[str]:
    return [name for name, each in states.STATES.items() if each.words.spec_002 == word]


def _shown(book: str, currency: str, results: Results) -> dict[str, Any]:
    return {
        "book": book,
        "currency": currency,
        "open_positions": results.open,
        "closed_positions": results.closed,
        "winning_positions": results.successful,
        "win_rate": number(results.win_rate),
        "realised_pnl": number(results.realised),
        "fees": number(results.fees),
        "net_pnl": number(results.net),
    }
