"""The shadow client: everything but the send, against the account's real balances and a fresh
quote.
"""

from decimal import Decimal
from typing import Any

from .outcomes import REFUSED, VenueError
from .paper import GetQuote, PaperClient
from .protocol import Quote, VenueBalance, VenueClient, VenueTrade

# A venue's clock and ours never agree to the millisecond.
SKEW_MS = 2_000


class ShadowClient(PaperClient):
    """A paper book that stands beside a real account and sends nothing to its exchange.

    It opens with what ``real`` says the account holds, and tells those balances always. An order is
    matched against a quote no older than ``max_age_ms`` by the venue's own stamp, else it is
    REFUSED with ``stale_quote``. A resting limit order fills once the market trades through its
    price, not when it touches it.
    """

    fills_on_touch = False

    def __init__(
        self,
        account_key: str,
        *,
        real: VenueClient,
        quotes: GetQuote,
        max_age_ms: int,
        **rest: Any,
    ) -> None:
        super().__init__(account_key, quotes=self._fresh_quote, **rest)
        self._real = real
        self._venue_quotes = quotes
        self._max_age_ms = max_age_ms

    async def balances(self) -> dict[str, VenueBalance]:
        """What the account really holds."""
        return await self._real.balances()

    async def may_trade(self) -> bool | None:
        """Whether the real key could, had it to."""
        return await self._real.may_trade()

    async def may_withdraw(self) -> bool | None:
        """Whether the real key can."""
        return await self._real.may_withdraw()

    async def tick(self, quote: Quote) -> list[VenueTrade]:
        """As on paper; a stale quote moves nothing."""
        return await super().tick(quote) if self._is_fresh(quote) else []

    async def _opening_balances(self) -> dict[str, Decimal]:
        return {name: held.free for name, held in (await self._real.balances()).items()}

    async def _fresh_quote(self, symbol: str) -> Quote:
        quote = await self._venue_quotes(symbol)
        if quote is None or not self._is_fresh(quote):
            raise VenueError(
                outcome=REFUSED,
                code="stale_quote",
                message="shadow fills at a fresh quote only, and there is none",
            )
        return quote

    def _is_fresh(self, quote: Quote) -> bool:
        """By the venue's stamp where it gives one: neither too old nor from the future."""
        age_ms = self._clock() - (quote.stamped_ms or quote.at_ms)
        return -SKEW_MS <= age_ms <= self._max_age_ms
