"""``doctor``."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import Account
from common.clock import now
from common.terminal import FAILED
from monitoring.channels import create_channel
from monitoring.delivery import note_result
from monitoring.models import Heartbeat, beat_of
from monitoring.tasks import heartbeat
from trading.services import lanes

from .conftest import Desk

QUEUES = ("execution", "events", "maintenance", "notifications")


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """Two accounts, and workers that are alive."""
    for queue in QUEUES:
        heartbeat(queue=queue)
    lanes.here.keep()
    return make_desk(2)


@contextmanager
def address_service(said: str) -> Iterator[str]:
    """A service of the operator's that answers this; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def doctor() -> tuple[int, dict[str, str], str]:
    """The exit code, results by check, and all that was printed."""
    printed, code = StringIO(), 0
    try:
        call_command("doctor", "--json", stdout=printed, stderr=StringIO())
    except SystemExit as end:
        code = int(str(end.code))
    text = printed.getvalue()
    return code, {row["check"]: row["result"] for row in json.loads(text)}, text


def test_a_sound_installation_passes(desk: Desk) -> None:
    code, found, text = doctor()
    assert code == 0, text
    for name in ("database", "redis", "lanes", *(f"queue {queue}" for queue in QUEUES)):
        assert found[name] == "ok"
    for account in desk.accounts:
        assert found[f"account {account.pk} key"] in ("ok", "warning")
        assert found[f"account {account.pk} clock"] == "ok"
        assert found[f"account {account.pk} withdrawals"] == "ok"
    assert text.count("the key may not withdraw") == 2
    assert "secret-of-" not in text


def test_a_refused_key_fails_and_changes_nothing(desk: Desk) -> None:
    first, second = (account.pk for account in desk.accounts)
    desk.exchange.call("POST", "/_account/revoke", {"api_key": desk.keys[0]})
    code, found, text = doctor()
    assert (code, found[f"account {first} key"]) == (FAILED, "failed")
    assert "key_refused" in text
    assert found[f"account {second} clock"] == "ok"
    assert Account.objects.get(pk=first).status == "active"


def test_a_queue_or_a_lane_without_a_worker_fails(desk: Desk) -> None:
    beat = Heartbeat.objects.filter(name=beat_of("notifications"))
    beat.update(at=now() - timedelta(seconds=61))
    code, found, text = doctor()
    assert (code, found["queue notifications"], found["queue events"]) == (FAILED, "failed", "ok")
    assert "silent for 61 s" in text
    beat.delete()
    assert doctor()[1]["queue notifications"] == "failed"
    lanes.here.release()
    assert doctor()[1]["lanes"] == "failed"


def test_a_key_that_may_withdraw_is_told_loudly(desk: Desk) -> None:
    first, second = (account.pk for account in desk.accounts)
    rights = {"api_key": desk.keys[0], "api_secret": f"secret-of-{desk.keys[0]}"}
    desk.exchange.call("POST", "/_account", {**rights, "withdrawals": True})
    code, found, text = doctor()
    assert (code, found[f"account {first} withdrawals"]) == (0, "warning")
    assert found[f"account {second} withdrawals"] == "ok"
    assert "THE KEY MAY WITHDRAW MONEY" in text


def test_channels_are_told_with_what_went_wrong_last(desk: Desk) -> None:
    assert doctor()[1]["channels"] == "warning"
    channel = create_channel(
        principal=desk.principal, name="phone", address="jsons://example.com/x", topics=["fills"]
    )
    assert doctor()[1][f"channel {channel.pk}"] == "ok"
    note_result(channel, "answered_401")
    code, found, text = doctor()
    assert (code, found[f"channel {channel.pk}"]) == (0, "warning")
    assert "phone failed 1 times in a row: the service answered 401" in text


def test_an_address_service_is_asked_where_the_operator_names_one(
    desk: Desk, settings: Any
) -> None:
    with address_service("203.0.114.7\n") as settings.OUTGOING_ADDRESS_URL:
        _, found, text = doctor()
        assert found["outgoing address"] == "ok"
        assert "whitelist 203.0.114.7 at the exchanges" in text
    with address_service("<html>") as settings.OUTGOING_ADDRESS_URL:
        assert doctor()[1]["outgoing address"] == "warning"
    assert doctor()[1]["outgoing address"] == "warning"


def test_a_mail_server_that_is_not_there_fails(desk: Desk, settings: object) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    code, found, _ = doctor()
    assert (code, found["mail"]) == (FAILED, "failed")
