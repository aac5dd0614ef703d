"""Re-encrypts every stored secret under the first key of CREDENTIAL_KEYS; resumable, safe to
repeat.
"""

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from accounts.models import Account
from bots.models import Bot
from common.crypto import SealError
from common.terminal import FAILED, TerminalCommand

COLUMNS = ("secret_of", "result")
SECRETS = ("api_key", "api_secret", "passphrase")


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
        write = not options["dry_run"]
        accounts = Account.objects.order_by("pk").values_list("pk", flat=True)
        bots = (
            Bot.objects.exclude(hmac_secret_sealed="").order_by("pk").values_list("pk", flat=True)
        )
        results = [(f"account {pk}", self._rotate_account(pk, write=write)) for pk in accounts]
        results += [(f"bot {pk}", self._rotate_bot(pk, write=write)) for pk in bots]
        self.show(COLUMNS, results, options)
        failed = sum(result == "unreadable" for _, result in results)
        self.say(f"{len(results)} accounts and bots, {failed} unreadable.", options)
        if failed:
            raise SystemExit(FAILED)

    @transaction.atomic
    def _rotate_account(self, pk: int, *, write: bool) -> str:
        account = Account.objects.select_for_update(no_key=True).get(pk=pk)
        try:
            for name in SECRETS:
                account.set_secret(name, account.open_secret(name))
        except SealError:
            return "unreadable"
        if not write:
            return "readable"
        account.save(update_fields=[f"{name}_sealed" for name in SECRETS])
        return "rotated"

    @transaction.atomic
    def _rotate_bot(self, pk: int, *, write: bool) -> str:
        bot = Bot.objects.select_for_update(no_key=True).get(pk=pk)
        try:
            bot.set_hmac_secret(bot.open_hmac_secret())
        except SealError:
            return "unreadable"
        if not write:
            return "readable"
        bot.save(update_fields=["hmac_secret_sealed"])
        return "rotated"
