"""Making accounts: venues, books, names, keys."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from accounts.principals import authenticate
from accounts.services import create_account
from common.errors import Conflict, Denied, DomainError
from common.principal import TRADER
from events.models import AuditRecord, Event
from tests.users.people import Person, new_person
from users.services import create_api_key

KEY, SECRET = "marker-key-0123456789-last", "marker-secret-0123456789"


def make(person: Person, **given: Any) -> Account:
    """An account at the rehearsal venue unless told otherwise."""
    fields = {"venue": "rehearsal", "api_key": KEY, "api_secret": SECRET, **given}
    return create_account(principal=person.principal, **fields)


def refusal(person: Person, **given: Any) -> DomainError:
    """The refusal of an account, after which nothing was made or told."""
    accounts, events = Account.objects.count(), Event.objects.count()
    with pytest.raises(DomainError) as caught:
        make(person, **given)
    assert Account.objects.count() == accounts
    assert Event.objects.count() == events
    return caught.value


def test_a_declared_venue_gives_the_book_rehearsal_and_pins_its_address(admin: Person) -> None:
    account = make(admin, initial_balance=Decimal("1000.5"))
    assert (account.book, account.venue, account.status) == ("rehearsal", "rehearsal", "active")
    assert account.pinned_address == "http://127.0.0.1:9001"
    assert account.initial_balance == Decimal("1000.5")
    assert account.name == "rehearsal-1"


def test_a_declared_venue_is_rehearsal_whatever_the_mode(admin: Person) -> None:
    assert make(admin, mode="live").book == "rehearsal"


@pytest.mark.parametrize(
    ("given", "book"),
    [({}, "paper"), ({"mode": "live"}, "live"), ({"is_testnet": True}, "rehearsal")],
)
def test_an_exchange_gives_paper_live_or_its_testnet(
    admin: Person, given: dict[str, Any], book: str
) -> None:
    account = make(admin, venue="binance", **given)
    assert (account.book, account.pinned_address) == (book, "")


@pytest.mark.parametrize("venue", ["binance", "rehearsal"])
def test_the_mode_shadow_gives_its_book_at_every_venue(admin: Person, venue: str) -> None:
    assert make(admin, venue=venue, mode="shadow").book == "shadow"


@pytest.mark.parametrize("mode", ["paper", "shadow"])
def test_our_own_fills_are_of_contracts_too(admin: Person, mode: str) -> None:
    account = make(admin, venue="binance", mode=mode, market_type="swap", max_leverage=20)
    assert (account.book, account.market_type, account.max_leverage) == (mode, "swap", 20)
    assert account.kept_position_mode == "one_way"


def test_an_unknown_venue_is_refused(admin: Person) -> None:
    assert refusal(admin, venue="http://evil.example").code == "unknown_venue"


def test_a_passphrase_is_demanded_where_the_venue_has_one(admin: Person) -> None:
    error = refusal(admin, venue="okx")
    assert (error.code, list(error.fields)) == ("passphrase_required", ["passphrase"])
    account = make(admin, venue="okx", passphrase="marker-phrase")
    assert account.open_secret("passphrase") == "marker-phrase"


def test_the_same_key_twice_at_a_venue_is_refused(admin: Person) -> None:
    make(admin)
    error = refusal(admin, name="another")
    assert isinstance(error, Conflict)
    assert error.code == "duplicate_key"


def test_another_organisation_may_use_the_key_and_cannot_be_told_by_it(
    admin: Person, stranger: Person
) -> None:
    ours, theirs = make(admin), make(stranger)
    assert ours.key_fingerprint != theirs.key_fingerprint


def test_names_count_up_and_are_unique(admin: Person) -> None:
    first = make(admin, api_key="key-number-one-0123")
    second = make(admin, api_key="key-number-two-0123")
    assert (first.name, second.name) == ("rehearsal-1", "rehearsal-2")
    error = refusal(admin, name="rehearsal-2", api_key="key-number-three-0123")
    assert error.code == "name_taken"


@pytest.mark.parametrize("name", ["x" * 81, "a\x00b", "line\nbreak", "\u202eevil"])
def test_a_name_is_printable_text(admin: Person, name: str) -> None:
    assert list(refusal(admin, name=name).fields) == ["name"]


@pytest.mark.parametrize("field", ["api_key", "api_secret"])
@pytest.mark.parametrize("value", ["", "  ", "a\x00b", "x" * 4097])
def test_credentials_are_text(admin: Person, field: str, value: str) -> None:
    assert list(refusal(admin, **{field: value}).fields) == [field]


@pytest.mark.parametrize("value", [Decimal(-1), Decimal("NaN"), Decimal("1e19"), 1.5])
def test_an_initial_balance_is_an_exact_amount(admin: Person, value: Any) -> None:
    assert list(refusal(admin, initial_balance=value).fields) == ["initial_balance"]


def test_secrets_are_sealed_to_their_row_and_column(admin: Person) -> None:
    account = make(admin)
    row = Account.objects.filter(pk=account.pk).values().get()
    assert SECRET not in str(row)
    assert KEY not in str(row)
    assert row["api_key_sealed"].startswith("enc:v1:")
    assert (account.open_secret("api_key"), account.open_secret("api_secret")) == (KEY, SECRET)
    assert account.key_hint == "last"


def test_neither_audit_nor_events_nor_history_have_the_secrets(admin: Person) -> None:
    account = make(admin)
    record = AuditRecord.objects.get(action="account.created")
    event = Event.objects.get(kind="account.created")
    texts = [str(record.after), str(event.payload), str(account.history.values().get())]
    for text in texts:
        assert SECRET not in text
        assert KEY not in text
    assert record.target == f"account:{account.pk}"
    assert f"account:{account.pk}" in event.topics


def test_only_administrators_of_the_whole_organisation_make_accounts(admin: Person) -> None:
    trader = new_person(admin.user.organisation, "tina", TRADER)
    assert isinstance(refusal(trader), Denied)
    _, text = create_api_key(user=admin.user, label="limited", account_ids=[1])
    from_key = Person(admin.user, admin.pair, authenticate(text))
    assert refusal(from_key).code == "key_is_limited"
