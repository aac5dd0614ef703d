"""The ledger's rows."""

from .commands import Command, Execution, MagicCounter
from .countdowns import VenueCountdown
from .deals import CashFlow, Deal, TradeCursor, TransferCursor
from .follow_ups import FollowUp
from .lanes import LaneLease, LaneWorker
from .orders import Order, OrderEvent
from .positions import ExternalPosition, Lot, Position
from .protections import Protection
from .snapshots import Snapshot

__all__ = [
    "CashFlow",
    "Command",
    "Deal",
    "Execution",
    "ExternalPosition",
    "FollowUp",
    "LaneLease",
    "LaneWorker",
    "Lot",
    "MagicCounter",
    "Order",
    "OrderEvent",
    "Position",
    "Protection",
    "Snapshot",
    "TradeCursor",
    "TransferCursor",
    "VenueCountdown",
]
