"""The daily acts: shown first, sent once, refused to strangers."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from common.errors import Conflict
from events.models import AuditRecord
from monitoring.alerts import raise_alert
from monitoring.models import Alert
from riskmgmt.models import KillSwitch
from surfaces.dashboard.views import acts
from tests.dashboard.world import World, make_world
from trading.models import Command, Order, Position

REQUEST_ID = "0123456789abcdef0123456789abcdef"


class Closing:
    """Stands in for the ledger's services and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[dict[str, object]] = []

    def close_position(self, **asked: object) -> "Closing":
        """Accepts the close."""
        self.calls.append(asked)
        return self

    correlation_id = "abc123"

    def cancel_order(self, **asked: object) -> Command:
        """Records the command as the service does."""
        self.calls.append(asked)
        order = asked["order"]
        return Command.objects.create(
            organisation_id=order.organisation_id,  # type: ignore[attr-defined]
            account_id=order.account_id,  # type: ignore[attr-defined]
            principal_key=asked["principal"].key,  # type: ignore[attr-defined]
            request_id=asked["request_id"],
            kind=Command.Kind.CANCEL_ORDER,
            state=Command.State.ACCEPTED,
        )


@pytest.fixture
def closing(monkeypatch: pytest.MonkeyPatch) -> Closing:
    """The stand-in, in place."""
    fake = Closing()
    monkeypatch.setattr(acts, "closing", fake)
    return fake


def test_close_is_shown_before_it_is_sent(browser_client: Client, closing: Closing) -> None:
    position = Position.objects.get()
    page = browser_client.get(reverse("dashboard:close_position", args=[position.pk]))
    request_id = page.context["request_id"]
    assert f'value="{request_id}"' in page.content.decode()
    assert closing.calls == []
    sent = browser_client.post(
        reverse("dashboard:close_position", args=[position.pk]), {"request_id": request_id}
    )
    assert sent.headers["Location"] == f"/dashboard/accounts/{position.account_id}/"
    (call,) = closing.calls
    assert (call["symbol"], call["request_id"]) == ("BTC/USDT", request_id)


def test_close_without_a_request_id_is_refused(browser_client: Client, closing: Closing) -> None:
    position = Position.objects.get()
    for body in ({}, {"request_id": "x" * 32}):
        answer = browser_client.post(reverse("dashboard:close_position", args=[position.pk]), body)
        assert answer.status_code == 422
    assert closing.calls == []


