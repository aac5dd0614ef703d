"""Random fills, told in any order and repeatedly: after each step the ledger is the venue's."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import Account
from common.clock import now_ms
from exchanges.protocol import CANCELED, VenueOrder, VenueTrade
from tests.properties import ledger_checks
from tests.properties.ground import (
    STEP,
    SWAP,
    SYMBOL,
    make_account,
    make_order,
    rolled_back,
    runs,
    takes_its_time,
)
from trading import states
from trading.models import Order, Position
from trading.services import aftermath, fills
from trading.services.settlement import settle_found
from trading.services.transitions import Moves

OWNERS = (0, 7, 1_000_001)
SIDES = ("buy", "sell")
FEES: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "USDT": lambda quantity, price: quantity * price / 1000,
    "BTC": lambda quantity, price: quantity / 1000,
    "BNB": lambda quantity, price: Decimal("0.000071"),
    "NEW": lambda quantity, price: Decimal("0.5"),
    "rebate": lambda quantity, price: -quantity * price / 5000,
}
prices = st.integers(4_000_000, 6_000_000).map(lambda cents: Decimal(cents) / 100)
numbers = st.integers(0, 1000)


class LedgerMachine(RuleBasedStateMachine):
    """A venue that trades and tells of it badly; ``told`` is what the platform has heard. What was
    written is undone at the end.
    """

    undoing: Callable[[], AbstractContextManager[None]] = staticmethod(rolled_back)
    is_reassigned = False

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.use(account)
        self.undo = ExitStack()
        self.undo.enter_context(self.undoing())
        self.orders: list[Order] = []
        self.trades: list[VenueTrade] = []
        self.told: dict[str, VenueTrade] = {}
        self.start_ms = now_ms() - 60_000

    def use(self, account: Account) -> None:
        """Keep this account's ledger."""
        self.account = account
        self.symbol = SYMBOL if account.market_type == "spot" else SWAP
        self.has_sides = account.venue_position_mode == Account.VenueMode.HEDGE

    def teardown(self) -> None:
        self.undo.close()

    @rule(side=st.sampled_from(SIDES), owner=st.sampled_from(OWNERS), steps=st.integers(1, 4))
    def open_order(self, side: str, owner: int, steps: int) -> None:
        """An entry, or what turns a position round."""
        self._add_order(side=side, magic_id=owner, quantity=STEP * steps)

    @precondition(lambda self: self.held() is not None)
    @rule(pick=numbers, owner=st.sampled_from(OWNERS), steps=st.integers(1, 4))
    def exit_order(self, pick: int, owner: int, steps: int) -> None:
        """A close by one owner; one of them at a time and position."""
        position = self.held(pick)
        running = Order.objects.live().filter(position=position, magic_id=owner, reduce_only=True)
        if not running.exists():
            side = "sell" if position.side == "buy" else "buy"
            quantity = STEP * steps
            self._add_order(
                side=side, magic_id=owner, quantity=quantity, position=position, reduce_only=True
            )

    @precondition(lambda self: self.orders)
    @rule(
        pick=numbers, steps=st.integers(1, 3), price=prices, fee=st.sampled_from(sorted(FEES)),
        is_heard=st.booleans(), again=st.lists(numbers, max_size=3),
    )  # fmt: skip
    def fill(
        self, pick: int, steps: int, price: Decimal, fee: str, is_heard: bool, again: list[int]
    ) -> None:
        """One of our orders trades; we hear of it now or later, with older trades mixed in."""
        order = self.orders[pick % len(self.orders)]
        side = self._side_at_venue(order)
        if self.has_sides and order.reduce_only and STEP * steps > self._at_venue(side):
            return  # no venue closes more of a side than is there
        quantity = STEP * steps
        trade = self._trade(order.exchange_order_id, order.side, quantity, price, fee, side)
        self._tell([trade] * is_heard + [self.trades[each % len(self.trades)] for each in again])

    @rule(number=st.integers(1, 2), steps=st.integers(1, 3), price=prices)
    def somebody_else_trades(self, number: int, steps: int, price: Decimal) -> None:
        """An order that is not ours: its trades stand apart."""
        side = SIDES[number % 2]
        opens = ("long" if side == "buy" else "short") if self.has_sides else ""
        self._tell([self._trade(f"x{number}", side, STEP * steps, price, "USDT", opens)])

    @precondition(lambda self: self.trades)
    @rule(shuffled=st.randoms(use_true_random=False))
    def hear_everything(self, shuffled: object) -> None:
        """A poll that finds all there ever was, in pages without order."""
        everything = list(self.trades)
        shuffled.shuffle(everything)
        self._tell(everything)

    @precondition(lambda self: self.orders)
    @rule(pick=numbers)
    def cancel(self, pick: int) -> None:
        """The venue ends one of our orders; its fills stay."""
        order = Order.objects.select_related("account").get(
            pk=self.orders[pick % len(self.orders)].pk
        )
        filled = sum(
            (each.quantity for each in self.trades
             if each.exchange_order_id == order.exchange_order_id), Decimal(0)
        )  # fmt: skip
        with transaction.atomic():
            moves = Moves()
            settle_found(
                order,
                VenueOrder(
                    exchange_order_id=order.exchange_order_id,
                    client_order_id=order.client_order_id,
                    symbol=order.symbol, side=order.side, type="limit",
                    status=CANCELED, quantity=order.quantity, filled=filled,
                ),
                moves,
                cause="poll",
            )  # fmt: skip
            moves.flush()

    @rule()
    def sweep_dust(self) -> None:
        """What follows a finished exit, as often as the log says so."""
        finished = Order.objects.filter(reduce_only=True, state__in=states.TERMINAL)
        for close in finished.select_related("account").order_by("pk"):
            if close.filled_quantity:
                aftermath.book_dust(close)

    @invariant()
    def the_ledger_is_the_venues(self) -> None:
        """I1, I2 and I4 to I9."""
        ledger_checks.check(self.account, self.told, self.orders, is_reassigned=self.is_reassigned)

    @rule()
    def rebuild(self) -> None:
        """A replay of the deals changes nothing."""
        ledger_checks.check_rebuild(self.account)

    def held(self, pick: int = 0) -> Position | None:
        """One of the open positions that are ours."""
        rows = Position.objects.open().filter(account=self.account, allocated=True)
        found = list(rows.order_by("pk"))
        return found[pick % len(found)] if found else None

    def _side_at_venue(self, order: Order) -> str:
        """Which of the two positions of a venue in hedge mode an order concerns."""
        if not self.has_sides:
            return ""
        return "long" if (order.side == "buy") != order.reduce_only else "short"

    def _at_venue(self, side: str) -> Decimal:
        quantities = (
            each.quantity if (each.side == "buy") == (side == "long") else -each.quantity
            for each in self.trades
            if each.position_side == side
        )  # fmt: skip
        return sum(quantities, Decimal(0))

    def _add_order(self, **values: object) -> None:
        number = len(self.orders)
        order = make_order(
            self.account, symbol=self.symbol, exchange_order_id=f"o{number}", **values
        )
        self.orders.append(order)

    def _trade(
        self, order_id: str, side: str, quantity: Decimal, price: Decimal, fee: str, position: str
    ) -> VenueTrade:
        number = len(self.trades)
        trade = VenueTrade(
            trade_id=str(100 + number),
            exchange_order_id=order_id,
            symbol=self.symbol,
            side=side,
            quantity=quantity,
            price=price,
            fee=FEES[fee](quantity, price),
            fee_currency="USDT" if fee == "rebate" else fee,
            executed_ms=self.start_ms + number // 2,
            position_side=position,
        )
        self.trades.append(trade)
        return trade

    def _tell(self, trades: list[VenueTrade]) -> None:
        with transaction.atomic():
            fills.locked_cursor(self.account, self.symbol)
            moves = Moves()
            fills.import_trades(self.account, self.symbol, trades, moves)
            moves.flush()
        self.told |= {trade.trade_id: trade for trade in trades}


