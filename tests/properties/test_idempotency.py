"""Any interleaving of repeated requests is one command and one execution."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from decimal import Decimal
from itertools import count
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from accounts.models import Account
from common.errors import Conflict
from events.models import Event
from exchanges.protocol import MarketRules
from riskmgmt.models import Reservation
from tests.processes.test_claims import race
from tests.properties.ground import (
    STEP,
    SYMBOL,
    make_account,
    make_order,
    platform_of,
    rolled_back,
    runs,
    takes_its_time,
)
from tests.waiting import PATIENCE
from trading import states
from trading.models import Command, Execution, Lot, Order, OrderEvent, Position
from trading.services import cancelling, claims, commands
from trading.services.closing import close_position
from trading.services.commands import submit
from trading.services.intents import OrderIntent
from trading.services.market_view import MarketView, Seen

KEYS = ("k1", "k2")
PRICE = Decimal(50000)
RULES = MarketRules(SYMBOL, "BTC", "USDT", "spot", amount_step=STEP, price_step=Decimal("0.01"))
TABLES = (Execution, Command, Order, OrderEvent, Reservation, Event)


def quiet_market(account: Account, *symbols: str) -> MarketView:
    """What the venue says of the symbols, without a venue."""
    seen = Seen(RULES, PRICE)
    return MarketView({(account.venue, account.is_testnet, each): seen for each in symbols})


def buy(account: Account, key: str, steps: int) -> Execution:
    """One entry under a key; the steps are the payload."""
    return submit(
        principal=platform_of(account),
        intents=[OrderIntent(account.pk, SYMBOL, "buy", quantity=STEP * steps)],
        source="api",
        correlation_id=key,
        markets=quiet_market(account, SYMBOL),
    )


def sizes() -> list[int]:
    """How many rows everything has that a request may write."""
    return [table.objects.count() for table in TABLES]


class RequestMachine(RuleBasedStateMachine):
    """Two keys, few payloads, three kinds of request and a worker in between."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.account = account
        self.undo = ExitStack()
        self.undo.enter_context(rolled_back())
        self.first: dict[tuple[str, str], tuple[object, int]] = {}
        self.claimed: list[int] = []
        self.waiting = [make_order(account, state=states.UNKNOWN) for _ in range(2)]

    def teardown(self) -> None:
        self.undo.close()

    def _ask(self, kind: str, key: str, payload: object, act: Callable[[], Any]) -> None:
        """Ask once more: the first answer, or a refusal that leaves no trace."""
        before = sizes()
        known = self.first.get((kind, key))
        if known is None:
            self.first[kind, key] = (payload, act().pk)
            return
        if known[0] == payload:
            assert act().pk == known[1]
        else:
            with pytest.raises(Conflict) as refused:
                act()
            assert refused.value.code == "idempotency_mismatch"
        assert sizes() == before

    @rule(key=st.sampled_from(KEYS), steps=st.integers(1, 2))
    def ask_to_buy(self, key: str, steps: int) -> None:
        self._ask("buy", key, steps, lambda: buy(self.account, key, steps))

    @rule(key=st.sampled_from(KEYS), which=st.integers(0, 1))
    def ask_to_cancel(self, key: str, which: int) -> None:
        order = Order.objects.get(pk=self.waiting[which].pk)
        principal = platform_of(self.account)
        self._ask(
            "cancel", key, which,
            lambda: cancelling.cancel_order(principal=principal, order=order, request_id=key),
        )  # fmt: skip

    @rule(keys=st.lists(st.sampled_from(KEYS), max_size=3))
    def work(self, keys: list[str]) -> None:
        """A worker hears of the orders, as often as messages are delivered."""
        orders = Order.objects.filter(command__execution__isnull=False)
        ids = list(orders.values_list("pk", flat=True))
        for _ in keys:
            self.claimed += [order.pk for order in claims.claim_orders(ids).orders]

    @invariant()
    def one_key_is_one_command(self) -> None:
        bought = [pk for (kind, _), (_, pk) in self.first.items() if kind == "buy"]
        cancels = [pk for (kind, _), (_, pk) in self.first.items() if kind == "cancel"]
        assert sorted(Execution.objects.values_list("pk", flat=True)) == sorted(bought)
        legs = Command.objects.filter(execution__isnull=False)
        assert sorted(legs.values_list("execution", flat=True)) == sorted(bought)
        wishes = Command.objects.filter(kind=Command.Kind.CANCEL_ORDER)
        assert sorted(wishes.values_list("pk", flat=True)) == sorted(cancels)
        assert len(self.claimed) == len(set(self.claimed))


@pytest.fixture
def account(db: None) -> Account:
    """The account that is traded on."""
    return make_account()


@pytest.fixture
def shared_account(transactional_db: None) -> Account:
    """The same, for several connections."""
    return make_account()


