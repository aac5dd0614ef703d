"""Terminating a bot: everything on its accounts, or only what it owns, and what that would be."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from bots.models import Bot
from bots.services import preview_termination, terminate
from common.errors import Invalid
from events.models import AuditRecord
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading.models import Lot, Order, Position
from trading.services.commands import submit
from trading.services.intents import OrderIntent


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """An account on which the bot holds 0.004 BTC, somebody else 0.01, and both have an entry
    that rests.
    """
    desk = make_desk(1)
    send(desk)
    account = desk.accounts[0].pk
    resting = {"type": "limit", "price": Decimal(40_000), "quantity": Decimal("0.001")}
    intents = [
        OrderIntent(account, "BTC/USDT", "buy", quantity=Decimal("0.01")),
        OrderIntent(account, "BTC/USDT", "buy", **resting),
        OrderIntent(account, "BTC/USDT", "buy", magic_id=desk.bot.magic_id, **resting),
    ]
    submit(principal=desk.principal, intents=intents, source="test")
    desk.run_orders()
    desk.settle()
    return desk


def held(desk: Desk) -> dict[int, Decimal]:
    """The lots of the open position by owner."""
    rows = Lot.objects.filter(position__state="open", position__allocated=True)
    return dict(rows.exclude(quantity=Decimal(0)).values_list("magic_id", "quantity"))


def test_the_bots_own_is_ended_and_the_others_stays(desk: Desk) -> None:
    mine = desk.bot.magic_id
    others = held(desk)[0]
    resting = {order.magic_id: order for order in Order.objects.filter(state="OPEN")}
    (told,) = preview_termination(principal=desk.principal, bot=desk.bot, scope="bot")
    assert told.orders == [resting[mine].pk]
    assert told.positions == [Position.objects.open().get(allocated=True).pk]
    assert terminate(principal=desk.principal, bot=desk.bot, scope="bot") == (1, [])
    desk.run_orders()
    desk.settle()
    left = held(desk)
    assert left[0] == others
    assert abs(left.get(mine, Decimal(0))) < Decimal("0.00001")  # less than a step
    for order in resting.values():
        order.refresh_from_db()
    assert (resting[mine].state, resting[0].state) == ("CANCELED", "OPEN")
    assert Bot.objects.get().status == "PAUSED"
    assert AuditRecord.objects.get(action="bot.terminated").after == {"scope": "bot"}


def test_a_preview_does_nothing(desk: Desk) -> None:
    orders = Order.objects.count()
    (told,) = preview_termination(principal=desk.principal, bot=desk.bot)
    assert len(told.orders) == 2
    assert (Order.objects.count(), Order.objects.filter(state="OPEN").count()) == (orders, 2)
    assert Bot.objects.get().status == "ACTIVE"
    assert not AuditRecord.objects.filter(action__in=["bot.terminated", "account.terminate"])


def test_the_scope_of_accounts_ends_everything(desk: Desk) -> None:
    assert terminate(principal=desk.principal, bot=desk.bot) == (1, [])
    desk.run_orders()
    desk.settle()
    assert held(desk) == {}
    assert set(Order.objects.values_list("state", flat=True)) == {"FILLED", "CANCELED"}


def test_an_unknown_scope_is_refused_before_anything_is_done(desk: Desk) -> None:
    with pytest.raises(Invalid):
        terminate(principal=desk.principal, bot=desk.bot, scope="world")
    assert Bot.objects.get().status == "ACTIVE"
