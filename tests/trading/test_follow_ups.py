"""Where the market went after shadow's fills, and shadow's slippage beside the real one."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from common.clock import now
from common.principal import system_principal
from events.consumers import run_consumers
from events.sequencer import number_events
from reports.slippage import difference, slippage
from tests.trading.conftest import Desk
from tests.trading.test_modes import SYMBOL, enter
from trading.models import FollowUp, Order
from trading.services.follow_ups import HORIZONS, PATIENCE, look


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """One account at the rehearsal exchange, price 50,000."""
    return make_desk(1)


def told(desk: Desk, mode: str, **fields: Any) -> None:
    """An order of a mode, and the consumers after it."""
    enter(desk, mode, **fields)
    number_events()
    run_consumers()


def come(seconds: int) -> None:
    """Let the rows of this horizon and the earlier ones be due now."""
    FollowUp.objects.filter(seconds__lte=seconds, price=None).update(due_at=now())


def test_only_shadow_deals_are_followed_and_each_once(desk: Desk) -> None:
    for mode in ("paper", "live", "shadow"):
        told(desk, mode)
    run_consumers()
    found = FollowUp.objects.all()
    assert {row.deal.book for row in found} == {"shadow"}
    assert tuple(row.seconds for row in found) == HORIZONS
    deal = found[0].deal
    assert found[0].due_at == deal.executed_at + timedelta(seconds=HORIZONS[0])
    assert look() == 0  # nothing is due yet


def test_the_price_at_each_horizon_is_kept_and_a_late_one_is_missed(desk: Desk) -> None:
    told(desk, "shadow")
    desk.exchange.price(SYMBOL, "50100")
    come(10)
    assert (look(), look()) == (1, 0)
    desk.exchange.price(SYMBOL, "49000")
    come(60)
    assert look() == 1
    late = now() - PATIENCE - timedelta(seconds=1)
    FollowUp.objects.filter(seconds=300).update(due_at=late)
    assert look() == 0
    rows = FollowUp.objects.values_list("seconds", "price", "missed")
    assert list(rows) == [
        (10, Decimal(50_100), False), (60, Decimal(49_000), False), (300, None, True),
        (900, None, False),
    ]  # fmt: skip


def test_a_silent_venue_leaves_the_row_waiting(desk: Desk) -> None:
    told(desk, "shadow")
    come(10)
    silent = {"method": "GET", "path": "/api/v3/ticker/24hr"}
    script = [{"kind": "http_502_before", "times": 1, "match": silent, "params": {}}]
    desk.exchange.call("POST", "/_fault", {"script": script})
    assert (look(), look()) == (0, 1)


def test_the_report_compares_shadow_with_what_was_sent(desk: Desk) -> None:
    told(desk, "shadow")
    told(desk, "live")
    Order.objects.filter(book="rehearsal").update(reference_price=Decimal(49_900))
    desk.exchange.price(SYMBOL, "50500.0101")
    come(10)
    look()
    since = now() - timedelta(days=1)
    found = {row.book: row for row in slippage(desk.principal, since=since)}
    shadow, sent = found["shadow"], found["rehearsal"]
    # Decided at 50,000, filled at the ask of 50,000.01; the market then rose by one percent.
    assert (shadow.orders, shadow.value) == (1, Decimal("500.0001"))
    assert (shadow.slippage, shadow.drift) == (Decimal("0.002"), {10: Decimal(100)})
    assert (sent.slippage.quantize(Decimal("0.01")), sent.drift) == (Decimal("20.04"), {})
    worse = difference(found.values())
    assert worse[SYMBOL].quantize(Decimal("0.001")) == Decimal("20.038")
    assert slippage(desk.principal, since=now()) == []
    foreign = system_principal(desk.principal.organisation_id + 1)
    assert slippage(foreign, since=since) == []


def test_the_command_prints_it(desk: Desk) -> None:
    told(desk, "shadow")
    out = StringIO()
    call_command("slippage", "--json", "--quiet", stdout=out)
    [organisation] = json.loads(out.getvalue())
    [row] = organisation["rows"]
    assert (row["book"], row["orders"], row["slippage_bps"]) == ("shadow", 1, "0.00")
    with pytest.raises(CommandError) as caught:
        call_command("slippage", "--days", "0")
    assert caught.value.returncode == 2
