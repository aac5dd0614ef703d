"""The equity line of an account: which readings are kept, and for how long.

A reading comes with every poll, and a poll follows every fill, so that no order pays for one.
"""

from collections.abc import Sequence, Set
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max

from accounts.models import Account, EquityPoint
from common.bulk import insert_rows
from common.clock import from_ms, now

EVERY = timedelta(seconds=30)
# What a fill moved is kept sooner, but a burst of fills is one reading.
PAUSE_AFTER_A_MOVE = timedelta(seconds=2)
ALL_KEPT_FOR = timedelta(days=2)
BATCH = 5_000


def keep_readings(accounts: Sequence[Account], moved: Set[int], *, at: datetime) -> set[int]:
    """Keep a reading of each account's balance and equity in its book unless one is too young; the
    numbers of the accounts it was kept of. Two statements.

    ``moved`` are accounts whose quote balance is another than before, as after a fill.
    """
    quarter = EquityPoint.quarter_of(at)
    begin = from_ms(quarter * EquityPoint.SECONDS_PER_QUARTER * 1000)
    recent = EquityPoint.objects.filter(account__in=accounts, at__gte=min(begin, at - EVERY))
    newest = {
        (account_id, book): last
        for account_id, book, last in recent.order_by()
        .values("account_id", "book")
        .annotate(last=Max("at"))
        .values_list("account_id", "book", "last")
    }
    points = []
    for account in accounts:
        last = newest.get((account.pk, account.book))
        pause = PAUSE_AFTER_A_MOVE if account.pk in moved else EVERY
        if last is not None and at - last < pause:
            continue
        points.append(
            EquityPoint(
                account=account,
                book=account.book,
                at=at,
                equity=account.equity,
                balance=account.balance,
                quarter=quarter if last is None or last < begin else None,
            )
        )
    # Two polls at once may both be a quarter's first.
    insert_rows(points, with_ids=False, ignore_conflicts=True)
    return {point.account_id for point in points}


def reading_before(account: Account, moment: datetime) -> tuple[Decimal | None, datetime | None]:
    """What the account was worth at its last reading before a moment, and when that was; None
    where it had none.
    """
    points = EquityPoint.objects.filter(account=account, book=account.book, at__lte=moment)
    found = points.order_by("-at").values_list("equity", "at").first()
    return found or (None, None)


def thin_out() -> int:
    """Forget the readings older than two days but the first of each quarter of an hour; returns how
    many. In batches, so that nobody waits long.
    """
    old = EquityPoint.objects.filter(quarter=None, at__lt=now() - ALL_KEPT_FOR)
    count = 0
    while numbers := list(old.order_by("at").values_list("pk", flat=True)[:BATCH]):
        EquityPoint.objects.filter(pk__in=numbers).delete()
        count += len(numbers)
    return count
