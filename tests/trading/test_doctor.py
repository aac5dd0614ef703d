"""``doctor``."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from accounts.models import Account
from common.clock import now
from common.terminal import FAILED
from monitoring.models import Heartbeat

from .conftest import Desk


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """Two accounts, and a worker that is alive."""
    Heartbeat.objects.create(name="worker", at=now())
    return make_desk(2)


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
    for name in ("database", "redis", "workers"):
        assert found[name] == "ok"
    for account in desk.accounts:
        assert found[f"account {account.pk} key"] in ("ok", "warning")
        assert found[f"account {account.pk} clock"] == "ok"
    assert "secret-of-" not in text


def test_a_refused_key_fails_and_changes_nothing(desk: Desk) -> None:
    first, second = (account.pk for account in desk.accounts)
    desk.exchange.call("POST", "/_account/revoke", {"api_key": desk.keys[0]})
    code, found, text = doctor()
    assert (code, found[f"account {first} key"]) == (FAILED, "failed")
    assert "key_refused" in text
    assert found[f"account {second} clock"] == "ok"
    assert Account.objects.get(pk=first).status == "active"


def test_silent_workers_fail(desk: Desk) -> None:
    Heartbeat.objects.update(at=now() - timedelta(seconds=61))
    code, found, _ = doctor()
    assert (code, found["workers"]) == (FAILED, "failed")
    Heartbeat.objects.all().delete()
    assert doctor()[1]["workers"] == "failed"


def test_a_mail_server_that_is_not_there_fails(desk: Desk, settings: object) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    code, found, _ = doctor()
    assert (code, found["mail"]) == (FAILED, "failed")
