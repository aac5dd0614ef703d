"""Messages go out: each once, to whom they are for, whatever becomes of other channels."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import F

from common.clock import now
from events.models import ConsumerCursor
from monitoring import delivery
from monitoring.alerts import raise_alert
from monitoring.channels import change_channel
from monitoring.models import Alert, NotificationChannel, OutgoingMessage
from monitoring.notices import CONSUMER
from riskmgmt import switches
from tests.monitoring.conftest import deliver, due_again, happen, note
from tests.monitoring.receiver import Receiver, closed_port
from tests.users.people import Person

MakeChannel = Callable[..., NotificationChannel]


def engage(person: Person, reason: str = "drill") -> None:
    """Throw the organisation's kill switch."""
    switches.engage(principal=person.principal, scope="organisation", reason=reason)


def alert(person: Person, subject: str = "", severity: str = "warning") -> None:
    """Raise an alert of the person's organisation."""
    raise_alert(
        "stream_stale",
        message=f"Nothing heard of {subject}.",
        organisation_id=person.principal.organisation_id,
        subject=subject,
        severity=severity,
    )


def test_a_kill_switch_is_told_once(
    admin: Person, receiver: Receiver, make_channel: MakeChannel
) -> None:
    channel = make_channel(receiver.address, wants=["kill_switch"])
    engage(admin)
    assert deliver() == 1
    ConsumerCursor.objects.filter(name=CONSUMER).update(seq=0)
    assert deliver() == 0
    (body,) = receiver.bodies
    message = OutgoingMessage.objects.get()
    assert (body["title"], body["type"]) == ("Kill switch engaged: REDUCING", "failure")
    assert body["message"].splitlines() == [
        "Over the organisation. Reason given when it was engaged: drill",
        f"{message.happened_at:%Y-%m-%d %H:%M:%S} UTC",
    ]
    assert (message.state, message.tries, message.result) == ("sent", 1, "sent")
    channel.refresh_from_db()
    assert (channel.failures, channel.last_result, channel.leased_until) == (0, "sent", None)
    assert channel.last_sent_at == channel.last_tried_at


def test_a_channel_hears_of_its_topics_its_organisation_and_its_own_time_only(
    admin: Person,
    stranger: Person,
    receiver: Receiver,
    second: Receiver,
    make_channel: MakeChannel,
) -> None:
    alert(admin, "before")
    make_channel(receiver.address, wants=["alerts_warning"])
    make_channel(second.address, by=stranger.principal)
    engage(admin)
    alert(admin, "lane 1")
    alert(admin, "lane 2", "critical")
    deliver()
    assert receiver.told == [("Alert: stream_stale", "Nothing heard of lane 1.")]
    assert second.bodies == []
    alert(stranger, "theirs")
    deliver()
    assert len(receiver.bodies) == 1
    assert second.told == [("Alert: stream_stale", "Nothing heard of theirs.")]


def test_an_event_that_no_channel_wants_is_not_handed_out(
    admin: Person, make_channel: MakeChannel, receiver: Receiver
) -> None:
    make_channel(receiver.address, wants=["fills"])
    happen(admin, "order.updated", state="REJECTED")
    happen(admin, "deal.created", reason="dust")
    assert note() == 0
    assert not OutgoingMessage.objects.exists()


def test_a_dead_channel_neither_stops_another_nor_loses_its_own_messages(
    admin: Person, receiver: Receiver, second: Receiver, make_channel: MakeChannel
) -> None:
    receiver.status = 503
    bad = make_channel(receiver.address, name="bad")
    gone = make_channel(f"json://127.0.0.1:{closed_port()}/x", name="gone")
    make_channel(second.address, name="good")
    alert(admin, "one")
    alert(admin, "two")
    assert deliver() == 2
    assert [line for _, line in second.told] == ["Nothing heard of one.", "Nothing heard of two."]
    assert len(receiver.bodies) == 1
    bad.refresh_from_db()
    gone.refresh_from_db()
    assert (bad.failures, bad.last_result) == (1, "answered_503")
    assert (gone.failures, gone.last_result) == (1, "not_taken")
    assert bad.held_until == bad.last_tried_at + timedelta(seconds=10)
    assert deliver() == 0
    receiver.status = 200
    due_again(bad)
    assert deliver() == 2
    assert receiver.bodies[1]["title"] == "2 messages"
    assert receiver.bodies[1]["message"].splitlines()[:2] == [
        "2 × Alert: stream_stale",
        "The newest: Nothing heard of two.",
    ]
    bad.refresh_from_db()
    assert (bad.failures, bad.last_result, bad.held_until) == (0, "sent", None)
    assert set(bad.messages.values_list("state", "result")) == {("sent", "sent")}


