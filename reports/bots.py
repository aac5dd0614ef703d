"""What the surfaces show of bots beyond their own rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, Q

from accounts.models import Account
from bots.models import Bot
from common.principal import Principal
from exchanges.candles import support_at
from exchanges.timeframes import TimeframeSupport


@dataclass(frozen=True, slots=True)
class BotRow:
    """A bot and the accounts its signals reach that the reader may see, by number."""

    bot: Bot
    account_ids: Sequence[int]


def bot_rows(principal: Principal) -> list[BotRow]:
    """All bots the principal may see, by number, in a fixed number of queries."""
    visible = Account.objects.visible_to(principal)
    bots = Bot.objects.visible_to(principal).prefetch_related(
        Prefetch("accounts", queryset=visible), Prefetch("groups__accounts", queryset=visible)
    )
    return [BotRow(bot=bot, account_ids=_reached(bot)) for bot in bots]


def bot_row(principal: Principal, bot: Bot) -> BotRow:
    """One bot's row."""
    numbers = [account.pk for account in bot_accounts(principal, bot)]
    return BotRow(bot=bot, account_ids=numbers)


def bot_accounts(principal: Principal, bot: Bot) -> list[Account]:
    """The accounts a bot's signals reach and the principal may read, by number."""
    visible = Account.objects.visible_to(principal)
    reached = Q(bots=bot) | Q(memberships__group__bots=bot)
    return list(visible.filter(reached).distinct().order_by("pk"))


def timeframes_of(principal: Principal, bot: Bot) -> dict[str, TimeframeSupport]:
    """How the venues of the bot's accounts tell candles of its timeframe, by the venue's name."""
    venues = sorted({account.venue for account in bot_accounts(principal, bot)})
    return {venue: support_at(venue, bot.timeframe) for venue in venues}


def bots_reaching(principal: Principal, account: Account) -> list[Bot]:
    """The bots whose signals reach an account, through a group too, by number."""
    reaching = Q(accounts=account) | Q(groups__memberships__account=account)
    return list(Bot.objects.visible_to(principal).filter(reaching).distinct().order_by("pk"))


def _reached(bot: Bot) -> list[int]:
    """From prefetched rows."""
    own = {account.pk for account in bot.accounts.all()}
    through_groups = {account.pk for group in bot.groups.all() for account in group.accounts.all()}
    return sorted(own | through_groups)
