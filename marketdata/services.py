"""Market rules and prices: from the database when fresh, else from the venue, and then stored."""

import logging
from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.db import transaction

from common.clock import from_ms, now, to_ms
from common.errors import Unavailable
from common.money import InvalidMoney, money
from common.readings import Reading, as_text
from exchanges.candles import CandleQuery, CandleSeries, read_candles
from exchanges.gateway import gateway, gathered
from exchanges.outcomes import VenueError
from exchanges.protocol import MarketRules, Quote
from exchanges.venues import Venue

from .models import LastPrice, Market, PriceWish

logger = logging.getLogger(__name__)

RULES_MAX_AGE = timedelta(hours=6)
# How old the venue's own word may be when a stored rule has reached its age.
FRESH_RULES_SECONDS = 600.0
PATIENCE_SECONDS = 5.0
PATIENCE_WITH_ROW_SECONDS = 1.0
WANTED_NOTE_EVERY = timedelta(minutes=1)
# The stored prices of the lists ``venues`` (keys) and ``symbols``.
PRICES = Reading(
    "prices",
    f"venue, symbol, {as_text('price')}",
    f"FROM {LastPrice._meta.db_table} WHERE symbol {{in_symbols}} AND venue {{in_venues}}",
)


def market(
    venue: Venue, symbol: str, market_type: str = "spot", *, patience: float = PATIENCE_SECONDS
) -> MarketRules:
    """The rules of a market; raises Invalid ``unknown_symbol``, Unavailable ``market_unavailable``.

    ``patience`` is how many seconds the venue may take when it has to be asked; where old rules are
    stored they serve after one second, while the venue's answer is still awaited in the background.
    """
    row = Market.objects.filter(venue=venue.key, symbol=symbol).first()
    if row is not None and now() - row.updated_at < RULES_MAX_AGE:
        return row.rules()

    async def fetch() -> MarketRules:
        connection = await gateway().connection(venue, market_type)
        return await connection.rules(symbol, max_age=FRESH_RULES_SECONDS)

    try:
        rules = gateway().run(
            fetch(), timeout=patience if row is None else min(patience, PATIENCE_WITH_ROW_SECONDS)
        )
    except VenueError as error:
        if row is not None:
            return row.rules()
        raise Unavailable(
            f"{venue.name} does not tell its markets.", code="market_unavailable"
        ) from error
    return _store_rules(venue, rules)


def _store_rules(venue: Venue, rules: MarketRules) -> MarketRules:
    Market.objects.update_or_create(
        venue=venue.key,
        symbol=rules.symbol,
        defaults={
            "base": rules.base,
            "quote": rules.quote,
            "market_type": rules.market_type,
            "amount_step": rules.amount_step,
            "price_step": rules.price_step,
            "min_amount": rules.min_amount,
            "max_amount": rules.max_amount,
            "min_cost": rules.min_cost,
            "contract_size": rules.contract_size,
            "is_active": rules.active,
            "max_leverage": rules.max_leverage,
        },
    )
    return rules


def last_price(venue: Venue, symbol: str) -> LastPrice | None:
    """The stored price, however old; None when none is known. Asking keeps the price in use, or
    notes a wish for it, which the next renewal of prices fulfils where the venue lists the symbol.

    Never asks the venue, so it may be called in a transaction; what it notes is written after it.
    """
    row = _stored_price(venue, symbol)
    if row is None:
        transaction.on_commit(partial(_wish, venue.key, symbol), robust=True)
    return row


def _stored_price(venue: Venue, symbol: str) -> LastPrice | None:
    row = LastPrice.objects.filter(venue=venue.key, symbol=symbol).first()
    if row is not None and now() - row.wanted_at > WANTED_NOTE_EVERY:
        transaction.on_commit(partial(_keep_in_use, row.pk), robust=True)
    return row


def _keep_in_use(row_id: int) -> None:
    LastPrice.objects.filter(pk=row_id).update(wanted_at=now())


