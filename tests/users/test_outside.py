"""Keys of the environment and foreign tokens: who they are, and what they can never be."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.principals import authenticate
from common.clock import now
from common.errors import Unauthenticated
from common.ids import digest
from common.principal import ADMIN, TRADER, VIEWER, OutsideKey
from tests.users.people import Person, new_organisation, new_person
from users.models import User
from users.permissions import demand, may
from users.sessions import revoke

TOKEN = "an-outside-key-4f8a1c2b9d7e"
SECRET = "a-foreign-issuer-s-secret-0123456789abcdef-0123456789abcdef-0123456789"

Mint = Callable[..., str]


@pytest.fixture
def outside(admin: Person, settings: Any) -> Callable[..., None]:
    """Makes TOKEN a key of the settings."""

    def put(**fields: str) -> None:
        given = {"user_id": str(admin.user.uuid), "organisation_id": "", "role": ADMIN, **fields}
        settings.OUTSIDE_KEYS = {digest(TOKEN): OutsideKey(name="abc", label="", **given)}

    return put


@pytest.fixture
def mint(admin: Person, settings: Any) -> Mint:
    """Makes a token of a trusted issuer; a claim of None is left out."""
    settings.JWT_SECRET = SECRET

    def made(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
        usual = {"sub": str(admin.user.uuid), "exp": now() + timedelta(minutes=5)}
        payload = {key: value for key, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(payload, secret, algorithm=algorithm)

    return made


def refused(token: str, code: str = "token_invalid") -> None:
    """Assert that a credential is nobody's."""
    with pytest.raises(Unauthenticated) as caught:
        authenticate(token)
    assert caught.value.code == code


def test_an_outside_key_is_its_user_at_the_cost_of_one_query(
    outside: Callable[..., None], admin: Person
) -> None:
    for user_id in (str(admin.user.pk), str(admin.user.uuid)):
        outside(user_id=user_id, organisation_id=str(admin.user.organisation.uuid))
        with CaptureQueriesContext(connection) as queries:
            principal = authenticate(TOKEN)
        assert len(queries) == 1
        assert (principal.user_id, principal.role, principal.key) == (
            admin.user.pk,
            ADMIN,
            "env:abc",
        )
        assert principal.session_id is None
        assert not principal.is_superuser
        assert may(principal, "users")


def test_an_outside_key_does_no_more_than_its_user_and_ends_with_it(
    outside: Callable[..., None], admin: Person
) -> None:
    outside(role=TRADER)
    assert authenticate(TOKEN).role == TRADER
    outside(role=ADMIN)
    User.objects.filter(pk=admin.user.pk).update(role=VIEWER)
    assert authenticate(TOKEN).role == VIEWER
    User.objects.filter(pk=admin.user.pk).update(is_active=False)
    refused(TOKEN)


def test_an_outside_key_of_another_organisation_or_nobody_is_refused(
    outside: Callable[..., None], admin: Person
) -> None:
    other, _ = new_organisation("Theirs")
    for fields in (
        {"organisation_id": str(other.uuid)},
        {"organisation_id": str(other.pk)},
        {"user_id": str(uuid.uuid4())},
        {"user_id": "999999"},
        {"user_id": ""},
    ):
        outside(**fields)
        refused(TOKEN)


def test_a_key_without_a_user_is_the_oldest_superuser_s_but_no_superuser(
    outside: Callable[..., None], admin: Person
) -> None:
    root = new_person(admin.user.organisation, "root", "admin", is_superuser=True)
    outside(user_id="", role=TRADER)
    principal = authenticate(TOKEN)
    assert (principal.user_id, principal.role, principal.is_superuser) == (
        root.user.pk, TRADER, False,
    )  # fmt: skip


def test_a_foreign_token_is_its_subject(mint: Mint, admin: Person) -> None:
    token = mint(org_id=str(admin.user.organisation.uuid), role="trader", label="console")
    with CaptureQueriesContext(connection) as queries:
        principal = authenticate(token)
    assert len(queries) == 1
    assert (principal.user_id, principal.role) == (admin.user.pk, TRADER)
    assert principal.key == f"jwt:{admin.user.pk}"
    assert authenticate(mint()).role == ADMIN


def test_a_foreign_token_s_role_never_exceeds_the_database_s(mint: Mint, admin: Person) -> None:
    User.objects.filter(pk=admin.user.pk).update(role=VIEWER)
    principal = authenticate(mint(role="admin"))
    assert principal.role == VIEWER
    demand(principal, "read")
    root = new_person(admin.user.organisation, "root", "admin", is_superuser=True)
    assert not authenticate(mint(sub=str(root.user.uuid), role="admin")).is_superuser


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"sub": None},
        {"sub": "admin"},
        {"sub": str(uuid.uuid4())},
        {"org_id": str(uuid.uuid4())},
        {"org_id": ["x"]},
        {"role": "god"},
        {"role": ["admin"]},
        {"nbf": 4_000_000_000},
        {"aud": "somebody else"},
        {"secret": "another-secret-another-secret-0123456789"},
        {"algorithm": "HS512"},
    ],
)
def test_a_foreign_token_that_is_not_right_is_refused(mint: Mint, claims: dict[str, Any]) -> None:
    refused(mint(**claims))


def test_an_expired_or_unsigned_token_is_refused(mint: Mint, admin: Person) -> None:
    refused(mint(exp=now() - timedelta(seconds=1)), "token_expired")
    unsigned = jwt.encode({"sub": str(admin.user.uuid), "exp": 4_000_000_000}, None, "none")
    refused(unsigned)


def test_foreign_tokens_are_off_without_the_setting(mint: Mint, settings: Any) -> None:
    token = mint()
    settings.JWT_SECRET = ""
    refused(token)


def test_own_tokens_stay_bound_to_their_session(mint: Mint, admin: Person) -> None:
    authenticate(admin.pair.access)
    refused(admin.pair.refresh)
    revoke(admin.session, reason="test")
    refused(admin.pair.access, "token_revoked")
