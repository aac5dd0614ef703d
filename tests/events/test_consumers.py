"""Consumers: what they are handed, in which order, and what a fault does."""

from collections.abc import Callable, Sequence

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events import consumers
from events.log import NewEvent, publish_all
from events.models import ConsumerCursor, Event, ParkedEvent
from events.sequencer import BATCH, last_number, number_events
from users.models import Organisation
from users.services import create_organisation


@pytest.fixture
def organisation(transactional_db: None) -> Organisation:
    return create_organisation(name="Test House")


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "_registry", {})


@pytest.fixture
def tell(organisation: Organisation) -> Callable[..., None]:
    """Publishes one event per number, and numbers them."""

    def publish(*numbers: int, kind: str = "order.updated") -> None:
        publish_all(NewEvent(kind, organisation.pk, (), {"n": number}) for number in numbers)
        number_events()

    return publish


def seen_by(seen: list[int]) -> Callable[[Event], None]:
    return lambda event: seen.append(event.payload["n"])


def cursor(name: str = "test") -> int:
    return ConsumerCursor.objects.get(name=name).seq


def test_events_are_numbered_in_the_order_of_their_rows_over_several_batches(
    tell: Callable[..., None],
) -> None:
    before = last_number()
    tell(*range(BATCH + 3))
    rows = list(Event.objects.after(before).values_list("seq", "payload__n"))
    assert rows == [(before + 1 + n, n) for n in range(BATCH + 3)]
    assert last_number() == before + BATCH + 3
    assert number_events() == 0


def test_a_consumer_sees_the_kinds_it_wants_in_order_and_once(tell: Callable[..., None]) -> None:
    seen: list[int] = []
    consumers.register("test", ("order.*", "deal.created"), seen_by(seen))
    tell(1, 2)
    tell(3, kind="position.updated")
    tell(4, kind="deal.created")
    tell(5, kind="deal.created.late")
    assert consumers.run_consumers() == 3
    assert (seen, cursor()) == ([1, 2, 4], last_number())
    assert consumers.run_consumers() == 0


def test_what_is_not_chosen_is_passed_over_in_as_many_statements_as_one_event(
    tell: Callable[..., None],
) -> None:
    consumers.register("test", ("order.updated",), seen_by([]), lambda events: [])
    tell(1)
    consumers.run_consumers()
    tell(2)
    with CaptureQueriesContext(
        connection,
    ) as one:
        consumers.run_consumers()
    tell(*range(3, 103))
    with CaptureQueriesContext(connection) as hundred:
        consumers.run_consumers()
    assert len(hundred) == len(one)
    assert cursor() == last_number()


def test_consumers_at_one_place_read_the_log_together(tell: Callable[..., None]) -> None:
    for name, kinds in (("one", ("order.*",)), ("two", ("deal.created",))):
        consumers.register(name, kinds, seen_by([]), lambda events: [])
    tell(1)
    consumers.run_consumers()
    counts = []
    for asked in (consumers.registered()[:1], consumers.registered()):
        ConsumerCursor.objects.update(seq=last_number())
        tell(2, kind="deal.created")
        with CaptureQueriesContext(connection) as queries:
            consumers.run_consumers(asked)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert (cursor("one"), cursor("two")) == (last_number(), last_number())


def test_a_consumer_that_fails_stays_behind_and_does_not_hold_up_the_others(
    tell: Callable[..., None],
) -> None:
    seen: list[int] = []

    def refuse(event: Event) -> None:
        raise ValueError

    consumers.register("failing", ("order.updated",), refuse)
    consumers.register("other", ("order.updated",), seen_by(seen))
    before = last_number()
    ConsumerCursor.objects.create(name="failing", seq=before)
    ConsumerCursor.objects.create(name="other", seq=before)
    tell(1, 2)
    assert consumers.run_consumers() == 2
    assert (cursor("failing"), cursor("other"), seen) == (before, last_number(), [1, 2])
    tell(3)
    assert consumers.run_consumers() == 1
    assert (cursor("failing"), seen) == (before, [1, 2, 3])


def test_of_what_is_chosen_nothing_is_lost_when_a_handler_fails_between(
    tell: Callable[..., None],
) -> None:
    seen: list[int] = []

    def handle(event: Event) -> None:
        if event.payload["n"] == 4 and len(seen) < 2:
            seen.append(0)
            raise ValueError
        seen.append(event.payload["n"])

    def even(events: Sequence[Event]) -> list[Event]:
        return [event for event in events if event.payload["n"] % 2 == 0]

    consumers.register("test", ("order.updated",), handle, even)
    tell(1, 2, 3, 4, 5, 6)
    assert consumers.run_consumers() == 1
    assert seen == [2, 0]
    assert consumers.run_consumers() == 2
    assert (seen, cursor()) == ([2, 0, 4, 6], last_number())


def test_a_choice_that_fails_hands_out_everything(tell: Callable[..., None]) -> None:
    seen: list[int] = []

    def broken(events: Sequence[Event]) -> list[Event]:
        raise KeyError("order_id")

    consumers.register("test", ("order.updated",), seen_by(seen), broken)
    tell(1, 2)
    assert consumers.run_consumers() == 2
    assert (seen, cursor()) == ([1, 2], last_number())


def test_an_event_that_keeps_failing_is_parked_and_the_next_one_goes_on(
    tell: Callable[..., None],
) -> None:
    seen: list[int] = []

    def handle(event: Event) -> None:
        if event.payload["n"] == 1:
            raise ValueError
        seen.append(event.payload["n"])

    consumers.register("test", ("order.updated",), handle)
    tell(1, 2)
    for _ in range(consumers.PARK_AFTER_FAILURES):
        consumers.run_consumers()
    assert (seen, cursor()) == ([2], last_number())
    assert ParkedEvent.objects.get().event.payload == {"n": 1}
