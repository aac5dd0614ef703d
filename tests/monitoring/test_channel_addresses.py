"""Which addresses a channel takes, where it may lead, and that nobody sees it again."""

import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from common.addresses import is_public
from common.errors import Conflict, DomainError, Invalid, NotFound
from events.models import AuditRecord
from monitoring import sending
from monitoring.alerts import raise_alert
from monitoring.channels import change_channel, delete_channel, try_out
from monitoring.models import NotificationChannel
from tests.authorisation.worlds import state_of_the_database
from tests.monitoring.conftest import deliver
from tests.monitoring.receiver import Receiver
from tests.users.people import Person

MakeChannel = Callable[..., NotificationChannel]
NEW_KEY = "bmV3LWZlcm5ldC1rZXktZm9yLXRlc3RzLTAxMjM0NTY="


@pytest.mark.parametrize(
    "address",
    [
        "exec://echo",
        "file:///etc/passwd",
        "syslog://",
        "rsyslog://example.com",
        "dbus://",
        "gnome://",
        "windows://",
        "macosx://",
        "mqtt://example.com/topic",
        "apprise://example.com/token",
        "https://example.com/hook",
        "discord://1234567890/token?template=/etc/passwd",
        "DISCORD://1234567890/token?TEMPLATE=/etc/passwd",
        "mailtos://user:password@example.com?pgp=yes",
        "mailtos://user:password@example.com?pgppub=/etc/passwd",
        "ntfys://example.com/topic?attach=/etc/passwd",
        "jsons://example.com/x?redirect=yes",
        "json://",
        "tgram://no-token",
        "nonsense",
        "",
    ],
)
def test_what_is_no_message_to_somewhere_else_is_refused(
    address: str, admin: Person, make_channel: MakeChannel
) -> None:
    with pytest.raises(Invalid) as refused:
        make_channel(address)
    assert refused.value.code == "unknown_channel_address"
    assert list(refused.value.fields) == ["address"]
    assert not NotificationChannel.objects.exists()


@pytest.mark.parametrize(
    ("address", "scheme"),
    [
        ("tgram://123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/12", "tgram"),
        ("mailtos://user:password@example.com?to=me@example.com", "mailtos"),
        ("discord://1234567890/abcdefghijklmnop", "discord"),
        ("ntfys://example.com/topic", "ntfys"),
        ("jsons://example.com/hook?-key=value", "jsons"),
    ],
)
def test_addresses_of_services_are_taken(
    address: str, scheme: str, make_channel: MakeChannel, settings: Any
) -> None:
    settings.NOTIFY_PRIVATE_ADDRESSES = False
    assert make_channel(address).scheme == scheme


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.1.2.3", "[::1]", "169.254.169.254"])
def test_an_address_of_the_private_network_is_refused(
    host: str, make_channel: MakeChannel, settings: Any
) -> None:
    settings.NOTIFY_PRIVATE_ADDRESSES = False
    with pytest.raises(Invalid) as refused:
        make_channel(f"json://{host}/hook")
    assert refused.value.code == "private_address"
    with pytest.raises(Invalid):
        make_channel("jsons://example.com/x?verify=no")
    assert not NotificationChannel.objects.exists()


def test_a_name_that_leads_into_the_private_network_is_not_called(
    receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = receiver.address.replace("127.0.0.1", "rebound.example")
    found = socket.getaddrinfo("127.0.0.1", receiver.port, type=socket.SOCK_STREAM)
    message = {"title": "t", "body": "b", "severity": "info"}
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        settings.NOTIFY_PRIVATE_ADDRESSES = False
        assert sending.scheme_of(address) == "json"
        assert sending.send(address, **message) == "private_address"
        assert receiver.bodies == []
        settings.NOTIFY_PRIVATE_ADDRESSES = True
        assert sending.send(address, **message) == "sent"


def test_a_redirect_is_not_followed(receiver: Receiver, second: Receiver) -> None:
    receiver.status, receiver.location = 307, f"http://127.0.0.1:{second.port}/"
    answer = sending.send(receiver.address, title="t", body="b", severity="info")
    assert (answer, second.bodies) == ("answered_307", [])


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("fe80::1%eth0", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_which_addresses_are_of_the_open_internet(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_the_address_is_nowhere_but_in_its_ciphertext(
    admin: Person,
    receiver: Receiver,
    make_channel: MakeChannel,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = make_channel(f"json://user:MARKERpass@127.0.0.1:{receiver.port}/MARKERpath")
    for status in (200, 500):
        receiver.status = status
        raise_alert("x", message="m", organisation_id=channel.organisation_id, subject=str(status))
        deliver()
        try_out(principal=admin.principal, channel=channel)
    change_channel(
        principal=admin.principal, channel=channel, name="desk", topics=["fills"], is_enabled=True,
        address=f"json://127.0.0.1:{receiver.port}/MARKERsecond",
    )  # fmt: skip
    assert len(receiver.bodies) == 4
    assert "MARKER" not in str(state_of_the_database())
    assert "MARKER" not in caplog.text + "".join(capfd.readouterr())
    channel.refresh_from_db()
    assert channel.open_address().endswith("/MARKERsecond")
    told = AuditRecord.objects.filter(action__startswith="notification_channel.")
    assert list(told.order_by("pk").values_list("action", flat=True)) == [
        "notification_channel.created",
        "notification_channel.tested",
        "notification_channel.tested",
        "notification_channel.changed",
    ]


def test_an_address_moved_to_another_channel_does_not_open(
    admin: Person, receiver: Receiver, make_channel: MakeChannel
) -> None:
    one, two = (
        make_channel(receiver.address, name="one"),
        make_channel(receiver.address, name="two"),
    )
    NotificationChannel.objects.filter(pk=two.pk).update(address_sealed=one.address_sealed)
    assert try_out(principal=admin.principal, channel=two) == "unreadable"
    assert receiver.bodies == []


def test_secrets_are_sealed_anew_under_a_new_key(
    admin: Person, receiver: Receiver, make_channel: MakeChannel, settings: Any
) -> None:
    channel = make_channel(receiver.address)
    with override_settings(CREDENTIAL_KEYS=[NEW_KEY, *settings.CREDENTIAL_KEYS]):
        call_command("rotate_credentials", "--quiet")
    channel.refresh_from_db()
    with override_settings(CREDENTIAL_KEYS=[NEW_KEY]):
        assert channel.open_address() == receiver.address


def test_names_are_single_topics_known_and_rows_of_others_not_there(
    admin: Person, stranger: Person, receiver: Receiver, make_channel: MakeChannel
) -> None:
    channel = make_channel(receiver.address)
    before = state_of_the_database()
    settings = {"name": "desk", "topics": ["fills"], "is_enabled": False}
    acts: list[tuple[type[DomainError], Callable[[], Any]]] = [
        (Conflict, lambda: make_channel(receiver.address)),
        (Invalid, lambda: make_channel(receiver.address, name="x", wants=["nothing"])),
        (Invalid, lambda: make_channel(receiver.address, name="x", wants=[])),
        (Invalid, lambda: make_channel(receiver.address, name=" ")),
        (
            NotFound,
            lambda: change_channel(principal=stranger.principal, channel=channel, **settings),
        ),
        (NotFound, lambda: delete_channel(principal=stranger.principal, channel=channel)),
        (NotFound, lambda: try_out(principal=stranger.principal, channel=channel)),
    ]
    for error, act in acts:
        with pytest.raises(error):
            act()
    assert (state_of_the_database(), receiver.bodies) == (before, [])
    delete_channel(principal=admin.principal, channel=channel)
    assert not NotificationChannel.objects.exists()
