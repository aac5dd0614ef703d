"""``/api/v1/bots/{id}/door`` and ``/secrets``, and the door itself behind a proxy."""

import json
import logging
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import Client

from bots.models import Bot, PreviousSecret
from bots.secrets import BotSecrets
from bots.services import create_bot, renew_secret, set_door
from events.models import AuditRecord
from monitoring.models import Alert
from surfaces.authentication import verified_subject
from tests.management.answers import masked, refusal
from tests.management.conftest import Call
from tests.users.people import Person
from webhooks.authentication import sign
from webhooks.models import Signal

ADDRESS = "/api/v1/webhook/tradingview"
ALERT = {"botname": "trend", "symbol": "BTCUSDT", "side": "buy", "size": "2"}
COMMON_NAME = "TradingView Webhooks"
CERTIFICATE = f"CN={COMMON_NAME},O=TradingView\\, Inc."
PROXY, HERE = "10.0.0.1", "203.0.113.7"
Knock = Callable[..., Any]


@pytest.fixture
def made(transactional_db: None, admin: Person) -> tuple[Bot, BotSecrets]:
    """A bot that reaches nothing: what it lets in is stored, and refused with ``no_accounts``."""
    return create_bot(principal=admin.principal, name="Trend", certificate_subject=COMMON_NAME)


@pytest.fixture
def proxied(settings: Any) -> None:
    """The installation stands behind a proxy that verifies certificates."""
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    settings.WEBHOOK_CLIENT_CERT_HEADER = "X-Client-Cert-Subject"


@pytest.fixture
def knock(client: Client) -> Knock:
    """``knock(secret=…, token=…, remote=…, headers=…)``: deliver an alert; each is another one."""

    def deliver(
        *, secret: str = "", token: str = "", remote: str = HERE, headers: Any = None, **fields: Any
    ) -> Any:
        body = json.dumps({**ALERT, "alert_id": str(Signal.objects.count()), **fields}).encode()
        sent = dict(headers or {})
        if secret:
            sent["X-TradingView-Signature"] = sign(secret, body)
        address = f"{ADDRESS}/{token}" if token else ADDRESS
        return client.generic(
            "POST", address, body, content_type="application/json", headers=sent, REMOTE_ADDR=remote
        )

    return deliver


def stored() -> list[tuple[str, str | None, bool]]:
    """The signals: by what each was proven, from where, and whether by a renewed secret."""
    rows = Signal.objects.order_by("pk")
    return list(rows.values_list("auth_mode", "address", "used_previous_secret"))


@pytest.mark.parametrize("name", ["x-client-cert-subject", "X-CLIENT-CERT-SUBJECT"])
@pytest.mark.parametrize("setting", ["X-Client-Cert-Subject", "x-client-cert-subject"])
def test_a_verified_certificate_lets_in_in_any_case_of_its_header(
    knock: Knock, made: Any, proxied: None, settings: Any, name: str, setting: str
) -> None:
    settings.WEBHOOK_CLIENT_CERT_HEADER = setting
    headers = {name: CERTIFICATE, "X-Forwarded-For": HERE}
    knock(remote=PROXY, headers=headers)
    assert stored() == [("mtls", HERE, False)]


@pytest.mark.parametrize(
    ("remote", "headers", "header_setting"),
    [
        (HERE, {"X-Client-Cert-Subject": CERTIFICATE}, "X-Client-Cert-Subject"),
        # Claiming to come by way of the proxy helps nobody: the connection's own address counts.
        (
            HERE,
            {"X-Client-Cert-Subject": CERTIFICATE, "X-Forwarded-For": PROXY},
            "X-Client-Cert-Subject",
        ),
        (PROXY, {"X-Client-Cert-Subject": COMMON_NAME}, "X-Client-Cert-Subject"),
        (PROXY, {"X-Client-Cert-Subject": "CN=Another"}, "X-Client-Cert-Subject"),
        (PROXY, {"X-Other": CERTIFICATE}, "X-Client-Cert-Subject"),
        (PROXY, {"X-Client-Cert-Subject": CERTIFICATE}, ""),
        (PROXY, {"X-Client-Cert-Subject": "CN=Caf\u00e9"}, "X-Client-Cert-Subject"),
    ],
)
def test_a_certificate_that_no_proxy_vouches_for_is_nothing(
    knock: Knock, made: Any, proxied: None, settings: Any,
    remote: str, headers: Any, header_setting: str,
) -> None:  # fmt: skip
    settings.WEBHOOK_CLIENT_CERT_HEADER = header_setting
    refusal(knock(remote=remote, headers=headers), 401, "unauthorized")
    assert stored() == []


