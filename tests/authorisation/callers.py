"""Everybody who could call: people of every role, a stranger, keys, and credentials gone bad."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rest_framework_simplejwt.tokens import AccessToken

from common.clock import now
from common.principal import ADMIN, EXPORTER, TRADER, VIEWER
from surfaces.policy import Policy
from tests.dashboard.world import World
from tests.users.people import Person, new_person
from users.models import ApiKey
from users.services import create_api_key, revoke_api_key
from users.sessions import revoke

PLATFORM, USERS = "PLATFORM", "USERS"
EVERYTHING = frozenset(Policy.__members__)
# What each caller may pass, said once more and independently of the code that decides it.
HOLDS: dict[str, frozenset[str]] = {
    "viewer": frozenset({"AUTHENTICATED"}),
    "exporter": frozenset({"AUTHENTICATED", "EXPORT"}),
    "trader": frozenset({"AUTHENTICATED", "TRADE", "ACCOUNT_TRADE"}),
    "admin": EVERYTHING - {PLATFORM},
    "stranger": EVERYTHING - {PLATFORM},
    "superuser": EVERYTHING,
    "key": EVERYTHING - {PLATFORM, USERS},
    "anonymous": frozenset(),
    "expired": frozenset(),
    "expired key": frozenset(),
    "revoked": frozenset(),
    "revoked key": frozenset(),
    "disabled": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """One column of the matrix; ``person`` is whose pages it would see."""

    name: str
    headers: dict[str, str] = field(default_factory=dict)
    person: Person | None = None

    @property
    def is_known(self) -> bool:
        """Whether its credential is worth anything."""
        return bool(HOLDS[self.name])

    def passes(self, policy: Policy) -> bool:
        """Whether the door opens for it."""
        return policy.name in HOLDS[self.name]


def all_callers(world: World, other: World) -> list[Caller]:
    """One of each kind; all but the stranger belong to ``world``."""
    organisation = world.organisation
    admin = new_person(organisation, "anna", ADMIN, is_staff=True)
    people = {
        "viewer": new_person(organisation, "vera", VIEWER, is_staff=True),
        "exporter": new_person(organisation, "edda", EXPORTER, is_staff=True),
        "trader": new_person(organisation, "tina", TRADER, is_staff=True),
        "admin": admin,
        "stranger": new_person(other.organisation, "stan", ADMIN, is_staff=True),
        "superuser": new_person(organisation, "suse", ADMIN, is_staff=True, is_superuser=True),
    }
    callers = [Caller(name, person.bearer, person) for name, person in people.items()]
    callers += [
        Caller("anonymous"),
        Caller("expired", {"HTTP_AUTHORIZATION": f"Bearer {_expired(admin)}"}),
        Caller("revoked", _revoked(new_person(organisation, "ruth", ADMIN)).bearer),
        Caller("disabled", _disabled(new_person(organisation, "dora", ADMIN)).bearer),
        Caller("key", _key(admin, account_ids=[world.accounts[0].pk])),
        Caller("expired key", _expired_key(admin)),
        Caller("revoked key", _revoked_key(admin)),
    ]
    assert {each.name for each in callers} == set(HOLDS)
    return callers


def limited_key(person: Person, account_ids: list[int]) -> dict[str, str]:
    """The header of a key that reaches these accounts alone."""
    return _key(person, account_ids=account_ids)


def _key(person: Person, **given: Any) -> dict[str, str]:
    _, text = create_api_key(user=person.user, label="tool", role=ADMIN, **given)
    return {"HTTP_X_API_KEY": text}


def _expired_key(person: Person) -> dict[str, str]:
    key, text = create_api_key(user=person.user, label="tool", role=ADMIN)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=now() - timedelta(seconds=1))
    return {"HTTP_X_API_KEY": text}


def _revoked_key(person: Person) -> dict[str, str]:
    key, text = create_api_key(user=person.user, label="tool", role=ADMIN)
    revoke_api_key(key=key, by=person.principal)
    return {"HTTP_X_API_KEY": text}


def _expired(person: Person) -> AccessToken:
    token = AccessToken(person.pair.access)  # type: ignore[arg-type]
    token.set_exp(from_time=now() - timedelta(hours=3), lifetime=timedelta(hours=1))
    return token


def _revoked(person: Person) -> Person:
    revoke(person.session, reason="test")
    return person


def _disabled(person: Person) -> Person:
    person.user.is_active = False
    person.user.save()
    return person
