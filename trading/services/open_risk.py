"""What accounts have at risk: what their positions with a stop, and entries under way with one,
lose when they are stopped out. A position without a stop says nothing of its risk.
"""

from collections.abc import Sequence
from decimal import Decimal

from common.money import ZERO, multiplied
from common.readings import Reading, Row, as_text, money_of
from trading.brackets import distance
from trading.models import Lot, Position, Protection

# Owners' shares of open positions that have a stop. Needs the list ``accounts``.
STOPPED_LOTS = Reading(
    "stopped_lots",
    f"p.account_id, p.book, w.trail, {as_text('l.quantity', 'l.average_price')},"
    f" {as_text('w.stop_price', 'w.best_price')}",
    f"FROM {Position._meta.db_table} AS p"
    f" JOIN {Protection._meta.db_table} AS w ON w.position_id = p.id"
    f" JOIN {Lot._meta.db_table} AS l ON l.position_id = p.id AND l.magic_id = w.magic_id"
    f" WHERE p.state = '{Position.State.OPEN.value}'"
    f" AND w.state <> '{Protection.State.ENDED.value}'"
    " AND (w.stop_price IS NOT NULL OR w.trail <> '') AND p.account_id {in_accounts}",
)


def at_risk_of(lots: Sequence[Row], entries: Sequence[Row]) -> dict[tuple[int, str], Decimal]:
    """By account and book, in quote currency, from what STOPPED_LOTS and ENTRIES_AT_RISK found."""
    found: dict[tuple[int, str], Decimal] = {}
    for account_id, book, *lot in lots:
        place = account_id, book
        found[place] = found.get(place, ZERO) + _of_lot(*lot)
    for account_id, book, risk in entries:
        place = account_id, book
        found[place] = found.get(place, ZERO) + money_of(risk)
    return found


def _of_lot(trail: str, quantity: str, average: str, stop: str | None, best: str | None) -> Decimal:
    """What a lot loses at the tighter of its stops; nothing where that stands beyond its entry."""
    held, entered = money_of(quantity), money_of(average)
    sign = 1 if held > 0 else -1
    stops = [] if stop is None else [money_of(stop)]
    if trail:
        highest = entered if best is None else money_of(best)
        stops.append(highest - sign * distance(trail, highest))
    nearest = max(stops, key=lambda each: sign * each)
    return multiplied(abs(held), max(sign * (entered - nearest), ZERO))
