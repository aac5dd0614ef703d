"""Organisations with people in them, for tests of everything above the users."""

from dataclasses import dataclass

from accounts.models import Account
from accounts.principals import principal_of_session
from accounts.services import create_account
from common.principal import Principal
from users.models import AuthSession, Organisation, User
from users.services import create_organisation, create_user
from users.sessions import Device, TokenPair, login

PASSWORD = "a long enough password"


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in user: the row, the tokens of its session, the principal."""

    user: User
    pair: TokenPair
    principal: Principal

    @property
    def bearer(self) -> dict[str, str]:
        """Keyword arguments that authenticate a request of Django's test client."""
        return {"HTTP_AUTHORIZATION": f"Bearer {self.pair.access}"}

    @property
    def session(self) -> AuthSession:
        """The session's row as it is now."""
        return AuthSession.objects.get(sid=self.pair.sid)


def sign_in(user: User) -> Person:
    """Open a session for a user made by :func:`new_person`."""
    pair = login(identifier=user.username, password=PASSWORD, device=Device(address="127.0.0.1"))
    session = AuthSession.objects.select_related("user__organisation").get(sid=pair.sid)
    return Person(user=session.user, pair=pair, principal=principal_of_session(session))


def new_person(organisation: Organisation, name: str, role: str, **flags: bool) -> Person:
    """A new user of an organisation, signed in."""
    user = create_user(
        organisation=organisation,
        username=name,
        email=f"{name}@example.org",
        password=PASSWORD,
        role=role,
        **flags,
    )
    return sign_in(user)


def new_organisation(name: str) -> tuple[Organisation, Person]:
    """An organisation and its administrator, signed in."""
    organisation = create_organisation(name=name)
    return organisation, new_person(organisation, f"{name.lower()}-admin", "admin")


def new_account(admin: Person, name: str, *, venue: str = "rehearsal") -> Account:
    """An account whose venue was not asked."""
    return create_account(
        principal=admin.principal,
        name=name,
        venue=venue,
        api_key=f"key-of-{name}-0123456789",
        api_secret=f"secret-of-{name}-0123456789",
        verify=False,
    )
