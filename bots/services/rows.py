"""A bot's row under its lock, its facts for the audit, and the news of it."""

from typing import Any

from bots.models import Bot
from common.errors import NotFound
from common.principal import Principal
from events.log import publish


def locked(principal: Principal, bot: Bot) -> Bot:
    """The bot as it is now, its row locked to the end of the transaction; raises NotFound."""
    visible = Bot.objects.visible_to(principal).filter(pk=bot.pk)
    row = Bot.objects.select_for_update(no_key=True).filter(pk__in=visible).first()
    if row is None:
        raise NotFound("There is no such bot.", code="bot_not_found")
    return row


def facts(bot: Bot) -> dict[str, Any]:
    """What the audit keeps of a bot; no secret."""
    return {
        "name": bot.name,
        "base_name": bot.base_name,
        "timeframe": bot.timeframe,
        "status": bot.status,
        "max_leverage": bot.max_leverage,
        "magic_id": bot.magic_id,
        "authentication": list(bot.auth_modes),
        "certificate_subject": bot.certificate_subject,
        "allowed_addresses": list(bot.allowed_addresses),
        "accounts": sorted(bot.accounts.values_list("pk", flat=True)),
        "groups": sorted(bot.groups.values_list("pk", flat=True)),
    }


def tell(bot: Bot, kind: str) -> None:
    """Publish an event of this kind with the bot's state."""
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
