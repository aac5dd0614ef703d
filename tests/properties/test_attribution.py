"""close_by and reassign among random fills, in every pair of our mode and the venue's: quantity,
cash and fees stay what the venue has, a rebuild from the deals finds the rows as they are, and what
is refused moves nothing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import QuerySet
from hypothesis import example, given
from hypothesis import strategies as st

from accounts.models import Account
from common.errors import DomainError
from tests.properties.ground import RUNS, STEP, platform_of, runs
from tests.properties.ledger_checks import check_rebuild, near
from tests.properties.test_ledger import FEES, SIDES, LedgerMachine, books, numbers, prices
from trading.models import Command, Deal, Lot, Order, Position
from trading.services.closing_by import close_by
from trading.services.folding import is_hedging
from trading.services.reassigning import Wish, reassign
from trading.services.venue_marks import is_per_side

__all__ = ["books"]
# Side, owner and steps of the orders that were filled before.
START = ((0, 0, 3), (1, 7, 2), (0, 7, 2), (1, 0, 4))
MISSING = 10**9
FACTS = ("pk", "side", "quantity", "net_quantity", "price", "fee", "fee_quote", "exchange_trade_id")
CLOSINGS = (
    *("whole", "part") * 3, "half a step", "too much", "any of ours", "nobody's", "missing",
)  # fmt: skip
WISHES = (
    *("good",) * 7, "nothing stated", "no reason", "no such owner", "no such row",
    "no such position", "any position",
)  # fmt: skip
NOT_GIVEN_OUT = 1_000_001
OUTCOMES = {
    "close_by": {
        "done", "account_not_hedging", "venue_hedge_mode", "position_not_reconciled",
        "positions_not_opposite", "position_close_in_progress", "quantity_above_position",
        "off_precision", "position_not_found",
    },
    "reassign": {
        "done", "already_owned", "internal_deal", "order_not_finished",
        "position_close_in_progress", "position_would_turn", "position_not_found",
        "invalid_position_id", "deal_not_found", "order_not_found", "validation_error",
    },
}  # fmt: skip
Act = tuple[str, dict[str, Any]]
# Ledgers (by their place among the books) in which each act changes something: two hedging ones at
# venues that net can close by, all five reassign.
CHANGES = {("close_by", 0), ("close_by", 3), *(("reassign", number) for number in range(5))}
# Those named twice come more often.
LEDGERS = (0, 1, 2, 3, 4, 0, 3, 4)


class StartedMachine(LedgerMachine):
    """A ledger that is kept: orders of both sides and two owners, filled, and strangers' trades."""

    undoing = staticmethod(nullcontext)

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        fees = sorted(FEES)
        for place, (side, owner, steps) in enumerate(START):
            self.open_order(SIDES[side], owner, steps)
            price = Decimal(50_000 + 500 * place)
            self.fill(place, steps, price, fees[place], is_heard=True, again=[])
        self.somebody_else_trades(1, 1, Decimal(51_000))
        self.open_order("buy", 7, 2)


