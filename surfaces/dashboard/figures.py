"""The dashboard's own readings: totals per book, counts, equity lines."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q

from accounts.models import Account, EquityPoint
from bots.models import Bot
from common.clock import now
from common.money import ZERO, ExactSum
from common.principal import Principal
from monitoring.models import Alert
from reports.equity import carried_forward
from riskmgmt.models import KillSwitch, Scope
from trading import states
from trading.models import Deal, Order, Position

STALE_SECONDS = 60
LINE_POINTS = 2000
UNSURE = (states.UNKNOWN, states.NEEDS_OPERATOR)


@dataclass(slots=True)
class BookTotal:
    """Sums over the accounts of one book and currency; ``oldest_at`` is the age of the sum."""

    book: str
    currency: str
    accounts: int = 0
    stale: int = 0
    equity: Decimal = ZERO
    balance: Decimal = ZERO
    booked: Decimal = ZERO
    oldest_at: datetime | None = None

    @property
    def key(self) -> str:
        """Names the total's equity line."""
        return f"{self.book}:{self.currency}"


def start_of_day() -> datetime:
    """Midnight UTC of today."""
    return now().replace(hour=0, minute=0, second=0, microsecond=0)


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


def summary(principal: Principal) -> dict[str, Any]:
    """Everything above the fold of the overview."""
    totals = book_totals(principal)
    return {
        "totals": totals,
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
