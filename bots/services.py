"""Making bots, changing their status and what they reach."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.principals import demand_organisation_wide
from accounts.services import MAX_LEVERAGE
from common.errors import Conflict, DomainError, Invalid, NotFound
from common.ids import digest, new_secret_token
from common.principal import Principal
from events.log import audit, publish
from groups.models import Group, Membership
from monitoring.alerts import raise_alert, resolve_alerts
from riskmgmt.models import KillSwitch
from riskmgmt.switches import switch_owner
from trading.services.closing import orders_to_end, positions_to_end, terminate_account
from trading.services.owners import new_magic_id

from .models import Bot
from .secrets import BotSecrets, check_secrets

MAX_NAME_LENGTH = 60
RESERVED_NAMES = frozenset({"list", "create"})


# How far a bot's orders are stopped, those that wait to be sent included.
STOPS = {
    Bot.Status.ACTIVE.value: None,
    Bot.Status.PAUSED.value: KillSwitch.Level.REDUCING.value,
    Bot.Status.STOPPED.value: KillSwitch.Level.HALTED.value,
}
NOT_ACTIVE = "bot_not_active"
BOT_SCOPE, ACCOUNT_SCOPE = "bot", "account"
SCOPES = (BOT_SCOPE, ACCOUNT_SCOPE)


@dataclass(frozen=True, slots=True)
class Ending:
    """What terminating a bot ends on one account: numbers of orders and of positions."""

    account: Account
    orders: list[int]
    positions: list[int]


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
) -> tuple[Bot, BotSecrets]:
    """A bot and its secrets, which are not shown again (a hash or a ciphertext is kept).

    ``body_secret`` is one the caller chose for the alert's text (16 characters at least);
    ``max_leverage`` is the highest factor that its alerts may ask for. Raises Denied, Invalid
    (``no_authentication`` where no way to authenticate is left), Conflict ``name_taken``.
    """
    demand_organisation_wide(principal)
    _check_input(name, base_name, timeframe, max_leverage)
    check_secrets(machine_made=with_hmac or with_token, body_secret=body_secret)
    accounts = _visible(Account.objects.visible_to(principal), account_ids, "account_ids")
    groups = _visible(Group.objects.visible_to(principal), group_ids, "group_ids")
    secrets = BotSecrets(
        path_token=new_secret_token() if with_token else "",
        hmac_secret=new_secret_token() if with_hmac else "",
    )
    bot = Bot(
        organisation_id=principal.organisation_id,
        name=name.strip(),
        base_name=base_name.strip(),
        timeframe=timeframe,
        status=_known_status(status),
        max_leverage=max_leverage,
        magic_id=new_magic_id(organisation_id=principal.organisation_id),
        path_token_hash=digest(secrets.path_token) if secrets.path_token else "",
        body_secret_hash=digest(body_secret) if body_secret else "",
    )
    bot.set_hmac_secret(secrets.hmac_secret)
    _save_named(bot)
    _switch(bot)
    bot.accounts.set(accounts)
    bot.groups.set(groups)
    audit(principal, "bot.created", target=f"bot:{bot.pk}", after=_facts(bot))
    _tell(bot, "bot.created")
    return bot, secrets


@transaction.atomic
def set_status(*, principal: Principal, bot: Bot, status: str) -> Bot:
    """ACTIVE, PAUSED or STOPPED in any case; the status it has changes nothing.

    It holds for the bot's orders that wait, too: they are judged again just before they are sent.
    Raises Denied, Invalid.
    """
    demand_organisation_wide(principal)
    wanted = _known_status(status)
    row = _locked(principal, bot)
    if row.status == wanted:
        return row
    before = row.status
    row.status = wanted
    row.save(update_fields=["status"])
    _switch(row)
    _alert(row)
    audit(
        principal,
        "bot.status_changed",
        target=f"bot:{row.pk}",
        before={"status": before},
        after={"status": wanted},
    )
    _tell(row, "bot.updated")
    return row


def _switch(bot: Bot) -> None:
    """Let the bot's status hold for its orders."""
    switch_owner(
        organisation_id=bot.organisation_id, magic_id=bot.magic_id, level=STOPS[bot.status]
    )


