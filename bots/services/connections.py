"""What a bot's signals reach."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from accounts.models import Account
from accounts.principals import demand_organisation_wide
from bots.models import Bot
from common.errors import Invalid, NotFound
from common.principal import Principal
from events.log import audit
from groups.models import Group, Membership

from .rows import facts, locked, tell


@transaction.atomic
def connect_account(*, principal: Principal, bot: Bot, account: Account) -> Bot:
    """Let the bot's signals reach an account; doing it twice changes nothing.

    Raises Denied, NotFound.
    """
    demand_organisation_wide(principal)
    row = locked(principal, bot)
    if not Account.objects.visible_to(principal).filter(pk=account.pk).exists():
        raise NotFound("There is no such account.", code="account_not_found")
    if row.accounts.filter(pk=account.pk).exists():
        return row
    row.accounts.add(account)
    audit(
        principal, "bot.account_connected", target=f"bot:{row.pk}", after={"account_id": account.pk}
    )
    tell(row, "bot.updated")
    return row


@transaction.atomic
def disconnect_account(*, principal: Principal, bot: Bot, account: Account) -> Bot:
    """Take an account away from the bot. Raises Denied, NotFound (``account_not_connected``).

    An account that the bot reaches through a group stays reached.
    """
    demand_organisation_wide(principal)
    row = locked(principal, bot)
    if not row.accounts.filter(pk=account.pk).exists():
        raise NotFound("The account is not connected to this bot.", code="account_not_connected")
    row.accounts.remove(account)
    audit(
        principal,
        "bot.account_disconnected",
        target=f"bot:{row.pk}",
        before={"account_id": account.pk},
    )
    tell(row, "bot.updated")
    return row


@transaction.atomic
def set_connections(
    *, principal: Principal, bot: Bot, account_ids: Iterable[int], group_ids: Iterable[int]
) -> Bot:
    """Let the bot's signals reach these accounts and groups and no others. Raises Denied, NotFound,
    Invalid for one that does not exist.
    """
    demand_organisation_wide(principal)
    row = locked(principal, bot)
    before = facts(row)
    row.accounts.set(
        visible_rows(Account.objects.visible_to(principal), account_ids, "account_ids")
    )
    row.groups.set(visible_rows(Group.objects.visible_to(principal), group_ids, "group_ids"))
    after = facts(row)
    if after != before:
        audit(
            principal,
            "bot.connections_changed",
            target=f"bot:{row.pk}",
            before=before,
            after=after,
        )
        tell(row, "bot.updated")
    return row


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


def visible_rows(rows: Any, numbers: Iterable[int], name: str) -> list[Any]:
    """The rows of these numbers; raises Invalid at the field ``name`` for one that is not there."""
    wanted = set(numbers)
    found = list(rows.filter(pk__in=wanted))
    missing = sorted(wanted - {row.pk for row in found})
    if missing:
        raise Invalid(
            "There is no such object.",
            fields={name: f"unknown: {', '.join(str(number) for number in missing[:20])}"},
        )
    return found
