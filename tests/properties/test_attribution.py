"""close_by and reassign among random fills, in every pair of our mode and the venue's: quantity,
cash and fees stay what the venue has, and a rebuild from the deals finds the rows as they are.
"""

from collections import Counter
from contextlib import suppress
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from accounts.models import Account
from common.errors import DomainError
from tests.properties.ground import RUNS, STEP, platform_of, runs, takes_its_time
from tests.properties.test_ledger import FEES, SIDES, LedgerMachine, books, numbers
from trading.models import Deal, Order, Position
from trading.services.closing_by import close_by
from trading.services.reassigning import Wish, reassign

__all__ = ["books"]
START = ((0, 0, 3), (1, 7, 2), (0, 7, 2), (1, 0, 4))


class AttributionMachine(LedgerMachine):
    """A ledger with something in it on both sides; ``done`` counts what really happened."""

    done: Counter[str] = Counter()

    def __init__(self, books: list[Account]) -> None:
        super().__init__(books[0])
        self.books = books

    @initialize(number=numbers, fee=st.sampled_from(sorted(FEES)))
    def trade_before(self, number: int, fee: str) -> None:
        """Orders of both sides and two owners, filled, and somebody else's trade."""
        self.use(self.books[number % len(self.books)])
        for place, (side, owner, steps) in enumerate(START):
            self.open_order(SIDES[side], owner, steps)
            price = Decimal(50_000 + 500 * place)
            self.fill(place, steps, price, fee, is_heard=True, again=[])
        self.somebody_else_trades(1, 1, Decimal(51_000))

    @rule(one=numbers, other=numbers, steps=st.integers(0, 2))
    def close_by(self, one: int, other: int, steps: int) -> None:
        """Two of our positions end each other, where that can be."""
        position = self.held(one)
        if position is None:
            return
        rows = Position.objects.open().filter(account=self.account, allocated=True)
        others = list(rows.exclude(side=position.side).order_by("pk")) or [position]
        with suppress(DomainError):
            close_by(
                principal=platform_of(self.account),
                account=self.account,
                position_id=position.pk,
                by_id=others[other % len(others)].pk,
                quantity=STEP * steps if steps else None,
            )
            self.done["close_by"] += 1

    @rule(
        picks=st.lists(numbers, min_size=1, max_size=3), whole=st.booleans(), pick=numbers,
        owner=st.sampled_from((0, 7)), names=st.booleans(),
    )  # fmt: skip
    def reassign(self, picks: list[int], whole: bool, pick: int, owner: int, names: bool) -> None:
        """Deals, or orders with theirs, get another owner or position, where that can be; a preview
        tells the same and moves nothing, a repeat finds nothing to do.
        """
        rows = Order if whole else Deal
        ids = list(
            rows.objects.filter(account=self.account).order_by("pk").values_list("pk", flat=True)
        )
        chosen = {ids[each % len(ids)] for each in picks}
        target = self.held(pick) if names else None
        wish = Wish(
            deal_ids=() if whole else chosen,
            order_ids=chosen if whole else (),
            magic_id=owner,
            position_id=target.pk if target else 0,
            override=True,
            reason="as it was meant",
        )
        mine = {"principal": platform_of(self.account), "account": self.account, "wish": wish}
        with suppress(DomainError):
            told = reassign(**mine, preview=True)
            done = reassign(**mine)
            assert (done.deals, done.orders) == (told.deals, told.orders)
            if target is None or Position.objects.filter(pk=target.pk).exists():
                again = reassign(**mine)
                assert (again.deals, again.orders) == (0, 0)
            self.done["reassign"] += bool(done.deals)


# An example takes as long as ten of the plain ledger: it begins with a full book.
@takes_its_time
def test_quantity_cash_and_fees_are_conserved_in_every_pair_of_modes(
    books: list[Account],
) -> None:
    AttributionMachine.done.clear()
    run_state_machine_as_test(
        lambda: AttributionMachine(books),
        settings=runs(max_examples=max(RUNS // 8, 12), stateful_step_count=8),
    )
    # The machine really does what it is about.
    assert AttributionMachine.done["close_by"] > 0, AttributionMachine.done
    assert AttributionMachine.done["reassign"] > 0, AttributionMachine.done