@takes_its_time
def test_repeated_requests_are_one_command(account: Account) -> None:
    run_state_machine_as_test(lambda: RequestMachine(account), settings=runs(stateful_step_count=6))


def outcomes(threads: int, act: Callable[[int], Any]) -> list[str]:
    """What each of several simultaneous requests came to: the row's id, or the refusal's code."""
    found: list[str] = []

    def attempt(number: int) -> None:
        try:
            found.append(str(act(number).pk))
        except Conflict as refused:
            found.append(refused.code)

    race(threads, attempt)
    return found


def test_simultaneous_repeats_are_one_command(shared_account: Account) -> None:
    for key in ("k1", "k2", "k3"):
        found = outcomes(4, lambda _, key=key: buy(shared_account, key, 1))
        assert found == [str(Execution.objects.get(correlation_id=key).pk)] * 4
    assert (Command.objects.count(), Order.objects.count()) == (3, 3)
    assert Reservation.objects.count() == 3


def test_of_simultaneous_payloads_under_one_key_one_wins_and_the_others_are_told(
    shared_account: Account,
) -> None:
    found = outcomes(4, lambda number: buy(shared_account, "k1", 1 + number))
    winner = str(Execution.objects.get().pk)
    assert sorted(found) == sorted([winner, *["idempotency_mismatch"] * 3])
    assert (Command.objects.count(), Order.objects.count()) == (1, 1)


def cancels_at_once(orders: list[Order], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cancel orders under one key, each holding its row while the other does, where a database
    lets them.
    """
    both_hold = Barrier(len(orders))
    genuine_lock = cancelling.locked_order

    def lock(order: Order) -> Order:
        row = genuine_lock(order)
        with suppress(BrokenBarrierError):
            both_hold.wait(0.3)
        return row

    monkeypatch.setattr(cancelling, "locked_order", lock)

    def cancel(number: int) -> Command:
        order = Order.objects.get(pk=orders[number].pk)
        return cancelling.cancel_order(
            principal=platform_of(order.account), order=order, request_id="c1"
        )

    return outcomes(len(orders), cancel)


def test_simultaneous_cancels_under_one_key_are_one_command(
    shared_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = make_order(shared_account, state=states.CREATED)
    found = cancels_at_once([order] * 3, monkeypatch)
    assert found == [str(Command.objects.get(kind=Command.Kind.CANCEL_ORDER).pk)] * 3


def test_simultaneous_cancels_of_two_orders_under_one_key_are_one_and_a_refusal(
    shared_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [make_order(shared_account, state=states.UNKNOWN) for _ in range(2)]
    found = cancels_at_once(orders, monkeypatch)
    command = Command.objects.get(kind=Command.Kind.CANCEL_ORDER)
    assert sorted(found) == sorted([str(command.pk), "idempotency_mismatch"])
    wished = Order.objects.exclude(cancel_requested_at=None)
    assert [order.pk for order in wished] == [command.payload["order_id"]]


def test_without_the_unique_key_the_same_race_is_two_executions(
    shared_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: looking for the first answer before writing is not enough."""
    looked = Barrier(2)
    genuine_look, genuine_save, numbers = commands.earlier_execution, Execution.save, count()

    def look(*args: Any) -> Execution | None:
        found = genuine_look(*args)
        looked.wait(PATIENCE)
        return found

    def save_without_key(execution: Execution) -> None:
        execution.correlation_id = f"k1-{next(numbers)}"
        genuine_save(execution)

    monkeypatch.setattr(commands, "earlier_execution", look)
    monkeypatch.setattr(Execution, "save", save_without_key)
    found = outcomes(2, lambda _: buy(shared_account, "k1", 1))
    assert len(set(found)) == Execution.objects.count() == Order.objects.count() == 2


def test_a_close_under_a_used_key_is_the_first_one_or_refused(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        commands, "view_markets", lambda accounts, symbols: quiet_market(account, *symbols)
    )
    for symbol in (SYMBOL, "ETH/USDT"):
        position = Position.objects.create(
            organisation_id=account.organisation_id, account=account, book=account.book,
            symbol=symbol, side="buy", quantity=STEP, average_price=PRICE,
        )  # fmt: skip
        Lot.objects.create(position=position, quantity=STEP, average_price=PRICE)

    def close(symbol: str) -> Execution:
        return close_position(
            principal=platform_of(account), account=account, symbol=symbol, request_id="k1"
        )

    first = close(SYMBOL)
    before = sizes()
    assert close(SYMBOL).pk == first.pk
    with pytest.raises(Conflict) as refused:
        close("ETH/USDT")
    assert refused.value.code == "idempotency_mismatch"
    with pytest.raises(Conflict) as running:
        close_position(principal=platform_of(account), account=account, symbol=SYMBOL)
    assert running.value.code == "position_close_in_progress"
    assert running.value.details == {"order_id": Order.objects.get().pk}
    assert sizes()[2:5] == before[2:5]
