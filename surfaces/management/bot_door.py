"""``/api/v1/bots/{id}/door`` and ``/secrets``: what lets a bot's alerts in, and renewing it."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from bots.models import TOKEN, Bot, PreviousSecret
from bots.services import renew_secret, retire_secret, set_door
from common.clock import iso
from surfaces.management.bots import BotView
from surfaces.management.serializers import DoorInput, RenewSecretInput, RetireSecretInput
from surfaces.policy import Policy
from surfaces.webhook_address import webhook_address


class BotDoorView(BotView):
    """What lets a bot's alerts in."""

    policy = {"GET": Policy.AUTHENTICATED, "PUT": Policy.MANAGE}
    inputs = {"PUT": DoorInput}

    def get(self, request: Request, bot_id: str) -> Response:
        """The ways to authenticate, renewed secrets with their last use, and the addresses."""
        return Response({"success": True, **door_of(self.bot(bot_id))})

    def put(self, request: Request, bot_id: str) -> Response:
        """Replaces the certificate's common name and the addresses; no secret is changed."""
        bot = set_door(principal=self.principal, bot=self.bot(bot_id), **self.input())
        return Response({"success": True, **door_of(bot)})


class BotSecretsView(BotView):
    """Renew a bot's secret."""

    policy = Policy.MANAGE
    inputs = {"POST": RenewSecretInput}

    def post(self, request: Request, bot_id: str) -> Response:
        """The new secret, shown this once; the one before stays accepted ``grace_seconds``."""
        bot = self.bot(bot_id)
        new = renew_secret(principal=self.principal, bot=bot, **self.input())
        until = new.previous_until
        told = {
            "success": True,
            "kind": new.kind,
            "secret": new.secret,
            "previous_accepted_until": iso(until) if until else None,
        }
        if new.kind == TOKEN:
            told["webhook_url"] = webhook_address(request._request, new.secret)
        response = Response(told)
        response["Cache-Control"] = "no-store"
        return response


class RetireSecretView(BotView):
    """Retire a bot's renewed secret."""

    policy = Policy.MANAGE
    inputs = {"POST": RetireSecretInput}

    def post(self, request: Request, bot_id: str) -> Response:
        """The one before is refused from now on; one that has ended stays as it is."""
        bot = self.bot(bot_id)
        previous = retire_secret(principal=self.principal, bot=bot, **self.input())
        return Response({"success": True, "previous_secret": _previous(previous)})


def door_of(bot: Bot) -> dict[str, Any]:
    """What lets a bot's alerts in, without a secret; times in UTC."""
    return {
        "authentication": list(bot.auth_modes),
        "certificate_subject": bot.certificate_subject,
        "allowed_addresses": list(bot.allowed_addresses),
        "previous_secrets": [_previous(each) for each in bot.previous_secrets.all()],
    }


def _previous(previous: PreviousSecret) -> dict[str, Any]:
    used = previous.last_used_at
    return {
        "kind": previous.kind,
        "is_accepted": previous.is_accepted,
        "accepted_until": iso(previous.accepted_until),
        "replaced_at": iso(previous.replaced_at),
        "last_used_at": iso(used) if used else None,
    }
