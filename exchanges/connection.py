"""One venue's shared things in this process: session, SSL context, markets, limiter, clock
offset.
"""

import asyncio
import logging
import ssl
import time
from contextvars import ContextVar
from typing import Any

from django.conf import settings

from common.clock import now_ms, to_ms
from common.errors import Invalid

from .attempts import SharedAttempt
from .instrumented import observed_class, share_description
from .limiter import VenueLimiter
from .outcomes import NOT_SENT, VenueError, Wire, classify, current_wire
from .protocol import MarketRules, Quote
from .quirks import Quirks, quirks_of
from .redirect import RedirectSession
from .rules import exact_number, market_rules
from .transport import Session
from .venues import Venue

logger = logging.getLogger(__name__)

_PROXY_FIELDS = (
    "proxyUrl",
    "proxy_url",
    "httpProxy",
    "http_proxy",
    "httpsProxy",
    "https_proxy",
    "socksProxy",
    "socks_proxy",
    "aiohttp_proxy",
    "wsProxy",
    "ws_proxy",
    "wssProxy",
    "wss_proxy",
    "wsSocksProxy",
)
RATE_LIMIT_PAUSE_SECONDS = 5.0
MARKETS_MAX_AGE_SECONDS = 6 * 3600.0
RENEWAL_PAUSE_SECONDS = 60.0
FAILURE_SHARED_SECONDS = 2.0
CLOCK_MAX_AGE_SECONDS = 600.0
CLOCK_PAUSE_SECONDS = 5.0

# Monotonic seconds after which the running task's requests must not leave any more.
send_by: ContextVar[float | None] = ContextVar("send_by", default=None)
# Whether the running task's requests let those of orders, cancels and prices go first.
is_patient: ContextVar[bool] = ContextVar("is_patient", default=False)


def deadline_passed() -> VenueError:
    """Says that a claim was too old to send by."""
    return VenueError(
        outcome=NOT_SENT,
        code="send_deadline_passed",
        message="the claim was too old to send",
    )