def _alert(bot: Bot) -> None:
    """A bot that does not execute is a condition that somebody should know of while it lasts."""
    given = {"organisation_id": bot.organisation_id, "subject": f"bot:{bot.pk}"}
    if bot.status == Bot.Status.ACTIVE:
        resolve_alerts(NOT_ACTIVE, **given)
    else:
        what = "refuses entries" if bot.status == Bot.Status.PAUSED else "refuses every signal"
        raise_alert(NOT_ACTIVE, message=f"Bot {bot.name} is {bot.status} and {what}.", **given)


@transaction.atomic
def connect_account(*, principal: Principal, bot: Bot, account: Account) -> Bot:
    """Let the bot's signals reach an account; doing it twice changes nothing.

    Raises Denied, NotFound.
    """
    demand_organisation_wide(principal)
    row = _locked(principal, bot)
    if not Account.objects.visible_to(principal).filter(pk=account.pk).exists():
        raise NotFound("There is no such account.", code="account_not_found")
    if row.accounts.filter(pk=account.pk).exists():
        return row
    row.accounts.add(account)
    audit(
        principal, "bot.account_connected", target=f"bot:{row.pk}", after={"account_id": account.pk}
    )
    _tell(row, "bot.updated")
    return row


@transaction.atomic
def disconnect_account(*, principal: Principal, bot: Bot, account: Account) -> Bot:
    """Take an account away from the bot. Raises Denied, NotFound (``account_not_connected``).

    An account that the bot reaches through a group stays reached.
    """
    demand_organisation_wide(principal)
    row = _locked(principal, bot)
    if not row.accounts.filter(pk=account.pk).exists():
        raise NotFound("The account is not connected to this bot.", code="account_not_connected")
    row.accounts.remove(account)
    audit(
        principal,
        "bot.account_disconnected",
        target=f"bot:{row.pk}",
        before={"account_id": account.pk},
    )
    _tell(row, "bot.updated")
    return row


@transaction.atomic
def set_connections(
    *, principal: Principal, bot: Bot, account_ids: Iterable[int], group_ids: Iterable[int]
) -> Bot:
    """Let the bot's signals reach these accounts and groups and no others. Raises Denied, NotFound,
    Invalid for one that does not exist.
    """
    demand_organisation_wide(principal)
    row = _locked(principal, bot)
    before = _facts(row)
    row.accounts.set(_visible(Account.objects.visible_to(principal), account_ids, "account_ids"))
    row.groups.set(_visible(Group.objects.visible_to(principal), group_ids, "group_ids"))
    after = _facts(row)
    if after != before:
        audit(
            principal,
            "bot.connections_changed",
            target=f"bot:{row.pk}",
            before=before,
            after=after,
        )
        _tell(row, "bot.updated")
    return row


@transaction.atomic
def renew_path_token(*, principal: Principal, bot: Bot) -> str:
    """A new token of the bot's own webhook address, in the clear this once; whatever is sent to the
    old address is refused from then on. Raises Denied, NotFound.
    """
    demand_organisation_wide(principal)
    row = _locked(principal, bot)
    had_one = bool(row.path_token_hash)
    token = new_secret_token()
    row.path_token_hash = digest(token)
    row.save(update_fields=["path_token_hash"])
    audit(
        principal,
        "bot.path_token_renewed",
        target=f"bot:{row.pk}",
        before={"own_address": had_one},
        after={"own_address": True},
    )
    _tell(row, "bot.updated")
    return token


def terminate(
    *, principal: Principal, bot: Bot, scope: str = ACCOUNT_SCOPE
) -> tuple[int, list[dict[str, Any]]]:
    """Pause the bot (one that is stopped stays it), then cancel and close everything on each of its
    accounts; with the scope ``bot`` only what the bot itself owns there.

    Returns how many accounts were dealt with and the faults, each with its account. One account's
    fault does not stop the others. Raises Denied, NotFound, Invalid (an unknown scope).
    """
    owner = _owner(bot, scope)
    row = _paused(principal, bot)
    audit(principal, "bot.terminated", target=f"bot:{row.pk}", after={"scope": scope})
    done, errors = 0, []
    for account in targets(row):
        try:
            result = terminate_account(principal=principal, account=account, owner=owner)
        except DomainError as error:
            errors.append({"account_id": account.pk, "code": error.code, "message": error.message})
            continue
        done += 1
        errors.extend({"account_id": account.pk, **fault} for fault in result.errors)
    return done, errors


