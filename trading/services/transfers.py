"""Deposits and withdrawals, each written once: capital that came or went, never a result.

The venue tells them where it can; what it cannot tell (a transfer between two wallets of one owner)
an operator records.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from accounts.books import SIMULATED
from accounts.models import Account
from common.clock import from_ms, iso, now, to_ms
from common.errors import Invalid
from common.money import ZERO, plain, rounded
from common.principal import Principal
from events.log import audit
from exchanges.protocol import VenueTransfer
from trading.models import CashFlow, TransferCursor
from users.permissions import MANAGE, demand

from .balances import in_quote
from .equity_readings import reading_before

ASK_EVERY = timedelta(minutes=15)
# A deposit may become good long after it was seen first; what is told twice is written once.
OVERLAP = timedelta(days=30)


def transfers_due(account: Account, cursor: TransferCursor | None) -> int | None:
    """From when on (milliseconds) the next poll asks for deposits and withdrawals, None for not.

    What came before the account was made here is in its first reading.
    """
    if account.is_view or account.book in SIMULATED:
        return None
    checked_at = cursor.checked_at if cursor else account.created_at
    if now() - checked_at < ASK_EVERY:
        return None
    return max(cursor.since_ms if cursor else 0, to_ms(account.created_at))


def ask_for_transfers(account_ids: Sequence[int]) -> None:
    """Let the next poll of these accounts ask for deposits and withdrawals, and let it come now."""
    due = now() - ASK_EVERY
    TransferCursor.objects.bulk_create(
        [TransferCursor(account_id=account_id, checked_at=due) for account_id in account_ids],
        ignore_conflicts=True,
    )
    TransferCursor.objects.filter(account__in=account_ids, checked_at__gt=due).update(
        checked_at=due
    )
    Account.objects.filter(pk__in=account_ids).update(next_poll_at=now())


def import_transfers(account: Account, told: Sequence[VenueTransfer], error: str) -> None:
    """Write those not seen before, and that the venue was asked; in the poll's transaction.

    ``error`` is the code of why it could not tell, empty when it did.
    """
    known = set(
        CashFlow.objects.filter(
            account=account, exchange_id__in=[each.transfer_id for each in told]
        ).values_list("exchange_id", flat=True)
    )
    rows = [
        _flow(account, each.amount, each.currency, from_ms(each.at_ms), each.transfer_id)
        for each in told
        if each.transfer_id not in known and each.amount
    ]
    CashFlow.objects.bulk_create(rows, ignore_conflicts=True)
    cursor, _ = TransferCursor.objects.get_or_create(
        account=account, defaults={"checked_at": now()}
    )
    if not error:
        cursor.since_ms = max(cursor.since_ms, to_ms(now() - OVERLAP))
    cursor.checked_at, cursor.error = now(), error
    cursor.save()


@transaction.atomic
def record_transfer(
    *,
    principal: Principal,
    account: Account,
    amount: Decimal,
    currency: str = "",
    at: datetime | None = None,
    note: str = "",
) -> CashFlow:
    """Write a deposit (positive) or withdrawal that the venue does not tell, audited.

    ``currency`` is the account's quote currency unless named. Raises Denied, Invalid for no amount
    or a moment to come.
    """
    demand(principal, MANAGE)
    moment = at or now()
    if amount == ZERO:
        raise Invalid("Nothing came or went.", fields={"amount": "must not be 0"})
    if moment > now():
        raise Invalid("That is still to come.", fields={"at": "must not be in the future"})
    flow = _flow(
        account, amount, currency or account.quote_currency, moment, f"recorded:{uuid.uuid4().hex}"
    )
    flow.note = note
    flow.save()
    audit(
        principal,
        "account.transfer_recorded",
        target=f"account:{account.pk}",
        after={"amount": plain(amount), "currency": flow.currency, "at": iso(moment), "note": note},
    )
    return flow


def _flow(
    account: Account, amount: Decimal, currency: str, moment: datetime, exchange_id: str
) -> CashFlow:
    equity, read_at = reading_before(account, moment)
    reason = CashFlow.Reason.DEPOSIT if amount > 0 else CashFlow.Reason.WITHDRAWAL
    return CashFlow(
        organisation_id=account.organisation_id,
        account=account,
        book=account.book,
        reason=reason,
        amount=rounded(amount),
        currency=currency,
        value=rounded(in_quote(account, currency, amount)),
        equity_before=equity,
        read_at=read_at,
        exchange_id=exchange_id,
        executed_at=moment,
    )
