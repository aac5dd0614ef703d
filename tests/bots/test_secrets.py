"""Renewing and retiring what a bot's alerts prove themselves by."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.test import override_settings

from bots.models import Bot, PreviousSecret
from bots.secrets import BotSecrets
from bots.services import create_bot, renew_secret, retire_secret
from common.clock import iso, now
from common.errors import Denied, Invalid, NotFound
from common.ids import digest
from common.principal import TRADER
from events.models import AuditRecord, Event
from tests.users.people import Person, new_person

CHOSEN = "a chosen secret of length"
DAY = timedelta(hours=24)


@pytest.fixture
def made(admin: Person) -> tuple[Bot, BotSecrets]:
    """A bot with every kind of secret."""
    return create_bot(principal=admin.principal, name="Trend", body_secret=CHOSEN)


def test_the_secret_before_is_kept_as_the_others_are_and_for_a_day(
    admin: Person, made: tuple[Bot, BotSecrets]
) -> None:
    bot, secrets = made
    began = now()
    new = {
        kind: renew_secret(principal=admin.principal, bot=bot, kind=kind)
        for kind in ("token", "hmac", "secret")
    }
    bot.refresh_from_db()
    assert bot.path_token_hash == digest(new["token"].secret)
    assert bot.body_secret_hash == digest(new["secret"].secret)
    assert bot.open_hmac_secret() == new["hmac"].secret
    kept = {each.kind: each for each in bot.previous_secrets.all()}
    assert kept["token"].secret_hash == digest(secrets.path_token)
    assert kept["secret"].secret_hash == digest(CHOSEN)
    assert kept["hmac"].open_hmac_secret() == secrets.hmac_secret
    stored = str([*PreviousSecret.objects.values(), *Bot.objects.values()])
    for text in (secrets.hmac_secret, CHOSEN, *(each.secret for each in new.values())):
        assert text not in stored
        assert text not in str(new)
    for each in kept.values():
        assert began + DAY <= each.accepted_until <= now() + DAY
        assert new[each.kind].previous_until == each.accepted_until
        assert each.is_accepted


def test_what_is_audited_and_told_has_no_secret(
    admin: Person, made: tuple[Bot, BotSecrets]
) -> None:
    bot, secrets = made
    new = renew_secret(principal=admin.principal, bot=bot, kind="hmac")
    retire_secret(principal=admin.principal, bot=bot, kind="hmac")
    renewed = AuditRecord.objects.get(action="bot.secret_renewed")
    assert renewed.before == {"kind": "hmac", "had_one": True}
    assert new.previous_until is not None
    until = iso(new.previous_until)
    assert renewed.after == {"kind": "hmac", "previous_accepted_until": until}
    retired = AuditRecord.objects.get(action="bot.secret_retired")
    assert retired.before == {"kind": "hmac", "previous_accepted_until": until}
    kept = [*AuditRecord.objects.values(), *Event.objects.values(), *bot.history.values()]
    for secret in (new.secret, secrets.hmac_secret, bot.hmac_secret_sealed, digest(new.secret)):
        assert secret not in str(kept)


def test_two_are_in_force_at_most(admin: Person, made: tuple[Bot, BotSecrets]) -> None:
    bot, _ = made
    second = renew_secret(principal=admin.principal, bot=bot, kind="hmac")
    third = renew_secret(principal=admin.principal, bot=bot, kind="hmac", grace_seconds=60)
    bot.refresh_from_db()
    assert bot.open_hmac_secret() == third.secret
    assert bot.previous_secrets.get().open_hmac_secret() == second.secret


@pytest.mark.parametrize("grace", [-1, 30 * 24 * 3600 + 1, 10**30])
def test_a_grace_beyond_thirty_days_is_refused_and_changes_nothing(
    admin: Person, made: tuple[Bot, BotSecrets], grace: int
) -> None:
    bot, secrets = made
    with pytest.raises(Invalid) as caught:
        renew_secret(principal=admin.principal, bot=bot, kind="hmac", grace_seconds=grace)
    assert list(caught.value.fields) == ["grace_seconds"]
    bot.refresh_from_db()
    assert bot.open_hmac_secret() == secrets.hmac_secret
    assert not PreviousSecret.objects.exists()


def test_thirty_days_and_none_are_taken(admin: Person, made: tuple[Bot, BotSecrets]) -> None:
    bot, _ = made
    month = 30 * 24 * 3600
    kept = renew_secret(principal=admin.principal, bot=bot, kind="hmac", grace_seconds=month)
    assert kept.previous_until is not None
    none = renew_secret(principal=admin.principal, bot=bot, kind="token", grace_seconds=0)
    assert none.previous_until is None
    assert not bot.previous_secrets.get(kind="token").is_accepted


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"kind": "mtls"}, "validation_error", "kind"),
        ({"kind": "secret", "body_secret": "short"}, "weak_secret", "body_secret"),
        ({"kind": "secret", "body_secret": CHOSEN}, "same_secret", "body_secret"),
        ({"kind": "hmac", "body_secret": CHOSEN + "!"}, "validation_error", "body_secret"),
    ],
)
def test_a_secret_that_is_not_usable_changes_nothing(
    admin: Person, made: tuple[Bot, BotSecrets], given: Any, code: str, field: str
) -> None:
    before = Bot.objects.values().get()
    with pytest.raises(Invalid) as caught:
        renew_secret(principal=admin.principal, bot=made[0], **given)
    assert (caught.value.code, list(caught.value.fields)) == (code, [field])
    assert Bot.objects.values().get() == before
    assert not PreviousSecret.objects.exists()


def test_a_kind_that_the_bot_had_not_is_added(admin: Person) -> None:
    bot, _ = create_bot(principal=admin.principal, name="Bare", with_hmac=False)
    new = renew_secret(principal=admin.principal, bot=bot, kind="secret", body_secret=CHOSEN)
    bot.refresh_from_db()
    assert (new.secret, new.previous_until) == (CHOSEN, None)
    assert bot.auth_modes == ("token", "secret")
    assert not PreviousSecret.objects.exists()


def test_retiring_holds_at_once_and_twice_is_once(
    admin: Person, made: tuple[Bot, BotSecrets]
) -> None:
    bot, _ = made
    with pytest.raises(NotFound) as caught:
        retire_secret(principal=admin.principal, bot=bot, kind="hmac")
    assert caught.value.code == "no_previous_secret"
    renew_secret(principal=admin.principal, bot=bot, kind="hmac")
    first, second = (
        retire_secret(principal=admin.principal, bot=bot, kind="hmac") for _ in range(2)
    )
    assert not first.is_accepted
    assert second.accepted_until == first.accepted_until
    assert AuditRecord.objects.filter(action="bot.secret_retired").count() == 1


def test_traders_and_strangers_renew_and_retire_nothing(
    admin: Person, stranger: Person, made: tuple[Bot, BotSecrets]
) -> None:
    bot, _ = made
    renew_secret(principal=admin.principal, bot=bot, kind="hmac")
    before = (Bot.objects.values().get(), PreviousSecret.objects.values().get())
    trader = new_person(admin.user.organisation, "tina", TRADER)
    for person, refusal in ((trader, Denied), (stranger, NotFound)):
        with pytest.raises(refusal):
            renew_secret(principal=person.principal, bot=bot, kind="hmac")
        with pytest.raises(refusal):
            retire_secret(principal=person.principal, bot=bot, kind="hmac")
    assert (Bot.objects.values().get(), PreviousSecret.objects.values().get()) == before


def test_the_one_before_is_sealed_anew_under_a_new_key(
    admin: Person, made: tuple[Bot, BotSecrets], settings: Any
) -> None:
    bot, secrets = made
    new = renew_secret(principal=admin.principal, bot=bot, kind="hmac")
    key = Fernet.generate_key().decode()
    with override_settings(CREDENTIAL_KEYS=[key, *settings.CREDENTIAL_KEYS]):
        call_command("rotate_credentials", "--quiet")
    bot.refresh_from_db()
    with override_settings(CREDENTIAL_KEYS=[key]):
        assert bot.open_hmac_secret() == new.secret
        assert bot.previous_secrets.get().open_hmac_secret() == secrets.hmac_secret
