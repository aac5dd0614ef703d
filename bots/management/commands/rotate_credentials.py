"""Re-encrypts every stored secret under the first key of CREDENTIAL_KEYS; resumable, safe to
repeat.
"""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Account
from bots.models import Bot, PreviousSecret
from common.crypto import SealError
from common.terminal import FAILED, TerminalCommand
from monitoring.models import NotificationChannel
from users.mfa import reseal as reseal_second_factor
from users.models import TotpDevice

COLUMNS = ("secret_of", "result")
SECRETS = ("api_key", "api_secret", "passphrase")


def _reseal_account(account: Account) -> None:
    for name in SECRETS:
        account.set_secret(name, account.open_secret(name))


def _reseal_bot(bot: Bot) -> None:
    bot.set_hmac_secret(bot.open_hmac_secret())


def _reseal_previous(previous: PreviousSecret) -> None:
    previous.set_hmac_secret(previous.open_hmac_secret())


def _reseal_channel(channel: NotificationChannel) -> None:
    channel.set_address(channel.open_address())


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows that hold secrets: how one's are opened and sealed anew, and in which columns."""

    name: str
    rows: Callable[[], QuerySet[Any]]
    reseal: Callable[[Any], None]
    columns: tuple[str, ...]


KINDS = (
    Kind(
        "account", Account.objects.all, _reseal_account, tuple(f"{name}_sealed" for name in SECRETS)
    ),
    Kind(
        "bot",
        lambda: Bot.objects.exclude(hmac_secret_sealed=""),
        _reseal_bot,
        ("hmac_secret_sealed",),
    ),
    Kind(
        "previous secret of a bot",
        lambda: PreviousSecret.objects.exclude(secret_sealed=""),
        _reseal_previous,
        ("secret_sealed",),
    ),
    Kind("channel", NotificationChannel.objects.all, _reseal_channel, ("address_sealed",)),
    Kind("second factor", TotpDevice.objects.all, reseal_second_factor, ("secret_sealed",)),
)


class Command(TerminalCommand):
    """``rotate_credentials``; put the new key first in CREDENTIAL_KEYS before, drop the old one
    after.
    """

    help = "Re-encrypt stored secrets. Examples: rotate_credentials --dry-run | rotate_credentials"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only try to open every secret")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 1 when a secret could not be opened."""
        results = [
            (f"{kind.name} {pk}", self._rotate(kind, pk, write=not options["dry_run"]))
            for kind in KINDS
            for pk in kind.rows().order_by("pk").values_list("pk", flat=True)
        ]
        self.show(COLUMNS, results, options)
        failed = sum(result == "unreadable" for _, result in results)
        self.say(f"{len(results)} rows with secrets, {failed} unreadable.", options)
        if failed:
            raise SystemExit(FAILED)

    @transaction.atomic
    def _rotate(self, kind: Kind, pk: int, *, write: bool) -> str:
        row = kind.rows().select_for_update(no_key=True).get(pk=pk)
        try:
            kind.reseal(row)
        except SealError:
            return "unreadable"
        if not write:
            return "readable"
        row.save(update_fields=list(kind.columns))
        return "rotated"