@pytest.mark.parametrize(
    ("more", "subject"),
    [
        ([], "CN=Café"),
        # A proxy that adds its header to the client's is not believed.
        ([(b"X-Client-Cert-Subject", b"O=evil")], ""),
        # Another header, which Django leaves out.
        ([(b"x_client_cert_subject", b"O=evil")], "CN=Café"),
    ],
)
def test_a_header_that_stands_there_twice_is_not_believed(
    proxied: None, more: list[tuple[bytes, bytes]], subject: str
) -> None:
    headers = [(b"x-client-cert-subject", "CN=Café".encode()), *more]
    scope = {"type": "http", "method": "POST", "path": ADDRESS, "headers": headers}
    request = ASGIRequest({**scope, "client": (PROXY, 1)}, BytesIO())
    assert verified_subject(request) == subject
    stranger = ASGIRequest({**scope, "client": (HERE, 1)}, BytesIO())
    assert verified_subject(stranger) == ""


def test_behind_the_proxy_the_nearest_untrusted_hop_has_to_be_listed(
    knock: Knock, made: Any, admin: Person, proxied: None
) -> None:
    bot, secrets = made
    set_door(
        principal=admin.principal, bot=bot, certificate_subject="",
        allowed_addresses=["198.51.100.0/24"],
    )  # fmt: skip
    given = {"secret": secrets.hmac_secret, "remote": PROXY}
    spoofed = {"X-Forwarded-For": f"198.51.100.9, {HERE}"}
    refusal(knock(headers=spoofed, **given), 401, "unauthorized")
    refusal(knock(**given), 401, "unauthorized")
    assert stored() == []
    knock(headers={"X-Forwarded-For": f"{HERE}, 198.51.100.9, 10.0.0.9"}, **given)
    assert stored() == [("hmac", "198.51.100.9", False)]


def test_every_refusal_is_the_same_answer(
    knock: Knock, made: Any, admin: Person, proxied: None
) -> None:
    bot, secrets = made
    set_door(
        principal=admin.principal, bot=bot, certificate_subject=COMMON_NAME,
        allowed_addresses=["198.51.100.9"],
    )  # fmt: skip
    renew_secret(principal=admin.principal, bot=bot, kind="hmac", grace_seconds=0)
    renew_secret(principal=admin.principal, bot=bot, kind="token", grace_seconds=0)
    bot.refresh_from_db()
    certified = {"X-Client-Cert-Subject": CERTIFICATE}
    answers = [
        knock(),
        knock(botname="nobody"),
        knock(secret="wrong"),
        knock(secret=secrets.hmac_secret),
        knock(secret=bot.open_hmac_secret()),
        knock(token=secrets.path_token),
        knock(token="x" * 43),
        knock(headers=certified),
        knock(headers=certified, remote=PROXY),
    ]
    assert [each.status_code for each in answers] == [401] * 9
    assert all(masked(each) == masked(answers[0]) for each in answers)
    assert stored() == []


def test_failures_are_limited_by_address_and_what_is_authentic_never_is(
    knock: Knock, made: Any, settings: Any
) -> None:
    settings.WEBHOOK_FAILURES_PER_MIN = 3
    answers = [knock(secret="wrong") for _ in range(5)]
    assert [each.status_code for each in answers] == [401, 401, 401, 429, 429]
    refusal(answers[-1], 429, "too_many_requests")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    refusal(knock(secret="wrong", remote="198.51.100.9"), 401, "unauthorized")
    knock(secret=made[1].hmac_secret)
    assert stored() == [("hmac", HERE, False)]


