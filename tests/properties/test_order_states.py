"""Whatever is heard of an order, in whatever order and however often, it ends the same way."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given

from accounts.models import Account
from common.clock import now
from exchanges.protocol import CANCELED, EXPIRED, FILLED, OPEN, REJECTED
from monitoring.models import Alert
from riskmgmt.limits import NewReservation, reserve
from riskmgmt.models import Reservation
from tests.properties.ground import (
    STEP,
    SYMBOL,
    make_account,
    make_order,
    rolled_back,
    runs,
    takes_its_time,
)
from tests.properties.venue_story import (
    FEE_RATE,
    NEVER_THERE,
    Message,
    Story,
    Teller,
    messages,
    stories,
)
from trading import states
from trading.models import Deal, Order, OrderEvent, Position

ENDS = {
    FILLED: states.FILLED,
    CANCELED: states.CANCELED,
    EXPIRED: states.EXPIRED,
}


@pytest.fixture
def account(db: None) -> Account:
    """An account whose orders' stories are told."""
    return make_account()


def sent_order(account: Account, story: Story) -> Order:
    """An order under way for so long that its request can no longer be accepted."""
    long_ago = now() - timedelta(hours=1)
    order = make_order(
        account,
        quantity=STEP * story.quantity,
        state=states.SENDING,
        send_deadline=long_ago,
        claimed_at=long_ago,
    )
    held = (account.organisation_id, account.pk, account.book, order.uid, SYMBOL, Decimal(50))
    reserve([NewReservation(*held)])
    return order


def check_the_end(teller: Teller) -> None:
    """State, figures, deals, position and reservation are those of the story."""
    order, story = teller.order(), teller.story
    if story.ending in (*NEVER_THERE, REJECTED):
        assert order.state in states.ADOPTABLE
    elif story.ending == OPEN:
        working = states.PARTIAL if story.fills else states.OPEN
        wanted = states.PENDING_CANCEL if order.cancel_requested_at else working
        assert order.state == wanted
    else:
        assert order.state == ENDS[story.ending]
    assert order.filled_quantity == story.filled
    assert not order.overfilled
    deals = Deal.objects.filter(order=order).order_by("exchange_trade_id")
    assert [deal.quantity for deal in deals] == [STEP * part for part in story.fills]
    assert Deal.objects.count() == len(story.fills)
    held = {(each.allocated, each.quantity) for each in Position.objects.all()}
    assert held == ({(True, story.filled * (1 - FEE_RATE))} if story.fills else set())
    is_held = Reservation.objects.held().filter(order_uid=order.uid).exists()
    assert is_held == (order.state in states.LIVE)


def check_the_way(order: Order) -> None:
    """The history has no gap and follows the table; nothing is final and goes on but by it."""
    state = states.SENDING
    for step in OrderEvent.objects.filter(order=order).order_by("pk"):
        assert step.old_state == state
        assert step.new_state in states.STATES[state].moves
        state = step.new_state
    assert state == order.state


def everything(order: Order) -> tuple[object, ...]:
    """What a message too many must not change."""
    return (
        Order.objects.values("state", "version", "filled_quantity", "average_price").get(
            pk=order.pk
        ),
        list(OrderEvent.objects.values_list("pk", flat=True)),
        list(Deal.objects.values_list("pk", "position", "realised")),
        list(Position.objects.values_list("pk", "state", "quantity", "realised", "fees")),
        list(Alert.objects.values_list("code", "count")),
    )


def tell(account: Account, story: Story, heard: list[Message]) -> None:
    """Tell a story by these messages, let the world go on, and tell it all again."""
    with rolled_back():
        teller = Teller(sent_order(account, story), story)
        for message in heard:
            teller.tell(message)
            deals = Deal.objects.filter(order=teller.pk).values_list("quantity", flat=True)
            filled = Order.objects.values_list("filled_quantity", flat=True).get(pk=teller.pk)
            assert filled == sum(deals)
        teller.tell_the_end()
        check_the_end(teller)
        check_the_way(teller.order())
        before = everything(teller.order())
        for message in heard[-3:]:
            if message.kind not in NEWS:
                teller.tell(message)
        teller.tell(Message("poll"))
        assert everything(teller.order()) == before


# What is more than a repeat: a wish, and a venue that still does not know the order.
NEWS = ("wish", "blind poll")
LATE = Story(2, (1, 1), FILLED)
HELD_FOR_DEAD = [Message("lease"), Message("nothing")]


@takes_its_time
@runs()
@example(story=LATE, heard=[*HELD_FOR_DEAD, Message("blind poll")])
@example(story=LATE, heard=[*HELD_FOR_DEAD, Message("blind poll", trades=1), Message("answer")])
@example(story=Story(1, (), REJECTED), heard=[Message("answer", 0), Message("poll")])
@example(story=Story(1, (), REJECTED), heard=[Message("wish"), Message("lease")])
@given(story=stories(), heard=messages())
def test_all_ways_of_hearing_of_an_order_end_alike(
    account: Account, story: Story, heard: list[Message]
) -> None:
    tell(account, story, heard)
