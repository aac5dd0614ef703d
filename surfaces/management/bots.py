"""``/api/v1/bots/*``. The writes take query parameters first and the body second, as 001 shows."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account
from bots.models import Bot
from bots.services import (
    Ending,
    connect_account,
    create_bot,
    disconnect_account,
    preview_termination,
    set_status,
    terminate,
)
from common.principal import Principal
from groups.models import Group
from reports.bots import BotRow, bot_accounts, bot_row, bot_rows, timeframes_of
from surfaces.lookups import find
from surfaces.management.accounts import account_summary
from surfaces.management.dialect import ManagementView
from surfaces.management.groups import account_numbers
from surfaces.management.serializers import (
    AccountIdInput,
    BotStatusInput,
    CreateBotInput,
    TerminateBotInput,
)
from surfaces.policy import Policy
from surfaces.webhook_address import webhook_address


class BotView(ManagementView):
    """A view about the bot its path names."""

    def bot(self, bot_id: str) -> Bot:
        """The bot; raises NotFound, alike for missing and foreign ones."""
        return find(Bot.objects.visible_to(self.principal), bot_id, what="bot")

    def account(self, account_id: str) -> Account:
        """An account the caller named; raises NotFound."""
        return find(Account.objects.visible_to(self.principal), account_id, what="account")


class CreateBotView(ManagementView):
    """Create a bot."""

    policy = Policy.MANAGE
    inputs = {"POST": CreateBotInput}
    reads_query = True

    def post(self, request: Request) -> Response:
        """The bot's id, and the secrets of its alerts, which are shown this once."""
        given = self.input()
        given["account_ids"] = account_numbers(
            self.principal, given.pop("account_ids", ()), field="account_ids"
        )
        given["group_ids"] = [
            find(Group.objects.visible_to(self.principal), text, what="group").pk
            for text in given.pop("group_ids", ())
        ]
        bot, secrets = create_bot(principal=self.principal, **given)
        response = Response(
            {
                "success": True,
                "bot_id": str(bot.pk),
                "name": bot.name,
                "status": bot.status,
                "path_token": secrets.path_token,
                "hmac_secret": secrets.hmac_secret,
                "webhook_url": webhook_address(request._request, secrets.path_token),
                "timeframe_support": _timeframes(self.principal, bot),
            }
        )
        response["Cache-Control"] = "no-store"
        return response


class BotListView(ManagementView):
    """The bots the caller may see."""

    policy = Policy.AUTHENTICATED
    is_array = True

    def get(self, request: Request) -> Response:
        """A bare array, as 001 shows."""
        return Response([_shown(row) for row in bot_rows(self.principal)])


class BotDetailView(BotView):
    """One bot."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request, bot_id: str) -> Response:
        """The bot with its counters, and how its accounts' exchanges tell its timeframe."""
        bot = self.bot(bot_id)
        metrics = {
            "signals_total": bot.signals_total,
            "signals_succeeded": bot.signals_succeeded,
            "signals_failed": bot.signals_failed,
        }
        shown = _shown(bot_row(self.principal, bot))
        return Response(
            {
                **shown,
                "performance": {"metrics": metrics},
                "timeframe_support": _timeframes(self.principal, bot),
            }
        )


class BotStatusView(BotView):
    """Change a bot's status."""

    policy = Policy.MANAGE
    inputs = {"POST": BotStatusInput}
    reads_query = True

    def post(self, request: Request, bot_id: str) -> Response:
        """ACTIVE executes, PAUSED lets exits through, STOPPED refuses everything."""
        given = self.input()
        bot = set_status(principal=self.principal, bot=self.bot(bot_id), status=given["status"])
        return Response({"success": True, "status": bot.status})


class ConnectAccountView(BotView):
    """Connect an account."""

    policy = Policy.MANAGE
    inputs = {"POST": AccountIdInput}
    reads_query = True

    def post(self, request: Request, bot_id: str) -> Response:
        """Doing it twice changes nothing."""
        given = self.input()
        bot, account = self.bot(bot_id), self.account(given["account_id"])
        connect_account(principal=self.principal, bot=bot, account=account)
        return Response({"success": True, "message": "Account connected"})


class DisconnectAccountView(BotView):
    """Disconnect an account."""

    policy = Policy.MANAGE
    inputs = {"POST": AccountIdInput}
    reads_query = True

    def post(self, request: Request, bot_id: str) -> Response:
        """404 when it is not connected."""
        given = self.input()
        bot, account = self.bot(bot_id), self.account(given["account_id"])
        disconnect_account(principal=self.principal, bot=bot, account=account)
        return Response({"success": True, "message": "Account disconnected"})


class TerminateBotView(BotView):
    """Close all positions and orders on the bot's accounts, or the bot's own."""

    policy = Policy.MANAGE
    inputs = {"POST": TerminateBotInput}
    reads_query = True

    def post(self, request: Request, bot_id: str) -> Response:
        """The bot is paused first; each account's fault is named, the others go on.

        The scope ``account`` ends everything there, ``bot`` what the bot owns. With ``preview``
        nothing is done and the answer lists what would be.
        """
        given = self.input()
        bot, scope = self.bot(bot_id), given["scope"]
        if given["preview"]:
            endings = preview_termination(principal=self.principal, bot=bot, scope=scope)
            return Response(
                {"success": True, "scope": scope, "preview": [_ending(each) for each in endings]}
            )
        done, errors = terminate(principal=self.principal, bot=bot, scope=scope)
        return Response(
            {
                "success": not errors,
                "terminated_accounts": done,
                "errors": errors,
                "scope": scope,
            }
        )


class BotAccountsView(BotView):
    """The accounts a bot's signals reach."""

    policy = Policy.AUTHENTICATED
    is_array = True

    def get(self, request: Request, bot_id: str) -> Response:
        """A bare array, as 001 shows."""
        accounts = bot_accounts(self.principal, self.bot(bot_id))
        return Response([account_summary(account) for account in accounts])


def _ending(ending: Ending) -> dict[str, Any]:
    return {
        "account_id": str(ending.account.pk),
        "orders": [str(number) for number in ending.orders],
        "positions": [str(number) for number in ending.positions],
    }


def _timeframes(principal: Principal, bot: Bot) -> list[dict[str, Any]]:
    """Per exchange whether the bot's timeframe is its own, or else from what it is resampled."""
    return [
        {
            "exchange": venue,
            "is_native": support.is_native,
            "resampled_from": support.resampled_from,
        }
        for venue, support in timeframes_of(principal, bot).items()
    ]


def _shown(row: BotRow) -> dict[str, Any]:
    bot = row.bot
    return {
        "id": str(bot.pk),
        "name": bot.name,
        "base_name": bot.base_name,
        "timeframe": bot.timeframe,
        "status": bot.status,
        "max_leverage": bot.max_leverage,
        "connected_accounts": [str(number) for number in row.account_ids],
    }