def alerts() -> list[tuple[str, int | None, int]]:
    """The alerts, their organisation and how often each was raised."""
    rows = Alert.objects.order_by("pk")
    return list(rows.values_list("code", "organisation_id", "count"))


def test_a_burst_of_failures_is_an_alert_of_the_bots_organisation(
    knock: Knock, made: Any, admin: Person, settings: Any
) -> None:
    settings.WEBHOOK_FAILURE_BURST = 3
    for _ in range(3):
        knock(secret="wrong")
    assert alerts() == []
    for _ in range(3):
        knock(secret="wrong")
    organisation = admin.user.organisation_id
    assert alerts() == [("webhook_failures", organisation, 1)]
    assert HERE in Alert.objects.get().message
    for _ in range(5):
        knock(botname="nobody")
    assert alerts()[1:] == [("webhook_failures", None, 1)]


def test_a_proof_that_is_not_taken_is_an_alert_at_once(
    knock: Knock, made: Any, admin: Person, stranger: Person
) -> None:
    bot, secrets = made
    create_bot(principal=stranger.principal, name="Trend")
    renew_secret(principal=admin.principal, bot=bot, kind="hmac", grace_seconds=0)
    for _ in range(2):
        knock(secret=secrets.hmac_secret)
    set_door(
        principal=admin.principal, bot=bot, certificate_subject="",
        allowed_addresses=["198.51.100.9"],
    )  # fmt: skip
    knock(token=secrets.path_token)
    organisation = admin.user.organisation_id
    assert alerts() == [
        ("webhook_ended_secret", organisation, 1),
        ("webhook_address_refused", organisation, 1),
    ]
    assert secrets.hmac_secret not in str(Alert.objects.values())


def test_a_secret_is_renewed_shown_once_and_retired(
    call: Call, knock: Knock, made: Any, admin: Person, viewer: Person, caplog: Any
) -> None:
    bot, secrets = made
    caplog.set_level(logging.DEBUG)
    path = f"/bots/{bot.pk}/secrets"
    answer = call("POST", path, {"kind": "hmac"}, person=admin)
    new = answer.json()["secret"]
    assert answer.headers["Cache-Control"] == "no-store"
    knock(secret=secrets.hmac_secret)
    knock(secret=new)
    assert stored() == [("hmac", HERE, True), ("hmac", HERE, False)]
    door = call("GET", f"/bots/{bot.pk}/door", person=viewer).json()
    (previous,) = door["previous_secrets"]
    assert (previous["kind"], previous["is_accepted"]) == ("hmac", True)
    assert previous["accepted_until"] == answer.json()["previous_accepted_until"]
    assert previous["last_used_at"] is not None
    retired = call("POST", f"{path}/retire", {"kind": "hmac"}, person=admin).json()
    assert retired["previous_secret"]["is_accepted"] is False
    refusal(knock(secret=secrets.hmac_secret), 401, "unauthorized")
    assert len(stored()) == 2
    seen = [str(door), str(retired), caplog.text, str(list(AuditRecord.objects.values()))]
    for secret in (new, secrets.hmac_secret, secrets.path_token):
        assert not any(secret in text for text in seen)


