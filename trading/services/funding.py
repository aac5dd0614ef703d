"""Funding payments of perpetual contracts, each written once."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from accounts.models import Account
from common.clock import from_ms, now
from common.money import rounded
from exchanges.protocol import VenueFunding
from trading.models import CashFlow, TradeCursor

from .balances import in_quote

ASK_EVERY = timedelta(minutes=5)
# A payment may be told late; what is seen twice is written once.
OVERLAP_MS = 3_600_000


def funding_due(account: Account, cursor: TradeCursor) -> bool:
    """Whether the payments of a symbol should be asked for in the next poll."""
    if account.market_type == Account.MarketType.SPOT:
        return False
    return cursor.funding_checked_at is None or cursor.funding_checked_at < now() - ASK_EVERY


def import_funding(
    account: Account,
    cursors: Mapping[str, TradeCursor],
    told: Mapping[str, Sequence[VenueFunding]],
) -> None:
    """Write the payments not seen before; in the poll's transaction, which holds the cursors."""
    CashFlow.objects.bulk_create(
        [
            CashFlow(
                organisation_id=account.organisation_id,
                account=account,
                book=account.book,
                symbol=symbol,
                reason=CashFlow.Reason.FUNDING,
                amount=rounded(each.amount),
                value=rounded(in_quote(account, each.currency, each.amount)),
                currency=each.currency,
                exchange_id=each.payment_id,
                executed_at=from_ms(each.at_ms),
            )
            for symbol, payments in told.items()
            for each in payments
        ],
        ignore_conflicts=True,
    )
    for symbol, payments in told.items():
        cursor = cursors[symbol]
        newest = max((each.at_ms for each in payments), default=0)
        cursor.funding_ms = max(cursor.funding_ms, newest - OVERLAP_MS)
        cursor.funding_checked_at = now()
        cursor.save(update_fields=["funding_ms", "funding_checked_at"])