@pytest.fixture
def account(db: None) -> Account:
    """The account whose ledger is kept."""
    return make_account()


@takes_its_time
def test_the_ledger_stays_the_venues_whatever_is_told(account: Account) -> None:
    run_state_machine_as_test(lambda: LedgerMachine(account), settings=runs(stateful_step_count=10))


@pytest.fixture
def books(db: None) -> list[Account]:
    """A hedging account on spot, and all four combinations of our mode and the venue's."""
    ours, venues = Account.PositionMode, Account.VenueMode
    return [
        make_account(position_mode=ours.HEDGE),
        *(
            make_account(market_type="swap", position_mode=mode, venue_position_mode=venue)
            for mode in (ours.NETTING, ours.HEDGE)
            for venue in (venues.ONE_WAY, venues.HEDGE)
        ),
    ]


class AnyBookMachine(LedgerMachine):
    """The same in an account of any of several kinds."""

    def __init__(self, books: list[Account]) -> None:
        super().__init__(books[0])
        self.books = books

    @initialize(number=numbers)
    def open_book(self, number: int) -> None:
        """Whose ledger this is about."""
        self.use(self.books[number % len(self.books)])


@takes_its_time
def test_the_same_in_hedging_accounts_and_at_venues_of_both_modes(books: list[Account]) -> None:
    run_state_machine_as_test(lambda: AnyBookMachine(books), settings=runs(stateful_step_count=10))


def test_a_small_entry_after_a_close_is_not_its_dust(account: Account) -> None:
    venue = LedgerMachine(account)
    price = Decimal(50000)
    venue.open_order("buy", 0, 2)
    venue.fill(0, 2, price, "BTC", is_heard=True, again=[])
    venue.exit_order(0, 0, 1)
    venue.fill(1, 1, price, "USDT", is_heard=True, again=[])
    venue.sweep_dust()
    assert venue.held() is None
    venue.open_order("buy", 0, 1)
    venue.fill(2, 1, price, "BTC", is_heard=True, again=[])
    venue.sweep_dust()
    assert venue.held().quantity == STEP * Decimal("0.999")
    venue.the_ledger_is_the_venues()
    venue.teardown()
