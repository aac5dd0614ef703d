"""What the surfaces show of an account beyond its own row: positions, results, references."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Prefetch

from accounts.models import Account, StreamStatus
from bots.models import Bot
from common.clock import now
from common.money import EXACT, ZERO, ExactSum, divided, multiplied
from common.principal import Principal
from groups.models import Group
from trading.models import Position
from trading.models.positions import PositionQuerySet

FRESH_SECONDS = 60


@dataclass(slots=True)
class Results:
    """Counts and sums over an account's positions; money in its quote currency.

    ``value`` is what the open positions cost at their average price. ``realised`` is before fees.
    """

    open: int = 0
    closed: int = 0
    successful: int = 0
    value: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def total(self) -> int:
        """Open and closed."""
        return self.open + self.closed

    @property
    def net(self) -> Decimal:
        """Realised result after fees."""
        return EXACT.subtract(self.realised, self.fees)

    @property
    def win_rate(self) -> Decimal:
        """Successful ones in percent of the closed, 0 before the first."""
        if not self.closed:
            return ZERO
        return divided(Decimal(100 * self.successful), Decimal(self.closed))

    def add(self, other: "Results") -> None:
        """Count another account's in, which must be in the same currency."""
        for name in ("open", "closed", "successful"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("value", "realised", "fees"):
            setattr(self, name, EXACT.add(getattr(self, name), getattr(other, name)))


@dataclass(frozen=True, slots=True)
class AccountDetail:
    """An account with its results and with what refers to it."""

    account: Account
    results: Results
    bots: Sequence[Bot] = field(default_factory=tuple)
    groups: Sequence[Group] = field(default_factory=tuple)

    @property
    def references(self) -> list[dict[str, str]]:
        """The bots and groups that reach the account."""
        named = [("bot", row.pk, row.name) for row in self.bots]
        named += [("group", row.pk, row.name) for row in self.groups]
        return [{"type": kind, "id": str(pk), "name": name} for kind, pk, name in named]

    @property
    def is_connected(self) -> bool:
        """Whether the venue was read without a fault within the last minute."""
        synced_at = self.account.synced_at
        return bool(
            synced_at
            and not self.account.sync_error
            and now() - synced_at < timedelta(seconds=FRESH_SECONDS)
        )

    @property
    def stream(self) -> StreamStatus:
        """How its private stream does; ``off`` where it has none."""
        return stream_of(self.account)


def stream_of(account: Account) -> StreamStatus:
    """The account's stream status; an unsaved ``off`` where none was ever written."""
    try:
        return account.stream
    except StreamStatus.DoesNotExist:
        return StreamStatus(account=account)


def details_of(principal: Principal, accounts: Iterable[Account]) -> list[AccountDetail]:
    """Details of the accounts the principal may read, in their order; a fixed number of queries."""
    numbers = [account.pk for account in accounts]
    rows = Account.objects.visible_to(principal).filter(pk__in=numbers)
    rows = rows.select_related("stream").prefetch_related(
        "balances",
        Prefetch("bots", queryset=Bot.objects.visible_to(principal)),
        Prefetch("groups", queryset=Group.objects.visible_to(principal)),
    )
    results = results_of(numbers)
    by_number = {row.pk: row for row in rows}
    return [
        AccountDetail(
            account=row,
            results=results[row.pk],
            bots=list(row.bots.all()),
            groups=list(row.groups.all()),
        )
        for row in (by_number[number] for number in numbers if number in by_number)
    ]


def results_of(account_ids: Sequence[int]) -> dict[int, Results]:
    """The results of several accounts in the books they have now, by account number."""
    own = Position.objects.filter(account__in=account_ids).in_own_book()
    found = {number: Results() for number in account_ids}
    return found | {number: each for (number, _), each in _results(own).items()}


def results_by_book(account_ids: Sequence[int]) -> dict[tuple[int, str], Results]:
    """The results of several accounts in every book they have positions in, by account number and
    book.
    """
    return _results(Position.objects.filter(account__in=account_ids))


def _results(positions: PositionQuerySet) -> dict[tuple[int, str], Results]:
    """Three queries."""
    found: dict[tuple[int, str], Results] = defaultdict(Results)
    sums: Any = (
        positions.order_by()
        .values("account_id", "book", "state")
        .annotate(count=Count("id"), realised_sum=ExactSum("realised"), fees_sum=ExactSum("fees"))
    )
    for row in sums:
        results = found[row["account_id"], row["book"]]
        if row["state"] == Position.State.OPEN:
            results.open = row["count"]
        else:
            results.closed = row["count"]
        results.realised = EXACT.add(results.realised, row["realised_sum"] or ZERO)
        results.fees = EXACT.add(results.fees, row["fees_sum"] or ZERO)
    for account_id, book, quantity, price in positions.open().values_list(
        "account_id", "book", "quantity", "average_price"
    ):
        results = found[account_id, book]
        results.value = EXACT.add(results.value, multiplied(quantity, price))
    # A closed position is a success when it earned more than its fees.
    gains = positions.filter(state=Position.State.CLOSED, realised__gt=0)
    for account_id, book, realised, fees in gains.values_list(
        "account_id", "book", "realised", "fees"
    ):
        found[account_id, book].successful += realised > fees
    return dict(found)


def closed_positions(principal: Principal, account: Account, *, limit: int) -> list[Position]:
    """The account's latest closed positions, the newest first."""
    rows = Position.objects.visible_to(principal).filter(
        account=account, state=Position.State.CLOSED
    )
    return list(rows.order_by("-closed_at", "-id")[:limit])
