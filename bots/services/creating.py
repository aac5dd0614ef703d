"""Making bots."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.principals import demand_organisation_wide
from accounts.services import MAX_LEVERAGE
from bots.models import Bot
from bots.secrets import BotSecrets, check_body_secret
from common.errors import Conflict, Invalid
from common.ids import digest, new_secret_token
from common.principal import Principal
from events.log import audit
from groups.models import Group
from trading.services.owners import new_magic_id

from .connections import visible_rows
from .door import checked_networks, checked_subject, subject_taken
from .rows import facts, tell
from .statuses import hold_orders, known_status

MAX_NAME_LENGTH = 60
RESERVED_NAMES = frozenset({"list", "create"})


@transaction.atomic
def create_bot(
    *,
    principal: Principal,
    name: str,
    base_name: str = "",
    timeframe: str = "1h",
    account_ids: Iterable[int] = (),
    group_ids: Iterable[int] = (),
    with_hmac: bool = True,
    with_token: bool = True,
    body_secret: str = "",
    status: str = Bot.Status.ACTIVE,
    max_leverage: int = 1,
    certificate_subject: str = "",
    allowed_addresses: Iterable[str] = (),
) -> tuple[Bot, BotSecrets]:
    """A bot and its secrets, which are not shown again (a hash or a ciphertext is kept).

    ``body_secret`` is one the caller chose for the alert's text (16 characters at least);
    ``max_leverage`` is the highest factor that its alerts may ask for. See :func:`set_door` for
    the certificate and the addresses. Raises Denied, Invalid (``no_authentication`` where no way to
    authenticate is left), Conflict ``name_taken`` and ``certificate_subject_taken``.
    """
    demand_organisation_wide(principal)
    _check_input(name, base_name, timeframe, max_leverage)
    subject = checked_subject(certificate_subject)
    if not (with_hmac or with_token or body_secret or subject):
        raise Invalid("A bot needs a way to authenticate its alerts.", code="no_authentication")
    if body_secret:
        check_body_secret(body_secret)
    accounts = visible_rows(Account.objects.visible_to(principal), account_ids, "account_ids")
    groups = visible_rows(Group.objects.visible_to(principal), group_ids, "group_ids")
    secrets = BotSecrets(
        path_token=new_secret_token() if with_token else "",
        hmac_secret=new_secret_token() if with_hmac else "",
    )
    bot = Bot(
        organisation_id=principal.organisation_id,
        name=name.strip(),
        base_name=base_name.strip(),
        timeframe=timeframe,
        status=known_status(status),
        max_leverage=max_leverage,
        magic_id=new_magic_id(organisation_id=principal.organisation_id),
        path_token_hash=digest(secrets.path_token) if secrets.path_token else "",
        body_secret_hash=digest(body_secret) if body_secret else "",
        certificate_subject=subject,
        allowed_addresses=checked_networks(allowed_addresses),
    )
    bot.set_hmac_secret(secrets.hmac_secret)
    _save_named(bot)
    hold_orders(bot)
    bot.accounts.set(accounts)
    bot.groups.set(groups)
    audit(principal, "bot.created", target=f"bot:{bot.pk}", after=facts(bot))
    tell(bot, "bot.created")
    return bot, secrets


def _check_input(name: str, base_name: str, timeframe: str, max_leverage: int) -> None:
    faults = {}
    text = name.strip()
    if not text or len(text) > MAX_NAME_LENGTH or not text.isprintable():
        faults["name"] = f"1 to {MAX_NAME_LENGTH} printable characters"
    elif text.lower() in RESERVED_NAMES:
        faults["name"] = "is reserved"
    if len(base_name) > MAX_NAME_LENGTH or not base_name.isprintable():
        faults["base_name"] = f"up to {MAX_NAME_LENGTH} printable characters"
    if timeframe not in Bot.Timeframe.values:
        faults["timeframe"] = f"one of {', '.join(Bot.Timeframe.values)}"
    if not 1 <= max_leverage <= MAX_LEVERAGE:
        faults["max_leverage"] = f"must be 1 to {MAX_LEVERAGE}"
    if faults:
        raise Invalid("The bot cannot be made like this.", fields=faults)


def _save_named(bot: Bot) -> None:
    with names_taken(bot), transaction.atomic():
        bot.save()


@contextmanager
def names_taken(bot: Bot) -> Iterator[None]:
    """Raise Conflict where the database refuses the bot's name: ``name_taken`` in its organisation,
    ``certificate_subject_taken`` elsewhere.
    """
    try:
        yield
    except IntegrityError as error:
        if "bot_name_unique" not in str(error):
            raise
        if "certificate" in str(error):
            raise subject_taken() from error
        raise Conflict(
            "A bot of this name exists.", code="name_taken", fields={"name": "is taken"}
        ) from error
