"""Whether an alert is let in: each way to prove it, renewed secrets, certificates, addresses."""

import hashlib
import hmac
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from bots.models import Bot, PreviousSecret
from bots.secrets import BotSecrets
from bots.services import create_bot, renew_secret, retire_secret, set_door
from common.clock import now
from common.errors import BadJson, Invalid
from events.models import Event
from tests.users.people import Person
from tests.waiting import PATIENCE
from tests.webhooks.conftest import BODY_SECRET, COMMON_NAME
from webhooks import authentication, services
from webhooks.authentication import SIGNATURE_HEADER, Sender, sign
from webhooks.models import Signal
from webhooks.refusals import ADDRESS, ENDED, WRONG, NotAuthentic
from webhooks.services import store

Made = tuple[Bot, BotSecrets]
HERE = "203.0.113.7"
CERTIFICATE = f"CN={COMMON_NAME},O=TradingView"
ALERT = {"botname": "trend", "symbol": "BTCUSDT", "side": "buy", "size": "2"}


def deliver(
    *,
    hmac_secret: str = "",
    token: str | None = None,
    subject: str = "",
    address: str = HERE,
    **fields: Any,
) -> Signal:
    """Deliver an alert that shows this; every one is another alert."""
    body = json.dumps({**ALERT, "alert_id": f"{Signal.objects.count()}", **fields}).encode()
    headers = {SIGNATURE_HEADER: sign(hmac_secret, body)} if hmac_secret else {}
    sender = Sender(address=address, subject=subject)
    return store(body=body, headers=headers, token=token, sender=sender)


def refused(reason: str | None, **shown: Any) -> None:
    """Demand that an alert which shows this is refused, for a reason that stays inside, and that
    nothing is stored.
    """
    before = (Signal.objects.count(), Event.objects.count(), Bot.objects.values().first())
    with pytest.raises(NotAuthentic) as caught:
        deliver(**shown)
    assert (caught.value.code, caught.value.message) == (
        "unauthorized",
        "The alert is not authentic.",
    )
    assert {each.reason for each in caught.value.against} == ({reason} if reason else set())
    assert (Signal.objects.count(), Event.objects.count(), Bot.objects.values().first()) == before


def ways(secrets: BotSecrets) -> dict[str, dict[str, Any]]:
    """What an alert shows, by the way it proves itself."""
    return {
        "hmac": {"hmac_secret": secrets.hmac_secret},
        "secret": {"secret": BODY_SECRET},
        "token": {"token": secrets.path_token},
        "mtls": {"subject": CERTIFICATE},
    }


def test_each_way_lets_an_alert_in_and_is_noted(made: Made) -> None:
    for mode, shown in ways(made[1]).items():
        signal = deliver(**shown)
        assert (signal.bot, signal.auth_mode, signal.used_previous_secret) == (made[0], mode, False)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ({}, WRONG),
        ({"hmac_secret": "wrong"}, WRONG),
        ({"secret": "wrong secret of length"}, WRONG),
        ({"secret": 7}, WRONG),
        ({"token": "x" * 43}, None),
        ({"subject": "CN=Somebody Else,O=TradingView"}, WRONG),
        ({"subject": COMMON_NAME}, WRONG),
        ({"subject": f"O=x\\,CN={COMMON_NAME}"}, WRONG),
        ({"subject": CERTIFICATE, "botname": "nobody"}, None),
        ({"subject": CERTIFICATE, "botname": ""}, None),
        # Whoever shows a secret proves it, or is refused.
        ({"subject": CERTIFICATE, "hmac_secret": "wrong"}, WRONG),
        ({"subject": CERTIFICATE, "secret": "wrong secret of length"}, WRONG),
        ({"subject": CERTIFICATE, "secret": 7}, WRONG),
    ],
)
def test_what_proves_nothing_is_refused(made: Made, shown: Any, reason: str | None) -> None:
    refused(reason, **shown)


def test_a_certificate_counts_for_bots_that_name_it_alone(made: Made, admin: Person) -> None:
    create_bot(principal=admin.principal, name="Plain")
    refused(WRONG, subject=CERTIFICATE, botname="Plain")
    assert deliver(subject=CERTIFICATE).bot == made[0]


@pytest.mark.parametrize("kind", ["hmac", "secret", "token"])
def test_a_renewed_secret_is_taken_until_its_end_and_its_use_is_noted(
    made: Made, admin: Person, kind: str
) -> None:
    bot, secrets = made
    old = ways(secrets)[kind]
    new = renew_secret(principal=admin.principal, bot=bot, kind=kind)
    name = {"hmac": "hmac_secret"}.get(kind, kind)
    signal = deliver(**{name: new.secret})
    assert (signal.auth_mode, signal.used_previous_secret) == (kind, False)
    assert PreviousSecret.objects.get().last_used_at is None
    began = now()
    signal = deliver(**old)
    assert (signal.bot, signal.auth_mode, signal.used_previous_secret) == (bot, kind, True)
    used = PreviousSecret.objects.get().last_used_at
    assert used is not None
    assert began <= used <= now()
    PreviousSecret.objects.update(accepted_until=now() - timedelta(seconds=1))
    refused(ENDED, **old)
    assert PreviousSecret.objects.get().last_used_at == used
    assert deliver(**{name: new.secret}).auth_mode == kind


