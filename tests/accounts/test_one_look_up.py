"""Who calls is answered by one query, and by what the database says at that moment."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, AccountGrant
from accounts.principals import authenticate
from common.errors import Unauthenticated
from common.principal import LIVE, READ, TRADE, Principal
from tests.users.people import Person, new_organisation, new_person
from users.models import ApiKey, Role
from users.services import create_api_key, revoke_api_key
from users.sessions import revoke

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> Person:
    """A viewer with a grant on one of two accounts."""
    organisation, _ = new_organisation("Ours")
    viewer = new_person(organisation, "viewer", "viewer")
    accounts = [
        Account.objects.create(organisation=organisation, name=name, venue="binance")
        for name in ("first", "second")
    ]
    AccountGrant.objects.create(
        account=accounts[1], user=viewer.user, can_trade=True, can_trade_live=True
    )
    return viewer


def looked_up(token: str) -> tuple[Principal, int]:
    """The principal, and how many queries it took."""
    with CaptureQueriesContext(connection) as queries:
        principal = authenticate(token)
    return principal, len(queries)


def test_a_token_and_a_key_cost_one_query_with_their_grants(person: Person) -> None:
    granted = Account.objects.get(name="second").pk
    _, text = create_api_key(user=person.user, label="robot")
    assert looked_up(text)[1] == 2  # Its first use in a minute is noted.
    for credential in (person.pair.access, text):
        principal, queries = looked_up(credential)
        assert queries == 1
        assert principal.grants == {granted: frozenset({READ, TRADE, LIVE})}
        assert principal.may(TRADE, granted)
        assert not principal.may(TRADE, granted - 1)


def test_somebody_without_grants_has_none(person: Person) -> None:
    AccountGrant.objects.all().delete()
    assert looked_up(person.pair.access)[0].grants == {}


def test_what_was_taken_away_counts_at_the_next_request(person: Person) -> None:
    key, text = create_api_key(user=person.user, label="robot")
    AccountGrant.objects.update(can_trade=False)
    granted = Account.objects.get(name="second").pk
    assert not authenticate(person.pair.access).may(TRADE, granted)
    person.user.role = Role.EXPORTER
    person.user.save()
    assert authenticate(person.pair.access).role == Role.EXPORTER
    revoke(person.session, reason="test")
    revoke_api_key(key=ApiKey.objects.get(pk=key.pk), by=person.principal)
    for credential in (person.pair.access, text):
        with pytest.raises(Unauthenticated):
            authenticate(credential)