@transaction.atomic
def _paused(principal: Principal, bot: Bot) -> Bot:
    """The bot, which opens nothing from the commit on."""
    demand_organisation_wide(principal)
    row = _locked(principal, bot)
    if row.status == Bot.Status.STOPPED:
        return row
    return set_status(principal=principal, bot=row, status=Bot.Status.PAUSED)


def preview_termination(
    *, principal: Principal, bot: Bot, scope: str = ACCOUNT_SCOPE
) -> list[Ending]:
    """What :func:`terminate` would cancel and close now, by account; nothing is done. Raises
    Denied, Invalid (an unknown scope).
    """
    demand_organisation_wide(principal)
    owner = _owner(bot, scope)
    return [
        Ending(
            account,
            list(orders_to_end(account, owner).values_list("pk", flat=True)),
            [position.pk for position in positions_to_end(account, owner)],
        )
        for account in targets(bot)
    ]


def _owner(bot: Bot, scope: str) -> int | None:
    """Whose orders and positions a scope means; None for everybody's."""
    if scope not in SCOPES:
        raise Invalid("Unknown scope.", fields={"scope": f"one of {', '.join(SCOPES)}"})
    return int(bot.magic_id) if scope == BOT_SCOPE else None


def targets(bot: Bot) -> list[Account]:
    """The accounts a signal reaches: the bot's own and its groups', each once, by number.

    Suspended and disabled ones are among them; their legs say why nothing was sent.
    """
    # Three plain statements: one over all of it takes three times as long to put together.
    own = bot.accounts.through.objects.filter(bot=bot).values_list("account", flat=True)
    groups = bot.groups.through.objects.filter(bot=bot).values("group")
    through_groups = Membership.objects.filter(group__in=groups).values_list("account", flat=True)
    reached = Account.objects.filter(pk__in={*own, *through_groups}, deleted_at=None)
    return list(reached.order_by("pk"))


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


def _known_status(text: str) -> str:
    """A status in any case; raises Invalid."""
    wanted = text.upper()
    if wanted not in Bot.Status.values:
        raise Invalid(
            "Unknown status.", fields={"status": f"one of {', '.join(Bot.Status.values)}"}
        )
    return wanted


def _visible(rows: Any, numbers: Iterable[int], name: str) -> list[Any]:
    wanted = set(numbers)
    found = list(rows.filter(pk__in=wanted))
    missing = sorted(wanted - {row.pk for row in found})
    if missing:
        raise Invalid(
            "There is no such object.",
            fields={name: f"unknown: {', '.join(str(number) for number in missing[:20])}"},
        )
    return found


def _save_named(bot: Bot) -> None:
    try:
        with transaction.atomic():
            bot.save()
    except IntegrityError as error:
        raise Conflict(
            "A bot of this name exists.", code="name_taken", fields={"name": "is taken"}
        ) from error


def _locked(principal: Principal, bot: Bot) -> Bot:
    visible = Bot.objects.visible_to(principal).filter(pk=bot.pk)
    row = Bot.objects.select_for_update(no_key=True).filter(pk__in=visible).first()
    if row is None:
        raise NotFound("There is no such bot.", code="bot_not_found")
    return row


def _facts(bot: Bot) -> dict[str, Any]:
    return {
        "name": bot.name,
        "base_name": bot.base_name,
        "timeframe": bot.timeframe,
        "status": bot.status,
        "max_leverage": bot.max_leverage,
        "magic_id": bot.magic_id,
        "accounts": sorted(bot.accounts.values_list("pk", flat=True)),
        "groups": sorted(bot.groups.values_list("pk", flat=True)),
    }


def _tell(bot: Bot, kind: str) -> None:
    publish(
        kind,
        organisation_id=bot.organisation_id,
        topics=(f"bot:{bot.pk}",),
        payload={
            "bot_id": bot.pk,
            "name": bot.name,
            "status": bot.status,
            "accounts": sorted(bot.accounts.values_list("pk", flat=True)),
        },
    )
