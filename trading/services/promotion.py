"""Promoting an account from paper to shadow to live, one step at a time, and demoting it."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.books import LIVE, MODES, SIMULATED, book_of_mode, mode_of
from accounts.models import Account
from common.clock import now, now_ms
from common.errors import Conflict, Denied, Invalid, NotFound
from common.money import ZERO
from common.principal import LIVE as LIVE_RIGHT
from common.principal import TRADE, Principal
from events.log import audit, publish
from trading.models import Deal, Order, Position, TradeCursor


@dataclass(frozen=True, slots=True)
class Promoted:
    """The account in its new mode, and what it has left in the book it came from."""

    account: Account
    open_positions: int = 0
    live_orders: int = 0


@transaction.atomic
def change_mode(
    *, principal: Principal, account: Account, mode: str, confirm: str, reason: str
) -> Promoted:
    """Promote or demote an account; ``confirm`` must be the mode, typed. The mode it has changes
    nothing.

    A promotion goes one step at a time, needs the right ``live``, an active account whose exchange
    answered last time, and nothing open in the book it leaves. A demotion needs the right to trade
    and is never refused for what is open: that is counted, stays followed and can be closed. Holds
    the account's row lock, as every submission does. Raises Denied, Invalid (``unknown_mode``,
    ``confirmation_mismatch``), Conflict (``promotion_skips_a_step``, ``positions_open``,
    ``account_not_ready``), NotFound.
    """
    _demand_words(mode, confirm, reason)
    rows = Account.objects.visible_to(principal).select_for_update(no_key=True)
    row = rows.filter(pk=account.pk).first()
    if row is None:
        raise NotFound("There is no such account.", code="account_not_found")
    before = mode_of(row.book)
    steps = MODES.index(mode) - MODES.index(before)
    right = LIVE_RIGHT if steps > 0 else TRADE
    if not principal.may(right, row.pk):
        raise Denied("Your role does not allow this.", code="permission_denied")
    left = Promoted(
        row,
        Position.objects.open().filter(account=row, book=row.book, allocated=True).count(),
        Order.objects.live().filter(account=row, book=row.book).count(),
    )
    if steps == 0:
        return left
    if steps > 0:
        _demand_ready(left, steps)
    _move(principal, left, mode, reason)
    return left


def _demand_words(mode: str, confirm: str, reason: str) -> None:
    if mode not in MODES:
        raise Invalid(
            "Unknown mode.", code="unknown_mode", fields={"mode": "must be paper, shadow or live"}
        )
    if confirm != mode:
        raise Invalid(
            "Type the mode to confirm it.",
            code="confirmation_mismatch",
            fields={"confirm": f"must be {mode}"},
        )
    if not reason.strip():
        raise Invalid("A reason is required.", fields={"reason": "required"})


def _demand_ready(left: Promoted, steps: int) -> None:
    row = left.account
    if steps > 1:
        raise Conflict(
            "An account is promoted to shadow before live.", code="promotion_skips_a_step"
        )
    if left.open_positions or left.live_orders:
        raise Conflict(
            "An account is promoted without open positions and live orders.",
            code="positions_open",
            details={"open_positions": left.open_positions, "live_orders": left.live_orders},
        )
    if row.status != Account.Status.ACTIVE or row.sync_error:
        raise Conflict(
            "The account is not active, or its exchange did not answer last time.",
            code="account_not_ready",
            details={"status": row.status, "sync_error": row.sync_error},
        )


def _move(principal: Principal, left: Promoted, mode: str, reason: str) -> None:
    row, old = left.account, left.account.book
    row.book = book_of_mode(row, mode)
    row.next_poll_at = now()
    if "paper" in (old, row.book):  # what it holds is another money from here on
        row.equity_at, row.initial_balance = None, ZERO
    row.save(update_fields=["book", "next_poll_at", "equity_at", "initial_balance"])
    if row.book not in SIMULATED:
        _begin_at_present(row)
    audit(
        principal,
        "account.mode_changed",
        target=f"account:{row.pk}",
        before={"book": old},
        after={
            "book": row.book,
            "reason": reason.strip(),
            "open_positions": left.open_positions,
            "live_orders": left.live_orders,
        },
    )
    _tell(row)


def _begin_at_present(account: Account) -> None:
    """What happened at the exchange before an account's first order there is not its ledger's."""
    known = {"account": account, "book": account.book}
    if Order.objects.filter(**known).exists() or Deal.objects.filter(**known).exists():
        return
    TradeCursor.objects.filter(account=account).update(since_ms=now_ms())


def _tell(account: Account) -> None:
    payload: dict[str, Any] = {
        "account_id": account.pk,
        "name": account.name,
        "status": account.status,
        "mode": LIVE if account.book not in SIMULATED else account.book,
    }
    publish(
        "account.updated",
        organisation_id=account.organisation_id,
        topics=(f"account:{account.pk}",),
        payload=payload,
    )
