"""Renewing what a bot's alerts prove themselves by."""

from django.db import transaction

from accounts.principals import demand_organisation_wide
from bots.models import Bot
from common.ids import digest, new_secret_token
from common.principal import Principal
from events.log import audit

from .rows import locked, tell


@transaction.atomic
def renew_path_token(*, principal: Principal, bot: Bot) -> str:
    """A new token of the bot's own webhook address, in the clear this once; whatever is sent to the
    old address is refused from then on. Raises Denied, NotFound.
    """
    demand_organisation_wide(principal)
    row = locked(principal, bot)
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
    tell(row, "bot.updated")
    return token
