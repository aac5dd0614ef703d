"""What each topic says, and that every topic of the house can be said."""

from typing import Any

import pytest

from accounts.services import set_status
from bots.services import set_status as set_bot_status
from common.principal import system_principal
from events.log import NewEvent, publish_all
from events.models import Event
from events.sequencer import number_events
from groups.models import Group
from monitoring.models import NotificationChannel, OutgoingMessage
from monitoring.notices import topics
from riskmgmt import switches
from tests.dashboard.world import World, fill, make_deal, make_order, make_world
from tests.monitoring.conftest import note
from trading import states
from trading.services.announce import deal_event, order_event
from webhooks.lifecycle import signal_event
from webhooks.models import Signal


@pytest.fixture
def world(db: None) -> World:
    """An organisation with a channel that is told of everything but alerts, and nothing yet."""
    found = make_world("Acme")
    fill(found)
    number_events()
    channel = NotificationChannel(
        organisation=found.organisation,
        name="all",
        scheme="jsons",
        topics=[topic.name for topic in topics() if not topic.name.startswith("alerts_")],
    )
    channel.set_address("jsons://example.com")
    channel.save()
    return found


def said(*events: Any) -> list[tuple[str, str, str, str]]:
    """Publish, and what was written: topic, severity, title, body."""
    publish_all(events)
    note()
    rows = OutgoingMessage.objects.order_by("pk")
    return list(rows.values_list("topic", "severity", "title", "body"))


def test_orders_and_fills(world: World) -> None:
    account = world.accounts[0]
    where = f"account {account.name} (rehearsal)"
    bad = make_order(account, state=states.REJECTED)
    bad.error_code = "insufficient_funds"
    done = make_order(account, state=states.CANCELED, side="sell")
    working = make_order(account, state=states.OPEN)
    deal = make_deal(done)
    events = [order_event("order.updated", each) for each in (bad, done, working)]
    assert said(*events, deal_event(deal)) == [
        (
            "orders_failed",
            "warning",
            "Order rejected: buy 0.0125 BTC/USDT",
            f"Order {bad.pk} on {where}: rejected (insufficient_funds).",
        ),
        (
            "orders_ended",
            "info",
            "Order canceled: sell 0.0125 BTC/USDT",
            f"Order {done.pk} on {where}: canceled. Filled: 0.",
        ),
        (
            "fills",
            "info",
            "Filled: sell 0.0125 BTC/USDT at 50123.45",
            f"On {where}, fee 0.0000125 BTC, realised 12.5.",
        ),
    ]


def test_signals(world: World) -> None:
    signal = Signal.objects.get()
    refused = Signal.objects.get()
    refused.state, refused.reason_code = Signal.State.REFUSED, "stale"
    number = f"Correlation id {signal.correlation_id}."
    name = f"Signal of bot {world.bot.name}"
    events = [signal_event("signal.finished", each) for each in (signal, refused)]
    assert said(*events) == [
        ("signals_finished", "info", f"{name}: 2 placed, 0 not", number),
        ("signals_refused", "warning", f"{name} refused: stale", f"Nothing was sent. {number}"),
    ]


def test_accounts_bots_and_a_switch_of_one_account(world: World) -> None:
    account, by = world.accounts[0], system_principal(world.organisation.pk)
    set_status(principal=by, account=account, status="suspended", reason="drill")
    set_bot_status(principal=by, bot=world.bot, status="paused")
    switch = switches.engage(
        principal=by, scope="account", scope_id=account.pk, level="HALTED", mode="live", reason="x"
    )
    switches.release(principal=by, switch=switch, confirm="HALTED")
    over = f"Over account {account.name} (rehearsal), live orders only."
    because = f"{over} Reason given when it was engaged: x"
    number_events()
    assert said() == [
        (
            "accounts",
            "warning",
            f"Account {account.name} (rehearsal): suspended",
            "Reason: drill.",
        ),
        (
            "bots",
            "warning",
            f"Bot {world.bot.name}: PAUSED",
            "It was changed; it reaches 2 accounts by name.",
        ),
        ("kill_switch", "critical", "Kill switch engaged: HALTED", because),
        ("kill_switch", "warning", "Kill switch released: HALTED", because),
    ]


def test_the_guard_of_a_group(world: World) -> None:
    group = Group.objects.create(organisation=world.organisation, name="Twenty")
    facts = {
        "group_id": group.pk,
        "book": "live",
        "drawdown": "10.5",
        "max_drawdown": "10",
        "reason": "seen",
    }
    events = [
        NewEvent(f"group_guard.{end}", world.organisation.pk, (), facts)
        for end in ("latched", "reset")
    ]
    assert said(*events) == [
        (
            "group_guard",
            "critical",
            "Guard of group Twenty latched",
            "It is 10.5 % below its peak, its limit is 10 %: entries of its live accounts are "
            "refused.",
        ),
        (
            "group_guard",
            "warning",
            "Guard of group Twenty reset",
            "Entries are accepted again. Reason given: seen",
        ),
    ]


def test_no_kind_is_of_two_topics_for_one_event() -> None:
    events = [
        Event(kind=kind, payload={"state": state, "severity": severity})
        for kind in {kind for topic in topics() for kind in topic.kinds}
        for state in ("REJECTED", "CANCELED", "refused", "finished", "")
        for severity in ("info", "warning", "critical", "")
    ]
    for event in events:
        of = [
            each for each in topics() if event.kind in each.kinds and each.concerns(event.payload)
        ]
        assert len(of) <= 1