class AttributionMachine(LedgerMachine):
    """Goes on with one of the ledgers. ``seen`` counts what came of the acts, ``moved`` in which of
    the ledgers something changed.
    """

    seen: Counter[tuple[str, str]] = Counter()
    moved: Counter[tuple[str, int]] = Counter()

    def __init__(self, ledgers: Sequence[StartedMachine], number: int) -> None:
        kept = ledgers[number]
        super().__init__(kept.account)
        self.number = number
        self.orders, self.trades, self.told = [*kept.orders], [*kept.trades], {**kept.told}

    @contextmanager
    def _refusing(self, act: str) -> Iterator[None]:
        """Count what came of an act; one that is refused has moved nothing."""
        before = stored(self.account)
        try:
            yield
        except DomainError as error:
            self.seen[act, error.code] += 1
            assert stored(self.account) == before
            raise
        self.seen[act, "done"] += 1

    def close_by(self, one: int, other: int, how: str) -> None:
        """Two positions end each other, where that can be; a repeat does nothing."""
        rows = list(Position.objects.open().filter(account=self.account).order_by("pk"))
        ours = [row for row in rows if row.allocated]
        if not ours:
            return
        position = ours[one % len(ours)]
        others = {
            "any of ours": ours,
            "nobody's": [row for row in rows if not row.allocated],
            "missing": [Position(pk=MISSING)],
        }.get(how, [row for row in ours if row.side != position.side])
        by = others[other % len(others)] if others else position
        most = min(position.quantity, by.quantity)
        quantity = {"part": STEP, "half a step": STEP / 2, "too much": most + STEP}.get(how)
        with suppress(DomainError):
            self._close_by(position, by, quantity, most if quantity is None else quantity)

    def _close_by(
        self, one: Position, by: Position, wanted: Decimal | None, quantity: Decimal
    ) -> None:
        mine = {
            "principal": platform_of(self.account), "account": self.account, "quantity": wanted,
            "position_id": one.pk, "by_id": by.pk, "request_id": uuid4().hex,
        }  # fmt: skip
        with self._refusing("close_by"):
            command = close_by(**mine)
        self.moved["close_by", self.number] += 1
        self._check_closed(one, by, quantity)
        after = stored(self.account)
        assert close_by(**mine) == command
        assert stored(self.account) == after

    def _check_closed(self, one: Position, by: Position, quantity: Decimal) -> None:
        """Both gave up the quantity, no fee, and earned together what lay between them."""
        assert is_hedging(self.account)
        assert not is_per_side(self.account)
        assert one.side != by.side
        kept = [one.fees, by.fees, one.quantity - quantity, by.quantity - quantity]
        short, long = sorted((one, by), key=lambda row: row.side == "buy")
        between = Fraction(short.average_price) - Fraction(long.average_price)
        earned = Fraction(one.realised + by.realised) + Fraction(quantity) * between
        for row in (one, by):
            row.refresh_from_db()
        assert [one.fees, by.fees, one.quantity, by.quantity] == kept
        assert near(one.realised + by.realised, earned)

    def reassign(
        self, picks: list[int], whole: bool, where: str, pick: int, owner: int, wish: str
    ) -> None:
        """Deals, or orders with theirs, get another owner or position, where that can be."""
        rows = Order if whole else Deal
        ids = self._picked(rows.objects.filter(account=self.account), picks)
        ids |= {MISSING} if wish == "no such row" else set()
        positions = Position.objects.filter(account=self.account)
        if wish != "any position":
            positions = positions.filter(allocated=True)
        target = max(self._picked(positions, [pick]), default=0) if where == "named" else 0
        with suppress(DomainError):
            self._reassign(
                Wish(
                    deal_ids=() if whole else ids,
                    order_ids=ids if whole else (),
                    magic_id=NOT_GIVEN_OUT if wish == "no such owner" else owner,
                    position_id=MISSING if wish == "no such position" else target,
                    override=wish != "nothing stated",
                    reason="" if wish == "no reason" else "as it was meant",
                )
            )

    @staticmethod
    def _picked(rows: QuerySet[Any], picks: Sequence[int]) -> set[int]:
        found = list(rows.order_by("pk").values_list("pk", flat=True))
        return {found[each % len(found)] for each in picks if found}

    def _reassign(self, wish: Wish) -> None:
        """A preview tells the same and moves nothing, a repeat finds nothing to do, and what a deal
        is about stays.
        """
        mine = {"principal": platform_of(self.account), "account": self.account, "wish": wish}
        before, facts = stored(self.account), facts_of(self.account)
        with self._refusing("reassign"):
            told = reassign(**mine, preview=True)
        assert stored(self.account) == before
        done = reassign(**mine)
        self.is_reassigned = self.is_reassigned or bool(done.deals)
        assert (done.deals, done.orders) == (told.deals, told.orders)
        assert facts_of(self.account) == facts
        assert (done.deals, done.orders) != (0, 0) or stored(self.account) == before
        self.moved["reassign", self.number] += bool(done.deals)
        if not wish.position_id or Position.objects.filter(pk=wish.position_id).exists():
            again = reassign(**mine)
            assert (again.deals, again.orders) == (0, 0)


def stored(account: Account) -> list[list[dict[str, Any]]]:
    """Everything that an act may change of an account's ledger."""
    mine = {"account": account}
    rows = (
        Deal.objects.filter(**mine),
        Position.objects.filter(**mine),
        Lot.objects.filter(position__account=account),
        Order.objects.filter(**mine),
        Command.objects.filter(**mine),
    )
    return [list(each.order_by("pk").values()) for each in rows]


def facts_of(account: Account) -> list[tuple[Any, ...]]:
    """What of its deals never changes."""
    return list(Deal.objects.filter(account=account).order_by("pk").values_list(*FACTS))


@pytest.fixture
def ledgers(books: list[Account]) -> list[StartedMachine]:
    """One ledger of each kind, begun."""
    return [StartedMachine(account) for account in books]


def some(name: str, **draws: st.SearchStrategy[Any]) -> st.SearchStrategy[Act]:
    """One of the machine's acts with what it is given."""
    return st.tuples(st.just(name), st.fixed_dictionaries(draws))


