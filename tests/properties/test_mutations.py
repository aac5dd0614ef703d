"""The property tests find what they are there for: each fault put in on purpose makes one fail."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from accounts.models import Account
from exchanges.protocol import VenueTrade
from tests.properties.ground import make_account, quick_runs
from tests.properties.test_ledger import LedgerMachine
from tests.properties.test_order_states import HELD_FOR_DEAD, LATE, tell
from tests.properties.venue_story import Message
from trading import states
from trading.models import Order
from trading.positions import Fill
from trading.services import fills, folding, reconcile

Mutation = Callable[[pytest.MonkeyPatch], None]


def no_memory_of_trade_ids(patch: pytest.MonkeyPatch) -> None:
    """Each telling of a trade is taken for a new trade."""
    genuine, numbers = fills.import_trades, count()

    def careless(account: Account, symbol: str, trades: Sequence[VenueTrade], *more: Any) -> int:
        again = [replace(each, trade_id=f"{each.trade_id}.{next(numbers)}") for each in trades]
        return genuine(account, symbol, again, *more)

    patch.setattr(fills, "import_trades", careless)


def fee_folded_into_the_price(patch: pytest.MonkeyPatch) -> None:
    genuine = folding.fill_of

    def careless(deal: Any) -> Fill:
        fill = genuine(deal)
        return replace(fill, price=fill.price + fill.fee / fill.net_quantity)

    patch.setattr(folding, "fill_of", careless)


def fills_incremented_by_each_message(patch: pytest.MonkeyPatch) -> None:
    genuine = fills.import_trades

    def careless(account: Account, symbol: str, trades: Sequence[VenueTrade], *more: Any) -> int:
        fresh = genuine(account, symbol, trades, *more)
        for trade in trades[fresh:]:
            for order in Order.objects.filter(exchange_order_id=trade.exchange_order_id):
                order.filled_quantity += trade.quantity
                order.save(update_fields=["filled_quantity"])
        return fresh

    patch.setattr(fills, "import_trades", careless)


def fee_in_base_not_taken_off(patch: pytest.MonkeyPatch) -> None:
    genuine = folding.fold_deal

    def careless(deal: Any, *more: Any, **names: Any) -> None:
        deal.net_quantity = deal.quantity
        genuine(deal, *more, **names)

    patch.setattr(fills, "fold_deal", careless)


def exits_taken_from_the_wrong_owner(patch: pytest.MonkeyPatch) -> None:
    genuine = folding.fill_of
    patch.setattr(folding, "fill_of", lambda deal: replace(genuine(deal), magic_id=0))


@pytest.mark.parametrize(
    "mutation",
    [no_memory_of_trade_ids, fee_folded_into_the_price, fills_incremented_by_each_message],
)
def test_the_ledger_machine_finds(
    db: None, mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make_account()
    mutation(monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            lambda: LedgerMachine(account), settings=quick_runs(stateful_step_count=12)
        )


@pytest.mark.parametrize("mutation", [fee_in_base_not_taken_off, exits_taken_from_the_wrong_owner])
def test_one_fill_shows(db: None, mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = LedgerMachine(make_account())
    mutation(monkeypatch)
    venue.open_order("buy", 7, 2)
    venue.fill(0, 1, Decimal(50000), "BTC", is_heard=True, again=[])
    with pytest.raises(AssertionError):
        venue.the_ledger_is_the_venues()
    venue.teardown()


def test_a_close_that_is_not_cut_shows(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hedging account's position must not turn round."""
    venue = LedgerMachine(make_account(position_mode=Account.PositionMode.HEDGE))
    monkeypatch.setattr(folding, "_parts", lambda deal, positions: [(deal, positions[0])])
    venue.open_order("buy", 7, 1)
    venue.fill(0, 1, Decimal(50000), "USDT", is_heard=True, again=[])
    venue.exit_order(0, 7, 1)
    venue.fill(1, 2, Decimal(50000), "USDT", is_heard=True, again=[])
    with pytest.raises(AssertionError):
        venue.the_ledger_is_the_venues()
    venue.teardown()


def any_state_follows_any(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(states, "may_move", lambda old, new: old != new)


def trades_without_their_order_are_strangers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconcile, "_unexplained", lambda *report: [])


def late_orders_are_not_adopted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconcile, "_adopt", lambda *report: None)


@pytest.mark.parametrize(
    ("mutation", "heard"),
    [
        (any_state_follows_any, [Message("answer"), Message("no answer")]),
        (trades_without_their_order_are_strangers, [*HELD_FOR_DEAD, Message("blind poll")]),
        (late_orders_are_not_adopted, HELD_FOR_DEAD),
    ],
)
def test_one_story_shows(
    db: None, mutation: Mutation, heard: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make_account()
    tell(account, LATE, heard)
    mutation(monkeypatch)
    with pytest.raises(AssertionError):
        tell(account, LATE, heard)