def test_a_new_address_comes_with_its_token_and_the_old_one_goes_on(
    call: Call, knock: Knock, made: Any, admin: Person
) -> None:
    bot, secrets = made
    asked = {"kind": "token", "grace_seconds": 3600}
    answer = call("POST", f"/bots/{bot.pk}/secrets", asked, person=admin).json()
    assert answer["webhook_url"] == f"http://testserver{ADDRESS}/{answer['secret']}"
    knock(token=answer["secret"])
    knock(token=secrets.path_token)
    assert stored() == [("token", HERE, False), ("token", HERE, True)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "validation_error"),
        ({"kind": "mtls"}, "validation_error"),
        ({"kind": "hmac", "grace_seconds": 2_592_001}, "validation_error"),
        ({"kind": "hmac", "grace_seconds": -1}, "validation_error"),
        ({"kind": "secret", "body_secret": "short"}, "weak_secret"),
        ({"kind": "hmac", "secret": "x"}, "validation_error"),
    ],
)
def test_a_renewal_that_is_not_possible_changes_nothing(
    call: Call, made: Any, admin: Person, body: Any, code: str
) -> None:
    before = Bot.objects.values().get()
    refusal(call("POST", f"/bots/{made[0].pk}/secrets", body, person=admin), 422, code)
    assert Bot.objects.values().get() == before
    assert not PreviousSecret.objects.exists()


def test_the_door_is_replaced_whole(
    call: Call, made: Any, admin: Person, stranger: Person, trader: Person
) -> None:
    path = f"/bots/{made[0].pk}/door"
    asked = {"certificate_subject": "", "allowed_addresses": ["192.0.2.7/32", "2001:DB8::/32"]}
    for person, status in ((trader, 403), (stranger, 404)):
        assert call("PUT", path, asked, person=person).status_code == status
    refusal(call("PUT", path, {"allowed_addresses": []}, person=admin), 422, "validation_error")
    wrong = {**asked, "allowed_addresses": ["192.0.2.7/8"]}
    fault = refusal(call("PUT", path, wrong, person=admin), 422, "validation_error")
    assert "allowed_addresses" in str(fault)
    assert Bot.objects.get().certificate_subject == COMMON_NAME
    answer = call("PUT", path, asked, person=admin).json()
    assert answer == {
        "success": True,
        "authentication": ["token", "hmac"],
        "certificate_subject": "",
        "allowed_addresses": ["192.0.2.7", "2001:db8::/32"],
        "previous_secrets": [],
    }


def test_a_bot_is_made_with_its_door(call: Call, admin: Person) -> None:
    body = {
        "name": "Seen", "with_hmac": False, "with_token": False,
        "certificate_subject": COMMON_NAME, "allowed_addresses": ["192.0.2.7"],
    }  # fmt: skip
    assert call("POST", "/bots/create", body, person=admin).status_code == 200
    bot = Bot.objects.get()
    assert (bot.auth_modes, bot.allowed_addresses) == (("mtls",), ["192.0.2.7"])


def test_a_dry_run_tells_what_the_alert_would_have_been_proven_by(
    call: Call, made: Any, trader: Person, admin: Person, proxied: None, account: Any
) -> None:
    bot, secrets = made
    bot.accounts.add(account)
    renew_secret(principal=admin.principal, bot=bot, kind="hmac")
    set_door(
        principal=admin.principal, bot=bot, certificate_subject=COMMON_NAME,
        allowed_addresses=[HERE],
    )  # fmt: skip
    body = json.dumps({**ALERT, "side": "close"})

    def tried(**headers: str) -> Any:
        return call(
            "POST", "/webhook/tradingview/test", body, person=trader, REMOTE_ADDR=PROXY, **headers
        ).json()

    signed = tried(HTTP_X_TRADINGVIEW_SIGNATURE=sign(secrets.hmac_secret, body.encode()))
    certified = tried(HTTP_X_CLIENT_CERT_SUBJECT=CERTIFICATE, HTTP_X_FORWARDED_FOR=HERE)
    accepts = ["token", "hmac", "mtls"]
    assert signed["data"]["authentication"] == {
        "accepts": accepts, "proven_by": "hmac", "by_previous_secret": True,
        "address_admitted": False,
    }  # fmt: skip
    assert certified["data"]["authentication"] == {
        "accepts": accepts, "proven_by": "mtls", "by_previous_secret": False,
        "address_admitted": True,
    }  # fmt: skip
    assert not Signal.objects.exists()
    assert PreviousSecret.objects.get().last_used_at is None