def test_a_retired_secret_and_one_renewed_without_grace_are_refused_at_once(
    made: Made, admin: Person
) -> None:
    bot, secrets = made
    first = renew_secret(principal=admin.principal, bot=bot, kind="hmac")
    retire_secret(principal=admin.principal, bot=bot, kind="hmac")
    refused(ENDED, hmac_secret=secrets.hmac_secret)
    renew_secret(principal=admin.principal, bot=bot, kind="hmac", grace_seconds=0)
    refused(ENDED, hmac_secret=first.secret)
    # The one before the last is forgotten altogether.
    refused(WRONG, hmac_secret=secrets.hmac_secret)


def test_a_repeat_by_the_renewed_secret_is_a_repeat_and_noted(made: Made, admin: Person) -> None:
    bot, secrets = made
    first = deliver(hmac_secret=secrets.hmac_secret, alert_id="one")
    renew_secret(principal=admin.principal, bot=bot, kind="hmac")
    again = deliver(hmac_secret=secrets.hmac_secret, alert_id="one")
    assert (again.pk, again.is_duplicate) == (first.pk, True)
    assert Signal.objects.get().deliveries == 2
    assert PreviousSecret.objects.get().last_used_at is not None


def test_the_renewed_secret_of_another_bot_proves_nothing(
    made: Made, admin: Person, stranger: Person
) -> None:
    other, secrets = create_bot(principal=admin.principal, name="Other")
    renew_secret(principal=admin.principal, bot=other, kind="hmac")
    refused(WRONG, hmac_secret=secrets.hmac_secret)
    twin, twin_secrets = create_bot(principal=stranger.principal, name="trend")
    renew_secret(principal=stranger.principal, bot=twin, kind="hmac")
    assert deliver(hmac_secret=twin_secrets.hmac_secret).bot == twin


@pytest.mark.parametrize("way", ["hmac", "secret", "token", "mtls"])
def test_an_alert_from_elsewhere_is_refused_whatever_it_proves(
    made: Made, admin: Person, way: str
) -> None:
    bot, secrets = made
    shown = ways(secrets)[way]
    set_door(
        principal=admin.principal, bot=bot, certificate_subject=COMMON_NAME,
        allowed_addresses=["198.51.100.0/24", "2001:db8::/32"],
    )  # fmt: skip
    for address in (HERE, "", "2001:db9::1"):
        refused(ADDRESS, address=address, **shown)
    for address in ("198.51.100.9", "2001:db8::9"):
        assert deliver(address=address, **shown).auth_mode == way


def test_a_token_from_elsewhere_tells_nothing_by_a_body_that_is_not_json(
    made: Made, admin: Person
) -> None:
    bot, secrets = made
    given = {"body": b"{", "headers": {}, "token": secrets.path_token}
    with pytest.raises(BadJson):
        store(**given, sender=Sender(HERE))
    set_door(
        principal=admin.principal, bot=bot, certificate_subject="",
        allowed_addresses=["198.51.100.9"],
    )  # fmt: skip
    with pytest.raises(NotAuthentic):
        store(**given, sender=Sender(HERE))
    with pytest.raises(NotAuthentic):
        deliver(token=secrets.path_token, botname="another")
    with pytest.raises(Invalid):
        deliver(token=secrets.path_token, botname="another", address="198.51.100.9")
    assert not Signal.objects.exists()


def test_every_secret_is_compared_in_constant_time(
    made: Made, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[Any] = []

    def compare(one: Any, other: Any) -> bool:
        compared.append(other)
        return hmac.compare_digest(one, other)

    class Watched:
        """hmac with an eye on its comparisons."""

        new = staticmethod(hmac.new)
        compare_digest = staticmethod(compare)

    bot, secrets = made
    for kind in ("hmac", "secret"):
        renew_secret(principal=admin.principal, bot=bot, kind=kind)
    monkeypatch.setattr(authentication, "hmac", Watched)
    signal = deliver(hmac_secret=secrets.hmac_secret, alert_id="x")
    assert (signal.used_previous_secret, len(compared)) == (True, 2)
    compared.clear()
    refused(WRONG, secret="wrong secret of length")
    bot.refresh_from_db()
    assert compared == [bot.body_secret_hash, hashlib.sha256(BODY_SECRET.encode()).hexdigest()]
    compared.clear()
    deliver(subject=CERTIFICATE)
    assert compared == [COMMON_NAME.encode()]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("grace", "is_stored"), [(60, True), (0, False)])
def test_an_alert_at_the_moment_of_a_renewal_is_judged_by_what_is_committed(
    admin: Person, monkeypatch: pytest.MonkeyPatch, grace: int, is_stored: bool
) -> None:
    bot, secrets = create_bot(principal=admin.principal, name="Trend")
    proven, outcome = threading.Event(), []

    def prove(**given: Any) -> Any:
        found = authentication.authenticate(**given)
        proven.set()
        return found

    def send() -> None:
        try:
            outcome.append(deliver(hmac_secret=secrets.hmac_secret, alert_id="one"))
        except NotAuthentic as error:
            outcome.append(error)
        finally:
            connection.close()

    monkeypatch.setattr(services, "authenticate", prove)
    sender = threading.Thread(target=send)
    with transaction.atomic():
        renew_secret(principal=admin.principal, bot=bot, kind="hmac", grace_seconds=grace)
        sender.start()
        # Judged by what was in force before; it waits for the bot's row to be stored.
        assert proven.wait(PATIENCE)
    sender.join(PATIENCE)
    assert [isinstance(each, Signal) for each in outcome] == [is_stored]
    assert Signal.objects.filter(used_previous_secret=True).count() == int(is_stored)
    assert Signal.objects.count() == int(is_stored)
