"""Keeps the prices of symbols in use fresh."""

import logging
from datetime import timedelta
from typing import Any

from celery import shared_task

from common.clock import now
from common.errors import DomainError, Invalid
from common.single_flight import single_flight
from exchanges.venues import Venue, resolve

from .models import LastPrice, PriceWish
from .services import RULES_MAX_AGE, market, refresh_quote
from .symbols import market_type_of

logger = logging.getLogger(__name__)

IN_USE_FOR = timedelta(hours=1)


@single_flight
def _refresh() -> None:
    """Renew every price that somebody asked for within the last hour, and fulfil the wishes."""
    for venue_key, symbol in LastPrice.objects.filter(
        wanted_at__gte=now() - IN_USE_FOR
    ).values_list("venue", "symbol"):
        try:
            refresh_quote(_venue(venue_key), symbol, market_type_of(symbol))
        except DomainError as error:
            logger.info("price of %s at %s not renewed: %s", symbol, venue_key, error.code)
    for wish in PriceWish.objects.filter(wanted_at__gte=now() - IN_USE_FOR).exclude(
        unlisted_at__gte=now() - RULES_MAX_AGE
    ):
        _fulfil(wish)
    _forget_wishes()


def _forget_wishes() -> None:
    """Delete the wishes that nobody has repeated within the hour: the coin is held no more, its
    order has ended, the page is closed. What a venue does not list is remembered for its hours.
    """
    stale = PriceWish.objects.filter(wanted_at__lt=now() - IN_USE_FOR)
    stale.exclude(unlisted_at__gte=now() - RULES_MAX_AGE).delete()


def _fulfil(wish: PriceWish) -> None:
    """Fetch a price for the first time; a symbol that is not listed rests for some hours."""
    try:
        venue = _venue(wish.venue)
        kind = market_type_of(wish.symbol)
        market(venue, wish.symbol, kind)
        refresh_quote(venue, wish.symbol, kind)
    except Invalid as error:
        logger.info("no price of %s at %s: %s", wish.symbol, wish.venue, error.code)
        PriceWish.objects.filter(pk=wish.pk).update(unlisted_at=now())
    except DomainError as error:
        logger.info("no price of %s at %s yet: %s", wish.symbol, wish.venue, error.code)
    else:
        wish.delete()


def _venue(key: str) -> Venue:
    name, _separator, testnet = key.partition(":")
    return resolve(name, is_testnet=bool(testnet))


@shared_task(name="marketdata.refresh_quotes")
def refresh_quotes(**_: Any) -> None:
    """Run by beat: renew the prices in use and fetch those wished for."""
    _refresh()
