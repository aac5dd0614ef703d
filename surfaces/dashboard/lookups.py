"""Rows that a page's address names; missing and foreign ones are the same NotFound."""

from accounts.models import Account
from bots.models import Bot
from common.errors import NotFound
from common.principal import Principal
from groups.models import Group


def account_of(principal: Principal, account_id: int) -> Account:
    """The account; raises NotFound."""
    account = Account.objects.visible_to(principal).filter(pk=account_id).first()
    if account is None:
        raise NotFound("There is no such account.", code="account_not_found")
    return account


def group_of(principal: Principal, group_id: int) -> Group:
    """The group; raises NotFound."""
    group = Group.objects.visible_to(principal).filter(pk=group_id).first()
    if group is None:
        raise NotFound("There is no such group.", code="group_not_found")
    return group


def bot_of(principal: Principal, bot_id: int) -> Bot:
    """The bot; raises NotFound."""
    bot = Bot.objects.visible_to(principal).filter(pk=bot_id).first()
    if bot is None:
        raise NotFound("There is no such bot.", code="bot_not_found")
    return bot
