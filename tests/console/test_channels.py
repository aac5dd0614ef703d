"""Notification channels in the console: an address goes in, a test message out."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from events.models import AuditRecord
from monitoring.models import NotificationChannel
from tests.console.test_console_actions import act, confirmed
from tests.dashboard.world import World
from tests.monitoring.receiver import Receiver, receiving

LIST = "monitoring_notificationchannel"


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """Somebody who listens on this machine, which the operator allows."""
    settings.NOTIFY_PRIVATE_ADDRESSES = True
    with receiving() as found:
        yield found


@pytest.fixture
def channel(staff: Client, world: World, receiver: Receiver) -> NotificationChannel:
    """One that was added by form."""
    form = {
        "organisation": world.organisation.pk,
        "name": "desk",
        "address": receiver.address,
        "topics": ["fills", "kill_switch"],
        "is_enabled": "on",
    }
    refused = staff.post(reverse(f"admin:{LIST}_add"), {**form, "name": "", "topics": ["x"]})
    assert (refused.status_code, b"MARKER" in refused.content) == (422, False)
    assert not NotificationChannel.objects.exists()
    assert staff.post(reverse(f"admin:{LIST}_add"), form).status_code == 302
    return NotificationChannel.objects.get()


def test_the_address_is_shown_by_its_scheme_alone_and_stays_unless_a_new_one_is_given(
    staff: Client, channel: NotificationChannel, receiver: Receiver
) -> None:
    page = reverse(f"admin:{LIST}_change", args=[channel.pk])
    for address in (page, reverse(f"admin:{LIST}_changelist")):
        shown = staff.get(address).content.decode()
        assert ("json://)" in shown, "MARKER" in shown) == (True, False)
    form = {"name": "night", "topics": ["fills"], "is_enabled": "on", "address": ""}
    assert staff.post(page, form).status_code == 302
    channel.refresh_from_db()
    assert (channel.name, channel.topics) == ("night", ["fills"])
    assert channel.open_address() == receiver.address
    told = AuditRecord.objects.get(action="notification_channel.changed")
    assert (told.before["name"], told.after["name"]) == ("desk", "night")
    refused = staff.post(page, {**form, "address": "exec://MARKER"}, follow=True)
    assert "unknown_channel_address" in refused.content.decode()
    channel.refresh_from_db()
    assert channel.open_address() == receiver.address


def test_the_button_sends_a_message_and_tells_what_came_of_it(
    staff: Client, world: World, channel: NotificationChannel, receiver: Receiver
) -> None:
    page = reverse("admin:monitoring_notificationchannel_test_page", args=[channel.pk])
    assert staff.get(page).status_code == 200
    assert receiver.bodies == []
    answer = staff.post(page)
    (said,) = [str(each) for each in get_messages(answer.wsgi_request)]
    assert said == "Test message of desk: arrived."
    by = world.user.username
    assert receiver.told == [("Test message", f"The channel desk works. Sent by {by}.")]
    receiver.status = 401
    assert "the service answered 401" in staff.post(page, follow=True).content.decode()
    assert b"the service answered 401" in staff.get(reverse(f"admin:{LIST}_changelist")).content


def test_acts_on_many_tell_row_by_row(
    staff: Client, channel: NotificationChannel, receiver: Receiver
) -> None:
    _, told = act(staff, LIST, "test_channels", [channel], **confirmed())
    assert (told[-1], len(receiver.bodies)) == ("Send test messages: 1 of 1 done", 1)
    receiver.status = 500
    _, told = act(staff, LIST, "test_channels", [channel], **confirmed())
    assert "0 of 1 done, 1 refused. desk: The message did not arrive" in told[-1]
    act(staff, LIST, "disable_channels", [channel], **confirmed())
    channel.refresh_from_db()
    assert channel.is_enabled is False
    act(staff, LIST, "delete_channels", [channel], **confirmed())
    assert NotificationChannel.objects.exists()
    act(staff, LIST, "delete_channels", [channel], **confirmed(confirm="delete 1"))
    assert not NotificationChannel.objects.exists()
    assert AuditRecord.objects.filter(action="notification_channel.deleted").count() == 1
