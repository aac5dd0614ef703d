"""Walks through an account's own trades so that none between two moments is left out.

Exchanges cap a page, answer oldest or newest first and bound the span of a query. A query for a
span is believed when it came back less than full; a full one is asked again in two halves. What
cannot be told apart that way is an error, never a silent gap.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from .outcomes import UNKNOWN, VenueError
from .quirks import Quirks

Row = dict[str, Any]
# Asks the venue: (since in ms or None, until in ms or None).
FetchPage = Callable[[int | None, int | None], Awaitable[list[Row]]]
MAX_PAGES = 500


def overflow() -> VenueError:
    """Says that there are more trades than the venue's pages let us see."""
    return VenueError(
        outcome=UNKNOWN,
        code="trade_page_overflow",
        message="more trades than the venue shows in one page; they cannot be told completely",
    )


@dataclass(slots=True)
class TradeWalk:
    """One walk; ``can_end`` says whether a query may name its end. ``rows`` may repeat a trade."""

    fetch: FetchPage
    quirks: Quirks
    can_end: bool
    pages_left: int = MAX_PAGES

    async def rows(self, since_ms: int | None, now_ms: int) -> list[Row]:
        """All trades from ``since_ms`` to now (without a start: the newest page).

        Raises VenueError, ``trade_page_overflow`` where a full page cannot be divided.
        """
        if since_ms is None:
            return await self._page(None, None)
        if self.quirks.newest_trades:
            newest = await self._page(None, None)
            if not self._is_full(newest) or min(_time(row) for row in newest) < since_ms:
                return newest
        step = self.quirks.trade_resolution_ms
        start = since_ms // step * step - (step if step > 1 else 0)
        if not self.can_end:
            return self._believed(await self._page(start, None))
        return await self._windows(start, -(-now_ms // step) * step + step)

    async def _windows(self, start: int, end: int) -> list[Row]:
        span = self.quirks.trade_window_ms or end - start
        found: list[Row] = []
        while start < end:
            until = min(start + span, end)
            found += await self._span(start, until)
            start = until
        return found

    async def _span(self, start: int, until: int) -> list[Row]:
        """All trades of a span, both ends included."""
        page = await self._page(start, until)
        if not self._is_full(page):
            return page
        step = self.quirks.trade_resolution_ms
        if max(_time(row) for row in page) >= until + 2 * step:
            raise overflow()  # the venue does not heed the end
        middle = (start + until) // 2 // step * step
        if middle <= start:
            raise overflow()
        return await self._span(start, middle) + await self._span(middle, until)

    async def _page(self, since: int | None, until: int | None) -> list[Row]:
        if self.pages_left == 0:
            raise overflow()
        self.pages_left -= 1
        return await self.fetch(since, until)

    def _is_full(self, page: list[Row]) -> bool:
        return len(page) >= self.quirks.trade_page

    def _believed(self, page: list[Row]) -> list[Row]:
        if self._is_full(page):
            raise overflow()
        return page


def can_name_end(exchange: Any, quirks: Quirks, market_type: str) -> bool:
    """Whether a trade query of this venue may name its end, by our data, else by ccxt's."""
    if quirks.trade_until is not None:
        return quirks.trade_until
    described = (exchange.features or {}).get(market_type) or {}
    described = described.get("linear") or described
    return bool((described.get("fetchMyTrades") or {}).get("untilDays"))


def _time(row: Row) -> int:
    return int(row["timestamp"])
