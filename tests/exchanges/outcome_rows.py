"""Raw answers of venues, sent through unmodified ccxt, and what they have to prove."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from exchanges.outcomes import NOT_SENT, REFUSED, UNKNOWN, VenueError
from exchanges.protocol import OrderRequest
from exchanges.quirks import quirks_of
from tests.exchanges.recorder import Desk, with_desk

__all__ = ["NOT_SENT", "REFUSED", "UNKNOWN", "Row", "check", "row", "told"]

SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"


@dataclass(frozen=True)
class Row:
    """One answer: HTTP ``status`` and ``body`` to ``call``, the class that ccxt raises for it, and
    the outcome and code of ours.
    """

    ccxt_id: str
    status: int
    body: str
    raises: str
    outcome: str
    code: str
    symbol: str = SPOT
    call: str = "place"

    def __str__(self) -> str:
        return f"{self.ccxt_id}-{self.status}-{self.body[:70]}"


def row(
    ccxt_id: str, status: int, body: Any, raises: str, outcome: str, code: str, **fields: Any
) -> Row:
    text = body if isinstance(body, str) else json.dumps(body)
    return Row(ccxt_id, status, text, raises, outcome, code, **fields)


def told(case: Row) -> VenueError:
    """The error that leaves the client for this answer."""

    async def work(desk: Desk) -> VenueError:
        request = OrderRequest(
            case.symbol, "buy", "limit", Decimal(2), "tpid", price=Decimal(100), position_side=""
        )
        calls = {
            "place": lambda: desk.client.place(request),
            "cancel": lambda: desk.client.cancel(case.symbol, "tpid", "77"),
            "find": lambda: desk.client.find_order(case.symbol, "tpid", "77"),
        }
        with pytest.raises(VenueError) as raised:
            await calls[case.call]()
        return raised.value

    assert quirks_of(case.ccxt_id).has_client_id
    market = {"baseId": "0"} if case.ccxt_id == "hyperliquid" else None
    return with_desk(
        case.ccxt_id,
        case.symbol,
        work,
        answers={"": case.body},
        status=case.status,
        market_fields=market,
    )


def check(case: Row) -> None:
    """Assert the row, the class that ccxt raised included."""
    error = told(case)
    raised = error.message.split(":")[0] if error.code != "no_id" else "-"
    assert (raised, error.outcome, error.code) == (case.raises, case.outcome, case.code), error
