"""One order's life at a venue, and the ways in which the platform can hear of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

from common.clock import now_ms
from common.money import ZERO
from exchanges.outcomes import REFUSED as REFUSED_OUTCOME
from exchanges.outcomes import UNKNOWN, VenueError
from exchanges.protocol import (
    CANCELED,
    EXPIRED,
    FILLED,
    OPEN,
    REJECTED,
    VenueBalance,
    VenueOrder,
    VenueTrade,
)
from tests.properties.ground import STEP, SYMBOL, platform_of
from trading import states
from trading.models import Order
from trading.services import cancelling, execution, reconcile, recovery
from trading.services.agenda import Agenda, Report

REFUSED, ABSENT = "refused", "absent"
NEVER_THERE = (REFUSED, ABSENT)
EXCHANGE_ID = "900"
FEE_RATE = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Story:
    """What really happened: the fills in steps of the market and how it ended.

    ``refused`` and ``absent`` orders never stood at the venue.
    """

    quantity: int
    fills: tuple[int, ...]
    ending: str

    @property
    def filled(self) -> Decimal:
        """All that was ever filled, in base units."""
        return STEP * sum(self.fills)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Any life of an order of one to six steps."""
    quantity = draw(st.integers(1, 6))
    ending = draw(st.sampled_from([OPEN, FILLED, CANCELED, EXPIRED, REJECTED, REFUSED, ABSENT]))
    if ending in (REJECTED, REFUSED, ABSENT):
        return Story(quantity, (), ending)
    fills: list[int] = []
    while sum(fills) < quantity and (ending == FILLED or draw(st.booleans())):
        fills.append(draw(st.integers(1, quantity - sum(fills))))
    return Story(quantity, tuple(fills), FILLED if sum(fills) == quantity else ending)


@dataclass(frozen=True, slots=True)
class Message:
    """One thing heard: how, how far the story had got, and which of its trades came along."""

    kind: str
    chapter: int = 99
    trades: int = -1


def messages() -> st.SearchStrategy[list[Message]]:
    """Up to six things heard, in any order and with repeats."""
    message = st.builds(
        Message, st.sampled_from(sorted(KINDS)), st.integers(0, 7), st.integers(0, 63)
    )
    return st.lists(message, max_size=6)


class Teller:
    """Tells the platform of one order's story through the services that hear of such things."""

    def __init__(self, order: Order, story: Story) -> None:
        self.pk = order.pk
        self.account = order.account
        self.client_order_id = order.client_order_id
        self.story = story
        start = now_ms() - 60_000
        self._trades = [
            VenueTrade(
                trade_id=str(7_000 + number),
                exchange_order_id=EXCHANGE_ID,
                symbol=SYMBOL,
                side="buy",
                quantity=STEP * part,
                price=Decimal(50_000 + 100 * number),
                fee=STEP * part * FEE_RATE,
                fee_currency="BTC",
                executed_ms=start + number,
            )
            for number, part in enumerate(story.fills)
        ]

    def order(self) -> Order:
        """The row as it is now."""
        order = Order.objects.get(pk=self.pk)
        order.account = self.account
        return order

    def tell(self, message: Message) -> None:
        """Let the platform hear one message; one that this story does not have is left out."""
        KINDS[message.kind](self, message)

    def trades(self, message: Message) -> tuple[VenueTrade, ...]:
        """The trades of the chapter that came along."""
        told = self._trades[: message.chapter]
        return tuple(each for number, each in enumerate(told) if message.trades & (1 << number))

    def snapshot(self, message: Message) -> VenueOrder:
        """The venue's order as it stood in the message's chapter."""
        story = self.story
        fills = story.fills[: message.chapter]
        is_over = message.chapter >= len(story.fills) + (story.ending != FILLED)
        return VenueOrder(
            exchange_order_id=EXCHANGE_ID,
            client_order_id=self.client_order_id,
            symbol=SYMBOL,
            side="buy",
            type="limit",
            status=story.ending if is_over else OPEN,
            quantity=STEP * story.quantity,
            filled=STEP * sum(fills),
            trades=self.trades(message),
        )

    def tell_the_end(self) -> None:
        """What happens in any case sooner or later: the lease, the looks and the polls."""
        for kind in ("lease", "look", "nothing", "poll"):
            if kind != "nothing" or self.story.ending in NEVER_THERE:
                self.tell(Message(kind))


def _answer(teller: Teller, message: Message) -> None:
    execution._settle_all({teller.pk: teller.snapshot(message)})


def _no_answer(teller: Teller, message: Message) -> None:
    error = VenueError(outcome=UNKNOWN, code="timeout", message="no answer")
    execution._settle_all({teller.pk: error})


def _refusal(teller: Teller, message: Message) -> None:
    if teller.story.ending == REFUSED:
        error = VenueError(outcome=REFUSED_OUTCOME, code="insufficient_funds", message="no money")
        execution._settle_all({teller.pk: error})


def _lease(teller: Teller, message: Message) -> None:
    recovery.mark_abandoned()


def _look(teller: Teller, message: Message) -> None:
    recovery._conclude(teller.order(), teller.snapshot(message))


def _look_at_trade(teller: Teller, message: Message) -> None:
    for trade in teller.trades(message)[:1]:
        recovery._conclude(teller.order(), trade)


def _nothing(teller: Teller, message: Message) -> None:
    for _ in range(recovery.NOT_FOUND_ANSWERS):
        recovery._conclude(teller.order(), None)


def _poll(teller: Teller, message: Message) -> None:
    _import(teller, message, [teller.snapshot(message)])


def _poll_that_cannot_see_the_order(teller: Teller, message: Message) -> None:
    _import(teller, message, [])


def _import(teller: Teller, message: Message, strangers: Sequence[VenueOrder]) -> None:
    """A poll's report as :func:`agenda.ask` makes it: working orders by row, others only
    through their trades.
    """
    order = teller.order()
    is_known = order.state in states.WORKING and order.exchange_order_id
    agenda = Agenda(order.account, (order,) if is_known else ())
    wallet = VenueBalance("BTC", free=teller.story.filled * (1 - FEE_RATE), used=ZERO)
    report = Report(trades={SYMBOL: list(teller.trades(message))}, balances={"BTC": wallet})
    if is_known:
        report.orders = {found and order.pk: found for found in strangers}
        report.missing = [] if strangers else [order.pk]
    else:
        report.strangers = list(strangers)
    reconcile.import_report(agenda, report)


def _wish(teller: Teller, message: Message) -> None:
    order = teller.order()
    if order.state not in states.TERMINAL:
        cancelling._write_wish(platform_of(order.account), order, "")


def _cancel_answer(teller: Teller, message: Message) -> None:
    if teller.order().state == states.PENDING_CANCEL:
        cancelling._settle(teller.order(), teller.snapshot(message))


def _only_if_there(tell):  # type: ignore[no-untyped-def]
    def told(teller: Teller, message: Message) -> None:
        if teller.story.ending not in NEVER_THERE:
            tell(teller, message)

    return told


KINDS = {
    "answer": _only_if_there(_answer),
    "no answer": _no_answer,
    "refusal": _refusal,
    "lease": _lease,
    "look": _only_if_there(_look),
    "look at a trade": _look_at_trade,
    "nothing": _nothing,
    "poll": _only_if_there(_poll),
    "blind poll": _only_if_there(_poll_that_cannot_see_the_order),
    "wish": _wish,
    "cancel answer": _only_if_there(_cancel_answer),
}
