"""The matching core: spot wallets, orders and fills on a given price, exact and deterministic.

No clock, no randomness and no I/O of its own: time and price are arguments, every change is
returned as events and can be drained as JSON for a journal.
"""

from exchanges.matching.core import MatchingCore
from exchanges.matching.markets import DEFAULT_CONTRACTS, DEFAULT_MARKETS, Market
from exchanges.matching.records import (
    AT_ONCE,
    CANCELED,
    EXPIRED,
    FILLED,
    NEW,
    PARTIALLY_FILLED,
    BookOrder,
    BookTrade,
    Event,
    FeeRule,
    FillPlan,
    Refusal,
    Ticket,
)

__all__ = [
    "AT_ONCE",
    "CANCELED",
    "DEFAULT_CONTRACTS",
    "DEFAULT_MARKETS",
    "EXPIRED",
    "FILLED",
    "NEW",
    "PARTIALLY_FILLED",
    "BookOrder",
    "BookTrade",
    "Event",
    "FeeRule",
    "FillPlan",
    "Market",
    "MatchingCore",
    "Refusal",
    "Ticket",
]