def acts() -> st.SearchStrategy[list[Act]]:
    """What happens to a ledger: twice a trade, a close_by and a reassignment, in any order."""
    steps, owners, sides = st.integers(1, 3), st.sampled_from((0, 7)), st.sampled_from(SIDES)
    closing = some("close_by", one=numbers, other=numbers, how=st.sampled_from(CLOSINGS))
    moving = some(
        "reassign",
        picks=st.lists(numbers, min_size=1, max_size=3),
        whole=st.booleans(),
        where=st.sampled_from(("by rule", "named")),
        pick=numbers,
        owner=owners,
        wish=st.sampled_from(WISHES),
    )
    trade = some(
        "fill", pick=numbers, steps=steps, price=prices, fee=st.sampled_from(sorted(FEES)),
        is_heard=st.booleans(), again=st.lists(numbers, max_size=3),
    )  # fmt: skip
    others = (
        trade,
        some("open_order", side=sides, owner=owners, steps=steps),
        some("exit_order", pick=numbers, owner=owners, steps=steps),
        some("somebody_else_trades", number=st.integers(1, 2), steps=steps, price=prices),
        some("cancel", pick=numbers),
        some("sweep_dust"),
    )
    rounds = st.lists(
        st.permutations((st.one_of(*others), closing, moving)).flatmap(in_turn),
        min_size=2,
        max_size=2,
    )
    return rounds.map(lambda found: [act for each in found for act in each])


def in_turn(order: Sequence[st.SearchStrategy[Act]]) -> st.SearchStrategy[tuple[Act, ...]]:
    """One act of each strategy, in that order."""
    return st.tuples(*order)


def run(machine: LedgerMachine, story: Sequence[Act]) -> None:
    """Let it all happen: after each act the ledger is the venue's, at the end its replay too."""
    try:
        for name, words in story:
            if name != "exit_order" or machine.held() is not None:
                getattr(machine, name)(**words)
                machine.the_ledger_is_the_venues()
        check_rebuild(machine.account)
    finally:
        machine.teardown()


# A purchase at another price joins the position that others were closed against.
ANOTHER_AVERAGE: list[Act] = [
    ("close_by", {"one": 0, "other": 0, "how": "whole"}),
    ("close_by", {"one": 2, "other": 0, "how": "whole"}),
    (
        "reassign",
        {"picks": [2], "whole": False, "where": "named", "pick": 0, "owner": 0, "wish": "good"},
    ),
]
ONE_WAY, PER_SIDE = 3, 4


@pytest.mark.parametrize(
    ("number", "moved", "to", "code"),
    [
        # An earlier purchase into a short position; a later one closes it, in our books alone.
        (ONE_WAY, 0, 1, "position_would_turn"),
        (PER_SIDE, 0, 1, "position_would_turn"),
        (ONE_WAY, 2, 1, ""),
        (PER_SIDE, 2, 1, "invalid_position_id"),
        (PER_SIDE, 2, 0, ""),
    ],
)
def test_a_deal_stays_on_its_side_of_the_exchange(
    ledgers: list[StartedMachine], number: int, moved: int, to: int, code: str
) -> None:
    ledger = ledgers[number]
    before = stored(ledger.account)
    deals = list(Deal.objects.filter(account=ledger.account).order_by("pk"))
    wish = Wish([deals[moved].pk], (), 7, deals[to].position_id, override=True, reason="so")
    mine = {"principal": platform_of(ledger.account), "account": ledger.account, "wish": wish}
    if code:
        with pytest.raises(DomainError) as refusal:
            reassign(**mine)
        assert refusal.value.code == code
        assert stored(ledger.account) == before
    else:
        assert reassign(**mine).deals == 1
    ledger.the_ledger_is_the_venues()


def test_an_exit_that_stays_alone_opens_nothing(ledgers: list[StartedMachine]) -> None:
    ledger = ledgers[ONE_WAY]
    ledger.exit_order(0, 0, 1)
    ledger.fill(len(START) + 1, 1, Decimal(51_000), "USDT", is_heard=True, again=[])
    entry, *_, other = Deal.objects.filter(account=ledger.account, side="buy").order_by("pk")
    before = stored(ledger.account)
    wish = Wish([entry.pk], (), 0, other.position_id, override=True, reason="so")
    with pytest.raises(DomainError) as refusal:
        reassign(principal=platform_of(ledger.account), account=ledger.account, wish=wish)
    assert refusal.value.code == "position_would_turn"
    assert stored(ledger.account) == before
    ledger.the_ledger_is_the_venues()


@pytest.mark.timeout(60 + 3 * RUNS)
def test_quantity_cash_and_fees_are_conserved_in_every_pair_of_modes(
    ledgers: list[StartedMachine],
) -> None:
    AttributionMachine.seen.clear()
    AttributionMachine.moved.clear()

    @runs()
    @given(number=st.sampled_from(LEDGERS), story=acts())
    @example(number=0, story=ANOTHER_AVERAGE)
    def whatever_happens(number: int, story: list[Act]) -> None:
        run(AttributionMachine(ledgers, number), story)

    whatever_happens()
    print(sorted(AttributionMachine.seen.items()), sorted(AttributionMachine.moved.items()))
    # The stories really go everywhere, and nothing is refused for a reason that is not known here.
    assert set(+AttributionMachine.moved) == CHANGES
    for act, outcome in AttributionMachine.seen:
        assert outcome in OUTCOMES[act]
