"""Reads balances, orders and trades of accounts from their exchanges now."""

import logging
from argparse import ArgumentParser
from typing import Any

from accounts.models import Account, AccountQuerySet
from common.clock import iso
from common.errors import Unavailable
from common.money import plain
from common.terminal import FAILED, USAGE, TerminalCommand
from trading.services.reconcile import sync_account
from users.models import Organisation

logger = logging.getLogger(__name__)

COLUMNS = ("account", "name", "venue", "result", "balance", "equity", "currency", "synced_at")


class Command(TerminalCommand):
    """``sync_balances --account 3``"""

    help = (
        "Poll accounts now, whatever their next poll is, and tell what each holds. Examples: "
        "sync_balances | sync_balances --organisation Main --json | sync_balances --account 3"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--account", type=int, action="append", help="only this; repeatable")
        parser.add_argument("--organisation", default="", help="only accounts of this one, by name")

    def handle(self, *args: Any, **options: Any) -> None:
        """A row per account, ``ok`` or the code of what went wrong with the last known figures;
        exit code 1 when one failed. Safe to repeat, and beside a running server.
        """
        accounts = self._accounts(options)
        rows = [_row(account) for account in accounts]
        self.show(COLUMNS, rows, options)
        failed = sum(row[COLUMNS.index("result")] != "ok" for row in rows)
        if failed:
            self.say(f"{failed} of {len(rows)} accounts could not be read.", options)
            raise SystemExit(FAILED)
        self.say(f"{len(rows)} accounts read.", options)

    def _accounts(self, options: dict[str, Any]) -> list[Account]:
        """Those asked for, all that are not disabled else."""
        rows = Account.objects.filter(deleted_at=None).order_by("pk")
        if options["organisation"]:
            rows = self._of_organisation(rows, options["organisation"])
        usable = rows.exclude(status=Account.Status.DISABLED)
        if not options["account"]:
            return list(usable)
        found = {account.pk: account for account in rows.filter(pk__in=options["account"])}
        for number in options["account"]:
            if number not in found:
                raise self.fail(f"There is no account {number}.", USAGE)
            if found[number].status == Account.Status.DISABLED:
                raise self.fail(f"Account {number} is disabled: activate it first.", USAGE)
        return list(found.values())

    def _of_organisation(self, rows: AccountQuerySet, name: str) -> AccountQuerySet:
        organisation = Organisation.objects.filter(name=name).first()
        if organisation is None:
            raise self.fail(f"There is no organisation {name}.", USAGE)
        return rows.filter(organisation=organisation)


def _row(account: Account) -> tuple[Any, ...]:
    result = _synced(account)
    account.refresh_from_db()
    synced_at = iso(account.synced_at) if account.synced_at else ""
    figures = (plain(account.balance), plain(account.equity), account.quote_currency)
    return (account.pk, account.name, account.venue, result, *figures, synced_at)


def _synced(account: Account) -> str:
    """``ok`` or why not; one account's failure is its own."""
    try:
        sync_account(account=account)
    except Unavailable as error:
        return error.code
    except Exception:  # the other accounts still have their turn
        logger.exception("sync of account %s failed", account.pk)
        return "poll_failed"
    return "ok"
