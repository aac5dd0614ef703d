"""The dashboard's own readings: totals per book, counts, equity lines."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q
from django.utils import timezone

from accounts.models import Account, EquityPoint
from bots.models import Bot
from common.clock import now
from common.errors import Invalid
from common.money import ZERO, ExactSum
from common.principal import Principal
from exchanges.venues import Venue, resolve
from monitoring.models import Alert
from reports.conversion import Rate, rate_between
from reports.equity import carried_forward
from reports.periods import midnight
from riskmgmt.models import KillSwitch, Scope
from trading import states
from trading.models import Deal, Order, Position

STALE_SECONDS = 60
LINE_POINTS = 2000
UNSURE = (states.UNKNOWN, states.NEEDS_OPERATOR)


@dataclass(slots=True)
class BookTotal:
    """Sums over the accounts of one book and currency; ``oldest_at`` is the age of the sum.

    ``rate`` leads to the display currency, None where none is known or none is wanted.
    """

    book: str
    currency: str
    accounts: int = 0
    stale: int = 0
    equity: Decimal = ZERO
    balance: Decimal = ZERO
    booked: Decimal = ZERO
    oldest_at: datetime | None = None
    venues: dict[str, Venue] = field(default_factory=dict)
    rate: Rate | None = None

    @property
    def converted(self) -> Decimal | None:
        """The equity in the display currency."""
        return None if self.rate is None else self.rate.of(self.equity)

    @property
    def key(self) -> str:
        """Names the total's equity line."""
        return f"{self.book}:{self.currency}"


@dataclass(frozen=True, slots=True)
class BookSum:
    """All accounts of a book together in the display currency; ``equity`` is None where the rate of
    some of its currencies, those of ``missing``, is not known.
    """

    book: str
    currencies: tuple[str, ...]
    missing: tuple[str, ...]
    equity: Decimal | None


def start_of_day() -> datetime:
    """Midnight of today in the time zone that pages are made in."""
    zone = timezone.get_current_timezone()
    return midnight(timezone.localdate(now(), zone), zone)


def is_stale(account: Account) -> bool:
    """Whether the account's figures are older than a minute or were never read."""
    return account.synced_at is None or account.synced_at < now() - timedelta(seconds=STALE_SECONDS)


def book_totals(principal: Principal) -> list[BookTotal]:
    """Totals of all accounts in use, books and currencies apart, in two queries."""
    totals: dict[tuple[str, str], BookTotal] = {}
    owner: dict[int, BookTotal] = {}
    accounts = Account.objects.visible_to(principal).exclude(status=Account.Status.DISABLED)
    for account in accounts.order_by("book", "id"):
        key = (account.book, account.quote_currency)
        total = totals.setdefault(key, BookTotal(*key))
        owner[account.pk] = total
        _note_venue(total, account)
        total.accounts += 1
        total.stale += is_stale(account)
        total.equity += account.equity
        total.balance += account.balance
        if account.synced_at and (total.oldest_at is None or account.synced_at < total.oldest_at):
            total.oldest_at = account.synced_at
    for row in _booked_today(principal):
        if row["account_id"] in owner:
            owner[row["account_id"]].booked += (row["gain"] or ZERO) - (row["cost"] or ZERO)
    return list(totals.values())


def _note_venue(total: BookTotal, account: Account) -> None:
    """Prices of a venue that the operator took away are nobody's any more."""
    try:
        venue = resolve(account.venue, is_testnet=account.is_testnet)
    except Invalid:
        return
    total.venues[venue.key] = venue


def converted(totals: Sequence[BookTotal], currency: str) -> list[BookSum]:
    """Give the totals their rates into a currency, by prices at their own accounts' venues; sums of
    the books that have several currencies. Books are never added up with each other.
    """
    if not currency:
        return []
    by_book: dict[str, list[BookTotal]] = {}
    for total in totals:
        total.rate = rate_between(list(total.venues.values()), total.currency, currency)
        by_book.setdefault(total.book, []).append(total)
    return [_sum_of(book, rows) for book, rows in by_book.items() if len(rows) > 1]


def _sum_of(book: str, totals: Sequence[BookTotal]) -> BookSum:
    worth = [total.converted for total in totals]
    known = [each for each in worth if each is not None]
    return BookSum(
        book=book,
        currencies=tuple(total.currency for total in totals),
        missing=tuple(total.currency for total in totals if total.rate is None),
        equity=sum(known, ZERO) if len(known) == len(worth) else None,
    )


def _booked_today(principal: Principal) -> Any:
    return (
        Deal.objects.visible_to(principal)
        .filter(executed_at__gte=start_of_day(), book=F("account__book"))
        .order_by()
        .values("account_id")
        .annotate(gain=ExactSum("realised"), cost=ExactSum("fee_quote"))
    )


def order_counts(principal: Principal) -> dict[str, int]:
    """How many orders wait, work at the venue, or have an unknown outcome."""
    return (
        Order.objects.visible_to(principal)
        .live()
        .aggregate(
            waiting=Count("id", filter=Q(state__in=(states.CREATED, states.SENDING))),
            working=Count("id", filter=Q(state__in=states.WORKING)),
            unknown=Count("id", filter=Q(state__in=UNSURE)),
        )
    )


def engaged_switches(principal: Principal) -> list[KillSwitch]:
    """Engaged switches that concern what the principal may see, the widest first."""
    wide = Q(scope=Scope.GLOBAL) | Q(scope=Scope.ORGANISATION, scope_id=principal.organisation_id)
    narrow = Q(scope=Scope.ACCOUNT, scope_id__in=Account.objects.visible_to(principal).values("pk"))
    return list(KillSwitch.objects.engaged().filter(wide | narrow).order_by("-scope", "id"))


def active_alerts(principal: Principal) -> list[Alert]:
    """The newest alerts nobody has taken up."""
    return list(Alert.objects.visible_to(principal).filter(state=Alert.State.ACTIVE)[:20])


def summary(principal: Principal, currency: str = "") -> dict[str, Any]:
    """Everything above the fold of the overview; totals in ``currency``, too, where it is named."""
    totals = book_totals(principal)
    return {
        "totals": totals,
        "sums": converted(totals, currency),
        "currency": currency,
        "accounts": sum(total.accounts for total in totals),
        "stale": sum(total.stale for total in totals),
        "counts": order_counts(principal),
        "positions": Position.objects.visible_to(principal).open().count(),
        "switches": engaged_switches(principal),
        "alerts": active_alerts(principal),
    }


def blast_radius(principal: Principal) -> dict[str, int]:
    """What a stop of the organisation would touch now."""
    counts = order_counts(principal)
    accounts = Account.objects.visible_to(principal)
    return {
        "accounts": accounts.usable().count(),
        "waiting": counts["waiting"],
        "working": counts["working"],
        "unknown": counts["unknown"],
        "positions": Position.objects.visible_to(principal).open().count(),
        "bots": Bot.objects.visible_to(principal).filter(status=Bot.Status.ACTIVE).count(),
    }


def equity_line(accounts: list[int]) -> list[tuple[int, Decimal]]:
    """(seconds since the epoch, summed equity) of the newest points, oldest first.

    Each account's last known value is carried forward; the line begins where every account that has
    points in the window has had its first.
    """
    points = list(
        EquityPoint.objects.filter(account_id__in=accounts, book=F("account__book"))
        .order_by("-at")
        .values_list("account_id", "at", "equity")[:LINE_POINTS]
    )[::-1]
    by_second = {
        int(at.timestamp()): sum(equities, ZERO) for at, equities in carried_forward(points)
    }
    return sorted(by_second.items())
