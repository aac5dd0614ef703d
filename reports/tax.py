"""What one calendar year booked, row by row: for whoever makes a tax return of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Q

from accounts.models import Account
from common.money import EXACT, ZERO
from trading.models import CashFlow, Deal

from .periods import Span

TRADE, FUNDING = "trade", "funding"


@dataclass(frozen=True, slots=True)
class TaxRow:
    """A deal that booked a result or a fee, or a funding payment; money in ``currency``, the
    account's quote currency. ``quantity`` is in base units.
    """

    at: datetime
    kind: str
    account: Account
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    realised: Decimal
    fees: Decimal
    reference: str

    @property
    def net(self) -> Decimal:
        """After fees."""
        return EXACT.subtract(self.realised, self.fees)

    @property
    def currency(self) -> str:
        """Of the money columns."""
        return self.account.quote_currency


def year_span(year: int, zone: ZoneInfo) -> Span:
    """A calendar year in a time zone; raises Invalid for one out of bounds."""
    return Span(date(year, 1, 1), date(year, 12, 31), zone)


def tax_rows(accounts: Sequence[Account], span: Span, *, book: str) -> Iterator[TaxRow]:
    """The rows of the accounts' deals and funding in one book, oldest first within each kind.

    Deals within the ledger that moved nothing but quantity are left out.
    """
    by_number = {account.pk: account for account in accounts}
    within = Q(account__in=list(by_number), book=book)
    within &= Q(executed_at__gte=span.start, executed_at__lt=span.end)
    deals = Deal.objects.filter(within).order_by("executed_at", "pk")
    for deal in deals.iterator():
        if deal.realised or deal.fee_quote:
            yield TaxRow(
                at=deal.executed_at,
                kind=TRADE,
                account=by_number[deal.account_id],
                symbol=deal.symbol,
                side=deal.side,
                quantity=deal.quantity,
                price=deal.price,
                realised=deal.realised,
                fees=deal.fee_quote,
                reference=deal.exchange_trade_id,
            )
    flows = CashFlow.objects.funding().filter(within).order_by("executed_at", "pk")
    for flow in flows.iterator():
        yield TaxRow(
            at=flow.executed_at,
            kind=FUNDING,
            account=by_number[flow.account_id],
            symbol=flow.symbol,
            side="",
            quantity=ZERO,
            price=ZERO,
            realised=flow.value,
            fees=ZERO,
            reference=flow.exchange_id,
        )
