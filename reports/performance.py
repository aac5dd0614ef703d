"""How the trading of a caller's accounts went, book by book."""

from dataclasses import dataclass, field

from django.db.models import Count

from accounts.models import Account
from common.principal import Principal
from trading import states
from trading.models import Order

from .accounts import Results, results_by_book


@dataclass(frozen=True, slots=True)
class Performance:
    """Counts of orders by state over all books; results by (book, quote currency), never mixed."""

    orders: dict[str, int] = field(default_factory=dict)
    results: dict[tuple[str, str], Results] = field(default_factory=dict)

    def count(self, *wanted: str) -> int:
        """How many orders are in these states."""
        return sum(self.orders.get(state, 0) for state in wanted)

    @property
    def live(self) -> int:
        """How many orders are not in a final state."""
        return self.count(*states.LIVE)


def performance_of(principal: Principal) -> Performance:
    """Everything the principal may read, in whatever book it went; a fixed number of queries."""
    rows = Order.objects.visible_to(principal).order_by().values_list("state")
    orders = dict(rows.annotate(count=Count("pk")))
    accounts = {account.pk: account for account in Account.objects.visible_to(principal)}
    results = {(each.book, each.quote_currency): Results() for each in accounts.values()}
    for (number, book), each in results_by_book(list(accounts)).items():
        currency = accounts[number].quote_currency
        results.setdefault((book, currency), Results()).add(each)
    return Performance(orders, results)
