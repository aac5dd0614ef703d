"""What an order on the ticket would come to, before it is sent."""

from dataclasses import dataclass
from decimal import Decimal

from accounts.models import Account
from common.principal import Principal
from trading.services.placing import NewOrder, intent_for
from trading.services.preflight import Check, Preflight, preflight


@dataclass(frozen=True, slots=True)
class Estimate:
    """The preflight, and what it means for the account: ``share`` of its equity in percent, what
    is free. None is what could not be found out.
    """

    found: Preflight
    share: Decimal | None
    base: str
    quote: str
    free_base: Decimal | None
    free_quote: Decimal | None

    @property
    def refusals(self) -> list[Check]:
        """The checks that say no."""
        return [check for check in self.found.checks if check.ok is False]


def estimate(principal: Principal, account: Account, order: NewOrder) -> Estimate:
    """Ask whether the order would go; the account's venue is asked too, which may take seconds."""
    found = preflight(principal=principal, intent=intent_for(account, order))
    base, _, quote = order.symbol.partition(":")[0].partition("/")
    value = found.notional
    share = value / account.equity * 100 if value is not None and account.equity > 0 else None
    rows = account.balances.filter(currency__in=(base, quote))
    free = dict(rows.values_list("currency", "free"))
    return Estimate(found, share, base, quote, free.get(base), free.get(quote))