def test_pauses_grow_and_after_five_tries_a_message_is_given_up_with_an_alert(
    admin: Person, receiver: Receiver, second: Receiver, make_channel: MakeChannel
) -> None:
    receiver.status = 500
    bad = make_channel(receiver.address, name="bad", wants=["kill_switch"])
    make_channel(second.address, name="good", wants=["alerts_warning", "alerts_over"])
    engage(admin)
    pauses = []
    for _ in range(5):
        assert deliver() == 0
        bad.refresh_from_db()
        pauses.append((bad.held_until - bad.last_tried_at).total_seconds())
        due_again(bad)
    assert pauses == [10, 60, 300, 1800, 1800]
    message = bad.messages.get()
    assert (message.state, message.tries, message.result) == ("failed", 5, "answered_500")
    assert deliver() == 1
    said = "The channel bad did not take 1 messages: the service answered 500."
    assert second.told == [("Alert: notification_undelivered", said)]
    assert len(receiver.bodies) == 5
    receiver.status = 200
    engage_again = {"scope": "organisation", "level": "HALTED", "reason": "worse"}
    switches.engage(principal=admin.principal, **engage_again)
    assert deliver() == 1
    assert Alert.objects.get(code="notification_undelivered").state == "resolved"
    deliver()
    assert second.told[1] == ("Over: notification_undelivered", said)


def test_a_flood_becomes_ten_messages_a_minute(
    admin: Person, receiver: Receiver, make_channel: MakeChannel
) -> None:
    channel = make_channel(receiver.address)
    for number in range(30):
        alert(admin, f"lane {number}")
    assert deliver() == 30
    assert len(receiver.bodies) == 10
    assert [body["title"] for body in receiver.bodies[:9]] == ["Alert: stream_stale"] * 9
    assert receiver.bodies[9]["title"] == "21 messages"
    assert "21 × Alert: stream_stale" in receiver.bodies[9]["message"]
    assert channel.messages.values("sending").distinct().count() == 10
    alert(admin, "late")
    assert deliver() == 0
    channel.refresh_from_db()
    oldest = channel.messages.filter(state="sent").earliest("settled_at").settled_at
    assert channel.held_until == oldest + timedelta(minutes=1)
    channel.messages.filter(state="sent").update(settled_at=F("settled_at") - timedelta(minutes=1))
    due_again(channel)
    assert deliver() == 1
    assert receiver.told[10] == ("Alert: stream_stale", "Nothing heard of late.")


def test_two_senders_do_not_share_a_channel(
    admin: Person, receiver: Receiver, make_channel: MakeChannel
) -> None:
    channel = make_channel(receiver.address)
    alert(admin)
    rows = NotificationChannel.objects.filter(pk=channel.pk)
    rows.update(leased_until=now() + timedelta(seconds=5))
    assert deliver() == 0
    assert receiver.bodies == []
    rows.update(leased_until=now() - timedelta(seconds=1))
    assert deliver() == 1


def test_a_channel_taken_out_of_use_drops_what_waits(
    admin: Person, receiver: Receiver, make_channel: MakeChannel
) -> None:
    channel = make_channel(receiver.address)
    alert(admin)
    note()
    change_channel(
        principal=admin.principal, channel=channel, name="desk", topics=["fills"], is_enabled=False
    )
    assert delivery.deliver_due() == 0
    message = channel.messages.get()
    assert (message.state, message.result, receiver.bodies) == ("failed", "switched_off", [])


def test_a_receiver_without_end_is_hung_up_on(
    admin: Person,
    receiver: Receiver,
    second: Receiver,
    make_channel: MakeChannel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitoring.sending.SECONDS", 0.4)
    receiver.drips = True
    slow = make_channel(receiver.address, name="slow")
    make_channel(second.address, name="good")
    alert(admin)
    assert deliver() == 1
    slow.refresh_from_db()
    assert (slow.last_result, len(second.bodies)) == ("too_late", 1)


def test_old_messages_are_forgotten(
    admin: Person, receiver: Receiver, make_channel: MakeChannel
) -> None:
    channel = make_channel(receiver.address)
    alert(admin, "old")
    deliver()
    channel.messages.update(settled_at=now() - timedelta(days=31))
    alert(admin, "new")
    deliver()
    alert(admin, "waiting")
    note()
    assert delivery.forget_messages() == 1
    assert set(channel.messages.values_list("body", "state")) == {
        ("Nothing heard of new.", "sent"),
        ("Nothing heard of waiting.", "waiting"),
    }
