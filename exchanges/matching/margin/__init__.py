"""Linear perpetual contracts on the matching core: one quote-currency wallet per account, leverage,
cross and isolated margin, netting and hedged positions, funding and liquidation.
"""

from exchanges.matching.margin.core import MarginCore
from exchanges.matching.margin.records import Income, MarginAccount, Position
from exchanges.matching.margin.tiers import TIERS, Tier

__all__ = ["TIERS", "Income", "MarginAccount", "MarginCore", "Position", "Tier"]
