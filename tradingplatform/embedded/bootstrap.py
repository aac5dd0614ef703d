"""What the first start puts into an empty database: an organisation, its admin, and a demo."""

import http.client
import json
import logging
import secrets
from dataclasses import dataclass

from django.conf import settings
from django.core.management import CommandError
from django.db import transaction

from accounts.models import Account
from accounts.services import create_account
from bots.models import Bot
from bots.services import create_bot
from common.errors import DomainError
from common.principal import Principal, system_principal
from groups.services import create_group
from tradingplatform.embedded.rehearsal import VENUE
from users.models import Organisation, Role, User
from users.permissions import SCOPES
from users.services import create_api_key, create_organisation, create_user

logger = logging.getLogger(__name__)
ADMIN_USERNAME = "admin"
DEMO_BOT = "demo"
DEMO_GROUP = "demo"
# Different sizes, so that one alert shows three different orders.
DEMO_BALANCES = {"Demo A": "10000", "Demo B": "5000", "Demo C": "2500"}
PENDING_FILE = "demo.pending"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who may log in; `password` only where it was made up just now, and then for this one time."""

    username: str
    email: str
    password: str | None


def login_lines(credentials: Credentials) -> str:
    """Who may log in; printed when made, because nothing later can tell the password again."""
    lines = [f"Login     {credentials.username}  ({credentials.email})"]
    if credentials.password is not None:
        lines.append(f"Password  {credentials.password}   (shown this once, not stored)")
    return "\n".join(lines)


def bootstrap_installation() -> Credentials | None:
    """Make organisation and admin in a database without users; `None` where there are some.

    The password is the one of DB_BOOTSTRAP_ADMIN_PASSWORD or a random one; only its hash is kept.
    Notes in the data folder that the demo is still to be made. Raises CommandError.
    """
    if User.objects.exists():
        return None
    if settings.DEMO:
        (settings.DATA_DIR / PENDING_FILE).touch()
    given = settings.DB_BOOTSTRAP_ADMIN_PASSWORD
    password = given or secrets.token_urlsafe(15)
    email = settings.DB_BOOTSTRAP_ADMIN_EMAIL
    with transaction.atomic():
        admin = create_user(
            organisation=create_organisation(name=settings.DB_BOOTSTRAP_ORG_NAME),
            username=ADMIN_USERNAME,
            email=email,
            password=password,
            role=Role.ADMIN,
            is_staff=True,
            is_superuser=True,
        )
        if settings.DB_BOOTSTRAP_API_KEY:
            _take_over_key(admin)
    return Credentials(ADMIN_USERNAME, email, None if given else password)


def _take_over_key(admin: User) -> None:
    try:
        create_api_key(
            user=admin,
            label="bootstrap",
            plain_key=settings.DB_BOOTSTRAP_API_KEY,
            scopes=list(SCOPES),
        )
    except DomainError as error:
        raise CommandError(f"Setting DB_BOOTSTRAP_API_KEY: {error.message}") from None


def bootstrap_demo(*, rehearsal_port: int | None) -> None:
    """Make accounts, a group and a bot on the rehearsal exchange, once per installation.

    Interrupted, it goes on with the next start; what is there already is kept. Needs the exchange
    to answer. Without a rehearsal exchange of our own there is no demo.
    """
    note = settings.DATA_DIR / PENDING_FILE
    organisation = Organisation.objects.order_by("pk").first()
    if not note.exists() or rehearsal_port is None or organisation is None:
        return
    principal = system_principal(organisation.pk, "system:bootstrap")
    if not Bot.objects.filter(organisation_id=organisation.pk, name=DEMO_BOT).exists():
        _make_demo(principal, rehearsal_port)
    note.unlink()


def _make_demo(principal: Principal, port: int) -> None:
    keys = {name: (secrets.token_hex(32), secrets.token_hex(32)) for name in DEMO_BALANCES}
    for name, (api_key, api_secret) in keys.items():
        _open_at_exchange(port, api_key, api_secret, DEMO_BALANCES[name])
    with transaction.atomic():
        accounts = [
            _demo_account(principal, name, api_key, api_secret)
            for name, (api_key, api_secret) in keys.items()
        ]
        group = create_group(
            principal=principal,
            name=DEMO_GROUP,
            description="Three rehearsal accounts to try things on.",
            account_ids=[account.pk for account in accounts],
        )
        create_bot(principal=principal, name=DEMO_BOT, timeframe="1h", group_ids=[group.pk])


def _demo_account(principal: Principal, name: str, api_key: str, api_secret: str) -> Account:
    return create_account(
        principal=principal, name=name, venue=VENUE, api_key=api_key, api_secret=api_secret
    )


def _open_at_exchange(port: int, api_key: str, api_secret: str, balance: str) -> None:
    body = {"api_key": api_key, "api_secret": api_secret, "balances": {"USDT": balance}}
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        client.request("POST", "/_account", json.dumps(body), {"Content-Type": "application/json"})
        response = client.getresponse()
        response.read()
    finally:
        client.close()
    if response.status != http.HTTPStatus.OK:
        raise ConnectionError("the rehearsal exchange did not open the demo's accounts")
