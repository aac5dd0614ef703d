"""How far a newcomer has come, from nothing to an alert that is executed on a group."""

from dataclasses import dataclass
from typing import Any

from accounts.models import Account
from bots.models import Bot
from common.principal import Principal
from groups.models import Group
from trading import states
from trading.models import Order
from users.permissions import MANAGE, may
from webhooks.models import Signal


@dataclass(frozen=True, slots=True)
class Progress:
    """What is there already; ``bot`` is the newest one, whose pages the steps lead to."""

    account: bool
    group: bool
    bot: Bot | None
    connected: bool
    active: bool
    signal: bool
    fill: bool


def progress_of(principal: Principal) -> Progress:
    """The steps done, by what the principal may see."""
    bots = Bot.objects.visible_to(principal)
    bot = bots.order_by("-pk").first()
    reached = bots.filter(accounts__deleted_at=None, accounts__isnull=False) | bots.filter(
        groups__accounts__deleted_at=None, groups__accounts__isnull=False
    )
    return Progress(
        account=Account.objects.visible_to(principal).exists(),
        group=Group.objects.visible_to(principal).filter(memberships__isnull=False).exists(),
        bot=bot,
        connected=reached.exists(),
        active=reached.filter(status=Bot.Status.ACTIVE).exists(),
        signal=Signal.objects.visible_to(principal).exists(),
        fill=Order.objects.visible_to(principal).filter(state=states.FILLED).exists(),
    )


def shown_steps(principal: Principal) -> dict[str, Any]:
    """What the list of steps is drawn from."""
    return {"done": progress_of(principal), "may_manage": may(principal, MANAGE)}