def _wish(venue_key: str, symbol: str) -> None:
    wish, is_new = PriceWish.objects.get_or_create(venue=venue_key, symbol=symbol)
    if not is_new and now() - wish.wanted_at > WANTED_NOTE_EVERY:
        PriceWish.objects.filter(pk=wish.pk).update(wanted_at=now())


def quote(
    venue: Venue, symbol: str, market_type: str = "spot", *, patience: float = PATIENCE_SECONDS
) -> Quote:
    """A price no older than QUOTE_MAX_AGE_SECONDS; raises Unavailable ``price_unavailable``."""
    row = _stored_price(venue, symbol)
    if row is not None and now() - row.at < timedelta(seconds=settings.QUOTE_MAX_AGE_SECONDS):
        return Quote(symbol, row.price, to_ms(row.at), row.bid, row.ask, volume=row.volume)
    return refresh_quote(venue, symbol, market_type, patience=patience)


def refresh_quote(
    venue: Venue, symbol: str, market_type: str = "spot", *, patience: float = PATIENCE_SECONDS
) -> Quote:
    """Ask the venue now and store the price; raises Unavailable ``price_unavailable``."""

    async def fetch() -> Quote:
        return await (await gateway().connection(venue, market_type)).quote(symbol)

    try:
        fresh = gateway().run(fetch(), timeout=patience)
        money(fresh.price)
    except (VenueError, InvalidMoney) as error:
        raise Unavailable(
            f"No price of {symbol} at {venue.name}.", code="price_unavailable"
        ) from error
    _store_price(venue, fresh)
    return fresh


def _store_price(venue: Venue, fresh: Quote) -> None:
    LastPrice.objects.update_or_create(
        venue=venue.key,
        symbol=fresh.symbol,
        defaults={
            "price": fresh.price,
            "bid": fresh.bid,
            "ask": fresh.ask,
            "volume": fresh.volume,
            "at": from_ms(fresh.at_ms),
        },
    )


def prices_now(
    sources: Collection[tuple[Venue, str, str]],
    *,
    max_age: timedelta,
    patience: float = PATIENCE_SECONDS,
) -> dict[tuple[Venue, str, str], Decimal]:
    """The last prices of several (venue, symbol, market type), none older than ``max_age``; what is
    older is asked for at once and stored. One that no venue tells is left out, never an error.
    """
    rows = LastPrice.objects.filter(
        venue__in={venue.key for venue, _, _ in sources}, at__gte=now() - max_age
    )
    stored = {(row.venue, row.symbol): row.price for row in rows}
    found = {each: stored[key] for each in sources if (key := (each[0].key, each[1])) in stored}
    missing = [each for each in sources if each not in found]

    async def fetch(venue: Venue, symbol: str, market_type: str) -> Quote:
        return await (await gateway().connection(venue, market_type)).quote(symbol)

    async def fetch_all() -> list[Quote | BaseException]:
        return await gathered(fetch(*each) for each in missing)

    if not missing:
        return found
    try:
        answers = gateway().run(fetch_all(), timeout=patience)
    except VenueError as error:
        logger.warning("%s prices not told in time: %s", len(missing), error.code)
        return found
    for source, answer in zip(missing, answers, strict=True):
        if isinstance(answer, Quote) and answer.price > 0:
            _store_price(source[0], answer)
            found[source] = answer.price
        else:
            logger.info("no price of %s at %s: %r", source[1], source[0].name, answer)
    return found


def candles(
    venue: Venue,
    symbol: str,
    timeframe: str = "1m",
    limit: int = 300,
    market_type: str = "spot",
) -> CandleSeries:
    """The newest candles, oldest first, ``[ms, open, high, low, close, volume]``, numbers as text;
    resampled where the venue lacks the timeframe.

    Raises Invalid ``unknown_symbol`` and ``unsupported_timeframe``, Unavailable
    ``candles_unavailable``.
    """

    async def fetch() -> CandleSeries:
        connection = await gateway().connection(venue, market_type)
        return await read_candles(connection, CandleQuery(symbol, timeframe, limit))

    try:
        return gateway().run(fetch(), timeout=10.0)
    except VenueError as error:
        raise Unavailable("The venue tells no candles.", code="candles_unavailable") from error
