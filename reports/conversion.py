"""What an amount is worth in another currency, by prices that are known; nothing where none is."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.core.cache import cache

from common.clock import now
from common.money import divided, multiplied
from exchanges.venues import Venue
from marketdata.models import LastPrice
from marketdata.services import last_price

from .portfolio import DOLLARS

ONE = Decimal(1)
OLDEST = timedelta(minutes=10)
# How long an answer serves; that there is none, not so long: a wish for a price may be fulfilled.
KEPT_SECONDS, MISSED_SECONDS = 10, 3


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of the one currency one of the other is; ``by`` names the markets, ``at`` is the age
    of the oldest price. Without either it is one to one by definition.
    """

    factor: Decimal
    by: str = ""
    at: datetime | None = None

    def of(self, amount: Decimal) -> Decimal:
        """The amount converted."""
        return multiplied(amount, self.factor)


def rate_between(venues: Collection[Venue], source: str, target: str) -> Rate | None:
    """The rate by the newest stored price at one of these venues, directly or by way of the dollar;
    None where no price of the last ten minutes leads there.

    Dollar coins count as dollars, one to one, as everywhere in the reports. Asking keeps the prices
    in use or notes a wish for them; an answer serves for some seconds.
    """
    if source == target or (source in DOLLARS and target in DOLLARS):
        return Rate(ONE)
    key = ":".join(("rate", source, target, *sorted(venue.key for venue in venues)))
    known: tuple[Rate | None] | None = cache.get(key)
    if known is None:
        known = (_found(venues, source, target),)
        cache.set(key, known, KEPT_SECONDS if known[0] else MISSED_SECONDS)
    return known[0]


def _found(venues: Collection[Venue], source: str, target: str) -> Rate | None:
    direct = _leg(venues, source, target)
    if direct is not None or source in DOLLARS or target in DOLLARS:
        return direct
    dollar = DOLLARS[0]
    there, on = _leg(venues, source, dollar), _leg(venues, dollar, target)
    if there is None or on is None:
        return None
    return Rate(
        factor=multiplied(there.factor, on.factor),
        by=f"{there.by}, {on.by}",
        at=min(each.at for each in (there, on) if each.at),
    )


def _leg(venues: Collection[Venue], source: str, target: str) -> Rate | None:
    """By one market, which may quote either of the two in the other."""
    by_key = {venue.key: venue for venue in venues}
    straight = set(_symbols(source, target))
    turned = set(_symbols(target, source))
    prices = LastPrice.objects.filter(venue__in=by_key, symbol__in=straight | turned)
    newest = prices.filter(at__gte=now() - OLDEST, price__gt=0).order_by("-at").first()
    if newest is None:
        for venue in venues:
            for symbol in sorted(straight | turned):
                last_price(venue, symbol)
        return None
    last_price(by_key[newest.venue], newest.symbol)
    factor = newest.price if newest.symbol in straight else divided(ONE, newest.price)
    return Rate(factor, f"{newest.symbol} at {newest.venue}", newest.at)


def _symbols(source: str, target: str) -> Iterator[str]:
    """Spot markets that quote the one in the other, every dollar coin among them."""
    for base in DOLLARS if source in DOLLARS else (source,):
        for quote in DOLLARS if target in DOLLARS else (target,):
            yield f"{base}/{quote}"
