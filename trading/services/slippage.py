"""Orders that go only while the price is near what it was: their prices are asked for first."""

from collections.abc import Sequence

from common.errors import DomainError
from marketdata.services import refresh_quote
from trading.models import Order

from .venue_access import venue_of

PATIENCE_SECONDS = 1.0


def with_known_slippage(order_ids: Sequence[int]) -> list[int]:
    """Those of waiting orders that may be claimed: all without a slippage limit, and those whose
    venue has just told its price, which the claim then judges. The others wait for the next time.
    """
    limited = Order.objects.filter(pk__in=order_ids).exclude(max_slippage=None)
    told: dict[tuple[str, bool, str], bool] = {}
    unpriced = set()
    for order in limited.select_related("account"):
        account = order.account
        key = (account.venue, account.is_testnet, order.symbol)
        if key not in told:
            told[key] = _is_priced(order)
        if not told[key]:
            unpriced.add(order.pk)
    return [pk for pk in order_ids if pk not in unpriced]


def _is_priced(order: Order) -> bool:
    try:
        venue = venue_of(order.account)
        refresh_quote(venue, order.symbol, order.account.market_type, patience=PATIENCE_SECONDS)
    except DomainError:
        return False
    return True
