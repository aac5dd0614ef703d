"""Prices that somebody watches: read many at once, and keep the venue asked for them."""

from collections.abc import Collection

from common.clock import now

from .models import LastPrice, PriceWish

# A venue's key and a unified symbol.
Pair = tuple[str, str]


def stored_prices(pairs: Collection[Pair]) -> dict[Pair, LastPrice]:
    """The stored prices of the pairs, however old; one query."""
    rows = LastPrice.objects.filter(
        venue__in={venue for venue, _ in pairs}, symbol__in={symbol for _, symbol in pairs}
    )
    found = {(row.venue, row.symbol): row for row in rows}
    return {pair: found[pair] for pair in pairs if pair in found}


def unlisted(pairs: Collection[Pair]) -> set[Pair]:
    """Those of the pairs that their venue said it does not list when it was asked for a price."""
    rows = PriceWish.objects.filter(
        venue__in={venue for venue, _ in pairs},
        symbol__in={symbol for _, symbol in pairs},
        unlisted_at__isnull=False,
    )
    return set(rows.values_list("venue", "symbol")) & set(pairs)


def keep_watching(pairs: Collection[Pair]) -> None:
    """Have the prices renewed for another hour, and those never known fetched."""
    known = stored_prices(pairs)
    moment = now()
    LastPrice.objects.filter(pk__in=[row.pk for row in known.values()]).update(wanted_at=moment)
    missing = [PriceWish(venue=venue, symbol=symbol) for venue, symbol in set(pairs) - set(known)]
    PriceWish.objects.bulk_create(
        missing,
        update_conflicts=True,
        unique_fields=("venue", "symbol"),
        update_fields=("wanted_at",),
    )
