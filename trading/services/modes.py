"""Which book an order goes to: from the mode it asks for, what its account is promoted to and what
its caller may.
"""

from dataclasses import dataclass
from typing import Any

from accounts.books import LIVE, MODES, SHADOW, SIMULATED, book_of_mode, mode_of
from accounts.models import Account, Book
from common.principal import LIVE as LIVE_RIGHT
from common.principal import Principal
from trading.models import Command

from .intents import OrderIntent


class ModeRefused(Exception):
    """The mode asked for is not to be had; ``code`` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Effective:
    """The book an order goes to; ``downgraded`` is why a live one goes to the shadow book."""

    book: str
    asked: str
    downgraded: str = ""

    def as_json(self) -> dict[str, Any]:
        """For the decision, and from there for the answer."""
        told = {"requested": self.asked, "effective": mode_of(self.book)}
        return told | ({"reason": self.downgraded} if self.downgraded else {})


def effective_mode(principal: Principal, account: Account, intent: OrderIntent) -> Effective:
    """The mode of an order on an account read with its own book; raises ModeRefused.

    Live is disabled on an account that is not promoted to it, and not permitted without the right;
    the intent may allow shadow instead. An exit reaches what an account has left in the book it was
    demoted from.
    """
    asked = intent.mode or mode_of(account.book)
    if asked not in MODES:
        raise ModeRefused("unknown_mode", "the mode is paper, shadow or live")
    effective = Effective(book_of_mode(account, asked), asked)
    problem = _live_problem(principal, account, intent, effective.book) if asked == LIVE else None
    if problem is not None:
        if not intent.allow_downgrade:
            raise problem
        effective = Effective(SHADOW, asked, downgraded=problem.code)
    return effective


def _live_problem(
    principal: Principal, account: Account, intent: OrderIntent, book: str
) -> ModeRefused | None:
    if account.book in SIMULATED and not intent.reduce_only:
        return ModeRefused("live_disabled", f"the account is promoted to {account.book} only")
    if book == Book.LIVE and not principal.may(LIVE_RIGHT, account.pk):
        return ModeRefused("live_not_permitted", "no right to trade live on this account")
    return None


def mode_told(command: Command) -> dict[str, Any]:
    """What a command's answer says of its mode: ``requested``, ``effective`` and, after a
    downgrade, its ``reason``; empty for an entry that asked for none, and for exits.
    """
    told: dict[str, Any] = command.decision.get("mode", {})
    return told
