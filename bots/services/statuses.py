"""Letting a bot execute, pausing and stopping it."""

from django.db import transaction

from accounts.principals import demand_organisation_wide
from bots.models import Bot
from common.errors import Invalid
from common.principal import Principal
from events.log import audit
from monitoring.alerts import raise_alert, resolve_alerts
from riskmgmt.models import KillSwitch
from riskmgmt.switches import switch_owner

from .rows import locked, tell

# How far a bot's orders are stopped, those that wait to be sent included.
STOPS = {
    Bot.Status.ACTIVE.value: None,
    Bot.Status.PAUSED.value: KillSwitch.Level.REDUCING.value,
    Bot.Status.STOPPED.value: KillSwitch.Level.HALTED.value,
}
NOT_ACTIVE = "bot_not_active"


@transaction.atomic
def set_status(*, principal: Principal, bot: Bot, status: str) -> Bot:
    """ACTIVE, PAUSED or STOPPED in any case; the status it has changes nothing.

    It holds for the bot's orders that wait, too: they are judged again just before they are sent.
    Raises Denied, Invalid.
    """
    demand_organisation_wide(principal)
    wanted = known_status(status)
    row = locked(principal, bot)
    if row.status == wanted:
        return row
    before = row.status
    row.status = wanted
    row.save(update_fields=["status"])
    hold_orders(row)
    _alert(row)
    audit(
        principal,
        "bot.status_changed",
        target=f"bot:{row.pk}",
        before={"status": before},
        after={"status": wanted},
    )
    tell(row, "bot.updated")
    return row


def hold_orders(bot: Bot) -> None:
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


def known_status(text: str) -> str:
    """A status in any case; raises Invalid."""
    wanted = text.upper()
    if wanted not in Bot.Status.values:
        raise Invalid(
            "Unknown status.", fields={"status": f"one of {', '.join(Bot.Status.values)}"}
        )
    return wanted