class VenueConnection:
    """Shared by all accounts at one venue and market type. Lives on the gateway's loop."""

    def __init__(
        self,
        venue: Venue,
        market_type: str,
        session: Session,
        ssl_context: ssl.SSLContext,
    ) -> None:
        self.venue = venue
        self.market_type = market_type
        self.quirks: Quirks = quirks_of(venue.ccxt_id, market_type)
        self._session: Any = RedirectSession(session, venue) if venue.is_declared else session
        self._ssl_context = ssl_context
        self._public: Any = None
        self._loaded_at = 0.0
        self._loading = SharedAttempt(self._load, failure_seconds=FAILURE_SHARED_SECONDS)
        self._renewal = SharedAttempt(self._renew, failure_seconds=RENEWAL_PAUSE_SECONDS)
        self._clock = SharedAttempt(self._read_clock)
        self._clock_offset_ms = 0
        self._clock_read_at = 0.0
        self.limiter = self._new_limiter()

    def _new_limiter(self) -> VenueLimiter:
        """By the operator's word for a declared venue, else by the quirks, else by ccxt's."""
        quirks, own = self.quirks, self.venue.requests_per_second
        rate = own or quirks.requests_per_second
        rate = rate or 1000 / max(float(self._bare_exchange().rateLimit), 1.0)
        burst = None if own else quirks.burst
        return VenueLimiter(rate, burst or max(10, int(rate * 10)))

    def new_exchange(
        self,
        credentials: dict[str, str] | None = None,
        *,
        exchange_class: type[Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> Any:
        """A ccxt object on the shared session; cheap once markets are loaded.

        ``exchange_class`` and ``options`` stand in for the REST class and on top of our options.
        """
        exchange = self._bare_exchange(credentials, exchange_class, options)
        if self._public is not None:
            exchange.set_markets_from_exchange(self._public)
        self._share_clock(exchange)
        return exchange

    def _bare_exchange(
        self,
        credentials: dict[str, str] | None = None,
        exchange_class: type[Any] | None = None,
        more_options: dict[str, Any] | None = None,
    ) -> Any:
        """A ccxt object without markets."""
        options = {**self.quirks.options, **(more_options or {}), "maxRetriesOnFailure": 0}
        if self.market_type == "spot":
            options = {"defaultType": "spot", **options, **self.quirks.spot_options}
        else:
            options = {"defaultType": self.market_type, **options, **self.quirks.swap_options}
        exchange = (exchange_class or observed_class(self.venue.ccxt_id))(
            {
                **(credentials or {}),
                "number": str,
                "session": self._session,
                "ssl_context": self._ssl_context,
                "enableRateLimit": False,
                "timeout": settings.EXCHANGE_TIMEOUT_MS,
                "options": options,
            }
        )
        share_description(exchange)
        exchange.verbose = False
        exchange.enableLastHttpResponse = False
        if self.venue.is_declared:
            for name in _PROXY_FIELDS:
                if getattr(exchange, name, None):
                    setattr(exchange, name, None)
        exchange.unsent_headers = self.quirks.unsent_headers
        if self.venue.is_testnet:
            exchange.set_sandbox_mode(True)
        return exchange

    def prepare(self, exchange: Any) -> None:
        """Give an exchange the venue's present clock offset and markets, before it is used; begin
        in the background to renew them when they have become old.
        """
        self._share_clock(exchange)
        if self._public is None:
            return
        if exchange.markets is not self._public.markets:
            exchange.set_markets_from_exchange(self._public)
        if self._markets_age() > MARKETS_MAX_AGE_SECONDS:
            self._renewal.start()
        if time.monotonic() - self._clock_read_at > CLOCK_MAX_AGE_SECONDS:
            self.resync_clock()

    def _share_clock(self, exchange: Any) -> None:
        if "timeDifference" in exchange.options:
            exchange.options["timeDifference"] = self._clock_offset_ms

    @property
    def clock_offset_ms(self) -> int:
        """Our clock minus the venue's, in milliseconds."""
        return self._clock_offset_ms

    def _markets_age(self) -> float:
        return time.monotonic() - self._loaded_at

    async def public(self, *, max_age: float | None = None) -> Any:
        """The exchange without credentials, its markets loaded; raises VenueError.

        With ``max_age`` (seconds) markets older than that are loaded anew first; without, old ones
        are renewed in the background. Those who ask while one load runs, or shortly after it
        failed, share its outcome.
        """
        if self._public is None or (max_age is not None and self._markets_age() > max_age):
            await self._loading.result()
        self.prepare(self._public)
        return self._public

    async def _renew(self) -> None:
        await self._loading.result()

    async def _load(self) -> None:
        exchange = self._bare_exchange()
        await self.call(exchange.load_markets())
        self._public, self._loaded_at = exchange, time.monotonic()
        await self._read_clock()

    def resync_clock(self) -> None:
        """Measure the venue's clock anew in the background, at most once in a few seconds."""
        if self._public is not None and (
            time.monotonic() - self._clock_read_at > CLOCK_PAUSE_SECONDS
        ):
            self._clock.start()

    async def _read_clock(self) -> None:
        """Measure the venue's clock; a venue without a time route keeps offset 0."""
        exchange = self._public
        self._clock_read_at = time.monotonic()
        if not exchange.has.get("fetchTime"):
            return
        wire = Wire()
        try:
            told = await self.call(exchange.fetch_time(), wire=wire)
        except VenueError as error:
            logger.warning("clock of %s not read: %s", self.venue.name, error.code)
            return
        if told is None:
            logger.warning("clock of %s not read: the answer names no time", self.venue.name)
            return
        venue_ms = int(told)
        sent_ms = to_ms(wire.sent_at) if wire.sent_at else now_ms()
        self._clock_offset_ms = (sent_ms + now_ms()) // 2 - venue_ms

    async def call(self, coroutine: Any, *, wire: Wire | None = None) -> Any:
        """Await one ccxt call within budget and ban; every failure becomes a VenueError."""
        wire = wire or Wire()
        try:
            await self._admitted()
        except BaseException:
            coroutine.close()
            raise
        token = current_wire.set(wire)
        try:
            return await coroutine
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever was raised has to be judged, not swallowed
            raise self._judged(error, wire) from error
        finally:
            current_wire.reset(token)

    async def _admitted(self) -> None:
        """Wait for a place in the budget; raises VenueError (NOT_SENT) under a ban, also one that
        came during the wait, and when the running task's order has become too old.
        """
        self.refuse_under_ban()
        if is_patient.get():
            await self.limiter.acquire_patiently()
        else:
            await self.limiter.acquire()
        self.refuse_under_ban()
        last_moment = send_by.get()
        if last_moment is not None and time.monotonic() > last_moment:
            raise deadline_passed()

    def refuse_under_ban(self) -> None:
        """Raises VenueError (NOT_SENT) while the venue wants no requests."""
        banned = self.limiter.banned_for()
        if banned:
            raise VenueError(
                outcome=NOT_SENT,
                code="venue_banned",
                message="the venue asked us to wait",
                retry_after=banned,
            )

    def _judged(self, error: Exception, wire: Wire) -> VenueError:
        verdict = classify(error, wire, self.quirks)
        if wire.status in (418, 429):
            self.limiter.ban(verdict.retry_after or RATE_LIMIT_PAUSE_SECONDS)
        if verdict.code == "clock_skew":
            self.resync_clock()
        return verdict

    async def rules(self, symbol: str, *, max_age: float | None = None) -> MarketRules:
        """The market rules of a symbol, told by the venue at most ``max_age`` seconds ago; raises
        Invalid ``unknown_symbol``, VenueError.
        """
        exchange = await self.public(max_age=max_age)
        market = exchange.markets.get(symbol)
        if market is None:
            raise Invalid(
                f"{symbol} is not listed at {self.venue.name}.",
                code="unknown_symbol",
                fields={"symbol": "not listed at this venue"},
            )
        return market_rules(market, exchange.precisionMode)

    async def symbols(self) -> list[str]:
        """All symbols of the venue's market type."""
        exchange = await self.public()
        return [
            symbol
            for symbol, market in exchange.markets.items()
            if market.get("type") == self.market_type
        ]

    async def quote(self, symbol: str, exchange: Any = None) -> Quote:
        """The last price of a symbol as the venue tells it now, asked through ``exchange`` or the
        one without credentials; raises VenueError.
        """
        exchange = exchange or await self.public()
        ticker = await self.call(exchange.fetch_ticker(symbol))
        price = exact_number(ticker.get("last") or ticker.get("close"))
        if price is None or price <= 0:
            raise VenueError(
                outcome=NOT_SENT, code="no_price", message=f"no last price for {symbol}"
            )
        stamp = ticker.get("timestamp")
        return Quote(
            symbol,
            price,
            now_ms(),
            exact_number(ticker.get("bid")),
            exact_number(ticker.get("ask")),
            None if stamp is None else int(stamp) + self._clock_offset_ms,
            exact_number(ticker.get("baseVolume")),
        )