def test_refusal_of_the_service_is_a_page_with_its_code(
    browser_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def running(**asked: object) -> None:
        raise Conflict("A close of this position is running.", code="position_close_in_progress")

    monkeypatch.setattr(acts.closing, "close_position", running)
    position = Position.objects.get()
    answer = browser_client.post(
        reverse("dashboard:close_position", args=[position.pk]), {"request_id": REQUEST_ID}
    )
    assert answer.status_code == 409
    assert b"position_close_in_progress" in answer.content


def test_cancel_pressed_twice_is_one_command(browser_client: Client, closing: Closing) -> None:
    order = Order.objects.get(state="OPEN")
    for _ in range(2):
        answer = browser_client.post(
            reverse("dashboard:cancel_order", args=[order.pk]), {"request_id": REQUEST_ID}
        )
        assert answer.status_code == 302
    assert len(closing.calls) == 1


def test_acts_are_counted_and_what_makes_safer_apart(
    browser_client: Client, world: World, closing: Closing, settings: Any
) -> None:
    settings.USER_RATE_LIMIT_PER_MIN, settings.SAFETY_RATE_LIMIT_PER_MIN = 1, 3
    alert = raise_alert("drill", message="m", organisation_id=world.organisation.pk)
    acknowledge = reverse("dashboard:acknowledge", args=[alert.pk])
    assert browser_client.post(acknowledge).status_code == 302
    refused = browser_client.post(acknowledge)
    assert (refused.status_code, refused.context["error"].code) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 120
    assert browser_client.post(reverse("dashboard:ticket"), {}).status_code == 429
    sent = {"request_id": REQUEST_ID}
    close = reverse("dashboard:close_position", args=[Position.objects.get().pk])
    cancel = reverse("dashboard:cancel_order", args=[Order.objects.get(state="OPEN").pk])
    stop = reverse("dashboard:stop")
    answers = [browser_client.post(path, sent).status_code for path in (close, cancel, stop)]
    assert answers == [302, 302, 422]
    stopping = {"confirm": world.organisation.name, "reason": "drill"}
    for path, body in ((close, sent), (cancel, sent), (stop, stopping)):
        assert browser_client.post(path, body).status_code == 429
    assert len(closing.calls) == 2
    assert not KillSwitch.objects.exists()
    assert browser_client.get(close).status_code == 200


def test_viewer_sees_and_may_not_act(world: World, closing: Closing) -> None:
    world.user.role = "viewer"
    world.user.save()
    client = Client()
    client.force_login(world.user)
    position = Position.objects.get()
    assert b"Close\xe2\x80\xa6" not in client.get(reverse("dashboard:positions")).content
    answer = client.post(
        reverse("dashboard:close_position", args=[position.pk]), {"request_id": REQUEST_ID}
    )
    assert answer.status_code == 403
    stop = client.post(reverse("dashboard:stop"), {"confirm": "Acme", "reason": "test"})
    assert stop.status_code == 403
    assert closing.calls == []
    assert not KillSwitch.objects.exists()


def test_stop_wants_the_typed_name_and_a_reason(browser_client: Client, world: World) -> None:
    page = browser_client.get(reverse("dashboard:stop"))
    assert page.context["radius"] == {
        "accounts": 2,
        "waiting": 0,
        "working": 1,
        "unknown": 1,
        "positions": 1,
        "bots": 1,
    }
    for body in ({"confirm": "acme", "reason": "x"}, {"confirm": "Acme", "reason": " "}, {}):
        assert browser_client.post(reverse("dashboard:stop"), body).status_code == 422
    assert not KillSwitch.objects.exists()
    browser_client.post(reverse("dashboard:stop"), {"confirm": "Acme", "reason": "drill"})
    switch = KillSwitch.objects.get()
    assert (switch.level, switch.scope, switch.scope_id) == (
        "REDUCING",
        "organisation",
        world.organisation.pk,
    )
    assert b"Kill switch engaged: REDUCING" in browser_client.get("/dashboard/").content
    assert AuditRecord.objects.filter(action="kill_switch.engaged").count() == 1


def test_release_wants_the_typed_level(browser_client: Client) -> None:
    browser_client.post(reverse("dashboard:stop"), {"confirm": "Acme", "reason": "drill"})
    switch = KillSwitch.objects.get()
    address = reverse("dashboard:release", args=[switch.pk])
    assert browser_client.post(address, {"confirm": "yes"}).status_code == 422
    assert KillSwitch.objects.engaged().exists()
    assert browser_client.post(address, {"confirm": "REDUCING"}).status_code == 302
    assert not KillSwitch.objects.engaged().exists()


def test_foreign_switch_is_neither_shown_nor_released(browser_client: Client) -> None:
    other = make_world("Other")
    switch = KillSwitch.objects.create(
        organisation=other.organisation,
        scope="account",
        scope_id=other.accounts[0].pk,
        reason="their drill",
        actor="user:9",
    )
    assert b"their drill" not in browser_client.get(reverse("dashboard:stop")).content
    address = reverse("dashboard:release", args=[switch.pk])
    assert browser_client.post(address, {"confirm": "REDUCING"}).status_code == 404


def test_alert_is_acknowledged_once(browser_client: Client, world: World) -> None:
    alert = raise_alert("stream_stale", message="No news", organisation_id=world.organisation.pk)
    address = reverse("dashboard:acknowledge", args=[alert.pk])
    answer = browser_client.post(address, headers={"HX-Request": "true"})
    assert b'id="totals"' in answer.content
    assert browser_client.post(address).status_code == 302
    alert.refresh_from_db()
    assert (alert.state, alert.settled_by) == (Alert.State.ACKNOWLEDGED, f"user:{world.user.pk}")


def test_form_of_another_site_is_refused(world: World) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(world.user)
    answer = strict.post(reverse("dashboard:stop"), {"confirm": "Acme", "reason": "x"})
    assert answer.status_code == 403
    assert not KillSwitch.objects.exists()
