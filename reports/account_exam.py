"""One account looked at closely: its key, clock and mode at the exchange, and a first reading."""

from collections.abc import Sequence
from dataclasses import dataclass

from accounts.books import PAPER
from accounts.key_identity import note_key_facts
from accounts.models import Account, Balance, Book
from common.errors import Unavailable
from trading.services.preflight import ask_accounts
from trading.services.reconcile import sync_account

from .doctor import FAILED, OK, WARNING, Finding, account_findings


@dataclass(frozen=True, slots=True)
class Exam:
    """What came of it; ``balances`` are those of the account's own book, by currency."""

    account: Account
    findings: Sequence[Finding]
    balances: Sequence[Balance]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(each.result != FAILED for each in self.findings)

    @property
    def warnings(self) -> list[Finding]:
        """What works and should not stay so."""
        return [each for each in self.findings if each.result == WARNING]


def examine_account(account: Account) -> Exam:
    """Ask the account's exchange now; the reading of the balances is kept as any poll's is.

    A paper account's balances are our own book's, so its key is tried as a shadow account's would
    be: at the exchange, for reading alone. An exchange that does not serve the account is a
    finding, no error.
    """
    try:
        account = sync_account(account=account)
        read = Finding("balances", OK, "read")
    except Unavailable as error:
        account.refresh_from_db()
        read = Finding("balances", FAILED, error.message)
    seat = account.in_book(Book.SHADOW) if account.book == PAPER else account
    (told,) = ask_accounts([seat], with_withdrawing=True)
    note_key_facts(account)
    held = [row for row in account.balances.order_by("currency") if row.total]
    return Exam(account, [*account_findings(seat, told), read], held)
