"""What a caller's accounts held in one book, from reading to reading."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import OuterRef, Q, Subquery

from accounts.books import DOLLARS
from accounts.models import Account, EquityPoint
from common.errors import Invalid
from common.money import ZERO, ExactSum
from common.principal import Principal
from trading.models import Deal, Position

from .portfolio import usual_book


@dataclass(frozen=True, slots=True)
class PastPortfolio:
    """Cash and equity in dollars at a moment, and the signed base quantities by symbol."""

    at: datetime
    cash: Decimal
    equity: Decimal
    quantities: dict[str, Decimal]


def past_portfolios(
    principal: Principal, book: str = "", *, limit: int, cursor: int | None = None
) -> tuple[list[PastPortfolio], int | None]:
    """The readings of the accounts that are in a book (their usual one unless it is named), the
    newest first, and the ``cursor`` of the page after it, None at the end.

    With each reading of an account the others count with their newest before it. Quantities are
    what is held now less what was dealt since. At most seven queries. Raises Invalid for a cursor
    that is no reading of these accounts.
    """
    accounts = list(Account.objects.visible_to(principal))
    book = book or usual_book(accounts)
    numbers = [each.pk for each in accounts if each.book == book and each.quote_currency in DOLLARS]
    points = EquityPoint.objects.filter(account__in=numbers, book=book)
    if cursor is not None:
        last = points.filter(pk=cursor).first()
        if last is None:
            raise Invalid("Not a cursor.", fields={"cursor": "is not of this list"})
        points = points.filter(_older_than(last))
    page = list(points.order_by("-at", "-pk")[: limit + 1])
    following = page[limit - 1].pk if len(page) > limit else None
    return _told(numbers, book, page[:limit]), following


def _older_than(point: EquityPoint) -> Q:
    return Q(at__lt=point.at) | Q(at=point.at, pk__lt=point.pk)


def _told(
    account_ids: Sequence[int], book: str, points: Sequence[EquityPoint]
) -> list[PastPortfolio]:
    """What the accounts had at these readings, which are the newest first."""
    if not points:
        return []
    latest = _latest_before(account_ids, book, points[-1])
    sums = []
    for point in reversed(points):
        latest[point.account_id] = point
        cash = sum((each.balance for each in latest.values()), ZERO)
        sums.append((cash, sum((each.equity for each in latest.values()), ZERO)))
    held = _held_at(account_ids, book, points[0].at)
    deals = _deals_between(account_ids, book, points[-1].at, points[0].at)
    found = []
    for point, (cash, equity) in zip(points, reversed(sums), strict=True):
        while deals and deals[-1][0] > point.at:
            _, symbol, net = deals.pop()
            held[symbol] -= net
        quantities = {symbol: quantity for symbol, quantity in held.items() if quantity}
        found.append(PastPortfolio(point.at, cash, equity, quantities))
    return found


def _latest_before(
    account_ids: Sequence[int], book: str, point: EquityPoint
) -> dict[int, EquityPoint]:
    """Each account's newest reading before another one; two queries."""
    older = EquityPoint.objects.filter(_older_than(point), account=OuterRef("pk"), book=book)
    newest = Subquery(older.order_by("-at", "-pk").values("pk")[:1])
    numbers = Account.objects.filter(pk__in=account_ids).annotate(reading=newest)
    rows = EquityPoint.objects.filter(pk__in=list(numbers.values_list("reading", flat=True)))
    return {row.account_id: row for row in rows}


def _held_at(account_ids: Sequence[int], book: str, moment: datetime) -> dict[str, Decimal]:
    """What was held at a moment, signed; two queries."""
    held: dict[str, Decimal] = defaultdict(lambda: ZERO)
    rows = Position.objects.open().filter(account__in=account_ids, book=book, allocated=True)
    for symbol, side, quantity in rows.values_list("symbol", "side", "quantity"):
        held[symbol] += quantity if side == "buy" else -quantity
    since = Deal.objects.filter(
        account__in=account_ids, book=book, executed_at__gt=moment, position__allocated=True
    )
    nets = since.order_by().values("symbol", "side").annotate(net=ExactSum("net_quantity"))
    for symbol, side, net in nets.values_list("symbol", "side", "net"):
        held[symbol] -= net if side == "buy" else -net
    return held


def _deals_between(
    account_ids: Sequence[int], book: str, after: datetime, until: datetime
) -> list[tuple[datetime, str, Decimal]]:
    """Moment, symbol and signed net quantity of the deals of a span, the newest last."""
    rows = Deal.objects.filter(
        account__in=account_ids,
        book=book,
        executed_at__gt=after,
        executed_at__lte=until,
        position__allocated=True,
    ).order_by("executed_at", "pk")
    return [
        (at, symbol, net if side == "buy" else -net)
        for at, symbol, side, net in rows.values_list(
            "executed_at", "symbol", "side", "net_quantity"
        )
    ]
