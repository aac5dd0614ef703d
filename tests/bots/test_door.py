"""Whose certificate a bot accepts, and from where its alerts may come."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from bots.models import Bot
from bots.services import create_bot, set_door
from common.errors import Conflict, Denied, Invalid, NotFound
from common.principal import TRADER
from events.models import AuditRecord
from tests.users.people import Person, new_person

SUBJECT = "TradingView Webhooks"


@pytest.fixture
def bot(admin: Person) -> Bot:
    """A bot with a token alone."""
    return create_bot(principal=admin.principal, name="Trend", with_hmac=False)[0]


def change(person: Person, bot: Bot, subject: str = "", addresses: Any = ()) -> Bot:
    """Change the bot's door as somebody."""
    return set_door(
        principal=person.principal,
        bot=bot,
        certificate_subject=subject,
        allowed_addresses=addresses,
    )


def test_addresses_are_kept_in_their_usual_form_and_once(admin: Person, bot: Bot) -> None:
    given = [
        " 192.0.2.7 ", "192.0.2.7/32", "198.51.100.0/24", "2001:DB8::/32", "2001:db8:0::1",
        "::ffff:203.0.113.0/120",
    ]  # fmt: skip
    row = change(admin, bot, f" {SUBJECT} ", given)
    assert row.certificate_subject == SUBJECT
    assert row.allowed_addresses == [
        "192.0.2.7", "198.51.100.0/24", "2001:db8::/32", "2001:db8::1", "203.0.113.0/24",
    ]  # fmt: skip
    assert row.auth_modes == ("token", "mtls")
    record = AuditRecord.objects.get(action="bot.door_changed")
    assert record.before == {"certificate_subject": "", "allowed_addresses": []}
    assert record.after == {
        "certificate_subject": SUBJECT,
        "allowed_addresses": row.allowed_addresses,
    }
    change(admin, bot, SUBJECT, row.allowed_addresses)
    assert AuditRecord.objects.filter(action="bot.door_changed").count() == 1


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("192.0.2.8", False),
        ("2001:db8:1::9", True),
        ("2001:db9::1", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_a_list_admits_what_it_names_alone(address: str, admitted: bool) -> None:
    bot = Bot(allowed_addresses=["192.0.2.7", "2001:db8::/32"])
    assert bot.admits(address) is admitted
    assert Bot().admits(address)


@pytest.mark.parametrize(
    ("subject", "addresses", "field"),
    [
        ("x" * 65, [], "certificate_subject"),
        ("Trading\x00View", [], "certificate_subject"),
        ("", ["192.0.2"], "allowed_addresses"),
        ("", ["192.0.2.7/8"], "allowed_addresses"),
        ("", ["example.org"], "allowed_addresses"),
        ("", [""], "allowed_addresses"),
        ("", ["fe80::1%eth0"], "allowed_addresses"),
        ("", [f"10.0.0.{number}" for number in range(51)], "allowed_addresses"),
    ],
)
def test_what_is_no_name_or_address_changes_nothing(
    admin: Person, bot: Bot, subject: str, addresses: list[str], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        change(admin, bot, subject, addresses)
    assert list(caught.value.fields) == [field]
    bot.refresh_from_db()
    assert (bot.certificate_subject, bot.allowed_addresses) == ("", [])


def test_a_certificate_alone_suffices_and_stays_while_it_is_the_only_way(admin: Person) -> None:
    bot, secrets = create_bot(
        principal=admin.principal, name="Seen", with_hmac=False, with_token=False,
        certificate_subject=SUBJECT,
    )  # fmt: skip
    assert bot.auth_modes == ("mtls",)
    assert (secrets.path_token, secrets.hmac_secret) == ("", "")
    with pytest.raises(Invalid) as caught:
        change(admin, bot, "")
    assert caught.value.code == "no_authentication"
    bot.refresh_from_db()
    assert bot.certificate_subject == SUBJECT


def test_the_database_demands_a_way_to_authenticate(bot: Bot) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Bot.objects.update(path_token_hash="")
    Bot.objects.update(path_token_hash="", certificate_subject=SUBJECT)
    assert Bot.objects.get().auth_modes == ("mtls",)


def test_a_certificate_names_one_bot_of_a_name_in_the_whole_installation(
    admin: Person, stranger: Person, bot: Bot
) -> None:
    change(admin, bot, SUBJECT)
    with pytest.raises(Conflict) as caught:
        create_bot(principal=stranger.principal, name="trenD", certificate_subject=SUBJECT)
    assert caught.value.code == "certificate_subject_taken"
    foreign, _ = create_bot(principal=stranger.principal, name="TREND")
    with pytest.raises(Conflict) as caught:
        change(stranger, foreign, SUBJECT)
    assert caught.value.code == "certificate_subject_taken"
    foreign.refresh_from_db()
    assert foreign.certificate_subject == ""
    assert change(stranger, foreign, "Other Webhooks").certificate_subject == "Other Webhooks"


def test_traders_and_strangers_change_nothing(admin: Person, stranger: Person, bot: Bot) -> None:
    trader = new_person(admin.user.organisation, "tina", TRADER)
    for person, refusal in ((trader, Denied), (stranger, NotFound)):
        with pytest.raises(refusal):
            change(person, bot, SUBJECT)
    bot.refresh_from_db()
    assert bot.certificate_subject == ""
