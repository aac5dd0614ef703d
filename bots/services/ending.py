"""Ending what bots hold."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.models import Account
from accounts.principals import demand_organisation_wide
from bots.models import Bot
from common.errors import DomainError, Invalid
from common.principal import Principal
from events.log import audit
from trading.services.closing import orders_to_end, positions_to_end, terminate_account

from .connections import targets
from .rows import locked
from .statuses import set_status

BOT_SCOPE, ACCOUNT_SCOPE = "bot", "account"
SCOPES = (BOT_SCOPE, ACCOUNT_SCOPE)


@dataclass(frozen=True, slots=True)
class Ending:
    """What terminating a bot ends on one account: numbers of orders and of positions."""

    account: Account
    orders: list[int]
    positions: list[int]


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
    row = locked(principal, bot)
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
