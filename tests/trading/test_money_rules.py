"""Rules that have reached their age come from the venue, not from an older answer of it."""

import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from common.clock import now
from exchanges.connection import VenueConnection
from exchanges.gateway import gateway
from exchanges.venues import resolve
from marketdata.models import Market
from marketdata.services import RULES_MAX_AGE, market
from tests.trading.conftest import Desk

DAY_SECONDS = 86_400.0


def aged_connection() -> VenueConnection:
    """The rehearsal venue's connection, its markets a day old."""

    async def age() -> VenueConnection:
        connection = await gateway().connection(resolve("rehearsal"))
        await connection.public()
        connection._loaded_at = time.monotonic() - DAY_SECONDS
        return connection

    return gateway().run(age())


def test_old_rules_are_told_anew_by_the_venue(make_desk: Callable[..., Desk]) -> None:
    make_desk(1)
    right = market(resolve("rehearsal"), "BTC/USDT")
    Market.objects.update(
        amount_step=Decimal(7), updated_at=now() - RULES_MAX_AGE - timedelta(seconds=1)
    )
    connection = aged_connection()
    assert market(resolve("rehearsal"), "BTC/USDT") == right
    assert time.monotonic() - connection._loaded_at < 60
    assert Market.objects.get().amount_step == right.amount_step


def test_young_rules_are_not_asked_for(make_desk: Callable[..., Desk]) -> None:
    make_desk(1)
    market(resolve("rehearsal"), "BTC/USDT")
    connection = aged_connection()
    market(resolve("rehearsal"), "BTC/USDT")
    assert time.monotonic() - connection._loaded_at > 3_600
