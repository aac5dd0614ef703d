"""Bots: making, status, what they reach."""

from typing import Any

import pytest

from accounts.models import Account
from bots.models import Bot
from bots.services import connect_account, create_bot, disconnect_account, set_status, targets
from common.clock import now
from common.errors import Conflict, Denied, Invalid, NotFound
from common.ids import digest
from common.principal import TRADER
from events.models import AuditRecord, Event
from groups.services import create_group
from tests.users.people import Person, new_account, new_person


@pytest.fixture
def accounts(admin: Person) -> list[Account]:
    """Three accounts."""
    return [new_account(admin, name) for name in ("one", "two", "three")]


@pytest.fixture
def bot(admin: Person) -> Bot:
    """A bot that reaches nothing yet."""
    return create_bot(principal=admin.principal, name="Trend-1h")[0]


def test_a_bot_is_active_with_a_number_of_its_own(admin: Person, stranger: Person) -> None:
    first, _ = create_bot(principal=admin.principal, name="First", base_name="F", timeframe="15m")
    second, _ = create_bot(principal=admin.principal, name="Second")
    foreign, _ = create_bot(principal=stranger.principal, name="First")
    assert (first.status, first.timeframe, first.base_name) == ("ACTIVE", "15m", "F")
    assert (first.magic_id, second.magic_id, foreign.magic_id) == (1_000_001, 1_000_002, 1_000_001)


def test_secrets_are_shown_once_and_not_stored_in_the_clear(admin: Person) -> None:
    bot, secrets = create_bot(principal=admin.principal, name="Trend")
    row = str(Bot.objects.filter(pk=bot.pk).values().get())
    assert secrets.path_token not in row
    assert secrets.hmac_secret not in row
    assert bot.path_token_hash == digest(secrets.path_token)
    assert bot.open_hmac_secret() == secrets.hmac_secret
    assert secrets.hmac_secret not in repr(secrets)
    record = AuditRecord.objects.get(action="bot.created")
    event = Event.objects.get(kind="bot.created")
    for text in (str(record.after), str(event.payload), str(bot.history.values().get())):
        assert secrets.path_token not in text
        assert secrets.hmac_secret not in text


def test_a_bot_without_a_way_to_authenticate_is_refused(admin: Person) -> None:
    with pytest.raises(Invalid) as caught:
        create_bot(principal=admin.principal, name="Open", with_hmac=False, with_token=False)
    assert caught.value.code == "no_authentication"
    assert not Bot.objects.exists()


def test_a_chosen_secret_alone_suffices_when_it_is_long(admin: Person) -> None:
    given: dict[str, Any] = {"with_hmac": False, "with_token": False}
    with pytest.raises(Invalid) as caught:
        create_bot(principal=admin.principal, name="Weak", body_secret="short", **given)
    assert caught.value.code == "weak_secret"
    secret = "a chosen secret of length"
    bot, secrets = create_bot(principal=admin.principal, name="Chosen", body_secret=secret, **given)
    assert bot.body_secret_hash == digest(secret)
    assert (secrets.path_token, secrets.hmac_secret) == ("", "")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "nul\x00"}, "name"),
        ({"name": "LIST"}, "name"),
        ({"name": "ok", "timeframe": "4h"}, "timeframe"),
        ({"name": "ok", "base_name": "y" * 61}, "base_name"),
        ({"name": "ok", "account_ids": [999_999]}, "account_ids"),
        ({"name": "ok", "group_ids": [999_999]}, "group_ids"),
    ],
)
def test_wrong_input_names_its_field_and_makes_nothing(
    admin: Person, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        create_bot(principal=admin.principal, **given)
    assert list(caught.value.fields) == [field]
    assert not Bot.objects.exists()


def test_a_name_is_taken_in_any_case(admin: Person, bot: Bot) -> None:
    with pytest.raises(Conflict) as caught:
        create_bot(principal=admin.principal, name="TREND-1H")
    assert caught.value.code == "name_taken"
    assert Bot.objects.count() == 1


def test_status_is_taken_in_any_case_and_told_once(admin: Person, bot: Bot) -> None:
    for status in ("paused", "PAUSED"):
        assert set_status(principal=admin.principal, bot=bot, status=status).status == "PAUSED"
    event = Event.objects.get(kind="bot.updated")
    assert f"bot:{bot.pk}" in event.topics
    assert event.payload["status"] == "PAUSED"


def test_an_unknown_status_is_refused(admin: Person, bot: Bot) -> None:
    with pytest.raises(Invalid):
        set_status(principal=admin.principal, bot=bot, status="SLEEPING")
    bot.refresh_from_db()
    assert bot.status == "ACTIVE"


def test_targets_name_each_account_once_and_no_deleted_one(
    admin: Person, accounts: list[Account]
) -> None:
    one, two, three = accounts
    group = create_group(
        principal=admin.principal, name="Group", account_ids=[one.pk, two.pk, three.pk]
    )
    bot, _ = create_bot(
        principal=admin.principal, name="Both", account_ids=[two.pk], group_ids=[group.pk]
    )
    assert targets(bot) == [one, two, three]
    Account.objects.filter(pk=three.pk).update(deleted_at=now())
    Account.objects.filter(pk=one.pk).update(status="disabled")
    assert targets(bot) == [one, two]


def test_connecting_twice_is_connecting_once(
    admin: Person, bot: Bot, accounts: list[Account]
) -> None:
    for _ in range(2):
        connect_account(principal=admin.principal, bot=bot, account=accounts[0])
    assert targets(bot) == [accounts[0]]
    assert AuditRecord.objects.filter(action="bot.account_connected").count() == 1


def test_disconnecting_what_is_not_connected_is_refused(
    admin: Person, bot: Bot, accounts: list[Account]
) -> None:
    connect_account(principal=admin.principal, bot=bot, account=accounts[0])
    with pytest.raises(NotFound) as caught:
        disconnect_account(principal=admin.principal, bot=bot, account=accounts[1])
    assert caught.value.code == "account_not_connected"
    assert targets(bot) == [accounts[0]]


def test_a_foreign_account_is_not_connected(admin: Person, stranger: Person, bot: Bot) -> None:
    foreign = new_account(stranger, "theirs")
    with pytest.raises(NotFound):
        connect_account(principal=admin.principal, bot=bot, account=foreign)
    assert targets(bot) == []


def test_traders_and_strangers_change_nothing(
    admin: Person, stranger: Person, bot: Bot, accounts: list[Account]
) -> None:
    trader = new_person(admin.user.organisation, "tina", TRADER)
    for person, refusal in ((trader, Denied), (stranger, NotFound)):
        with pytest.raises(refusal):
            set_status(principal=person.principal, bot=bot, status="STOPPED")
        with pytest.raises(refusal):
            connect_account(principal=person.principal, bot=bot, account=accounts[0])
    bot.refresh_from_db()
    assert (bot.status, targets(bot)) == ("ACTIVE", [])
