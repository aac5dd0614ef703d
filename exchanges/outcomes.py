"""What an exchange's answer proves about an order: nothing was sent, it was refused, or nobody
knows.

ccxt's exception class alone does not tell. First comes what the venue's own code means (the tables
of ``quirks``), then an allow-list of classes that are definite refusals; everything else, timeouts,
5xx answers, unparsable bodies and plain errors included, is UNKNOWN and is settled by asking the
exchange.
"""

import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

import ccxt.async_support as ccxt_async

from common.redaction import one_line

from .quirks import Quirks
from .redirect import HostNotDeclared

NOT_SENT, REFUSED, UNKNOWN = "not_sent", "refused", "unknown"

DEFINITE: tuple[type[Exception], ...] = (
    ccxt_async.InsufficientFunds,
    ccxt_async.InvalidOrder,
    ccxt_async.BadRequest,
    ccxt_async.ArgumentsRequired,
    ccxt_async.AuthenticationError,
    ccxt_async.MarketClosed,
    ccxt_async.RestrictedLocation,
    ccxt_async.NotSupported,
    ccxt_async.InvalidNonce,
)
NOT_DEFINITE: tuple[type[Exception], ...] = (
    ccxt_async.OrderNotFound,
    ccxt_async.OrderNotCached,
    ccxt_async.DuplicateOrderId,
    ccxt_async.CancelPending,
    ccxt_async.ChecksumError,
)
# Words of ours that leave open whether there is an order; any other is a refusal.
UNSETTLED = frozenset({"duplicate_order_id", "order_not_found", "timeout", "unclear_answer"})
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (ccxt_async.InsufficientFunds, "insufficient_funds"),
    (ccxt_async.OrderNotFound, "order_not_found"),
    (ccxt_async.DuplicateOrderId, "duplicate_order_id"),
    (ccxt_async.CancelPending, "cancel_pending"),
    (ccxt_async.OrderImmediatelyFillable, "would_take"),
    (ccxt_async.InvalidOrder, "invalid_order"),
    (ccxt_async.BadSymbol, "unknown_symbol"),
    (ccxt_async.BadRequest, "bad_request"),
    (ccxt_async.ArgumentsRequired, "bad_request"),
    (ccxt_async.AccountNotEnabled, "key_refused"),
    (ccxt_async.PermissionDenied, "permission_denied"),
    (ccxt_async.AuthenticationError, "key_refused"),
    (ccxt_async.MarketClosed, "market_closed"),
    (ccxt_async.RestrictedLocation, "restricted_location"),
    (ccxt_async.NotSupported, "not_supported"),
    (ccxt_async.InvalidNonce, "clock_skew"),
    (ccxt_async.DDoSProtection, "rate_limited"),
    (ccxt_async.RateLimitExceeded, "rate_limited"),
    (ccxt_async.RequestTimeout, "timeout"),
    (ccxt_async.OnMaintenance, "maintenance"),
    (ccxt_async.ExchangeNotAvailable, "exchange_unavailable"),
    (ccxt_async.NetworkError, "network_error"),
)
# Where venues keep their code, the more telling place first: OKX's code of one order within a
# batch, then the answer's own code (Gate calls it a label), Coinbase's reasons, Kraken's list of
# words, a bare error.
_VENUE_CODES = (
    re.compile(r'"sCode"\s*:\s*"(?!0")(-?\w+)'),
    re.compile(r'"(?:code|retCode|ret_code|err-code|label)"\s*:\s*"?(-?\w+)'),
    re.compile(r'"(?:new_order|preview)_failure_reason"\s*:\s*"(?!UNKNOWN)(\w+)'),
    re.compile(r'"error"\s*:\s*\[\s*"([^"]{1,60})'),
    re.compile(r'"error"\s*:\s*"(\w[^"]{0,59})'),
)
# Refusals in such words may still mean that an order exists, whatever class ccxt gives them.
_DUPLICATE = re.compile(r"duplicat|already (?:exists?|in use|been used)", re.IGNORECASE)
_TIMED_OUT = re.compile(r"\btimed?[ -]?out", re.IGNORECASE)


@dataclass(slots=True)
class Wire:
    """What happened on the wire during one call: when bytes may last have left, and the last
    answer; ``is_readable`` says that it was JSON.
    """

    sent_at: datetime | None = None
    status: int | None = None
    retry_after: float | None = None
    is_readable: bool = True
    hosts: list[str] = field(default_factory=list)


current_wire: ContextVar[Wire | None] = ContextVar("current_wire", default=None)


class VenueError(Exception):
    """The one error that leaves this folder.

    ``outcome`` is NOT_SENT, REFUSED or UNKNOWN; ``code`` is our stable word; ``message`` is
    redacted; ``venue_code`` is the exchange's own code where its answer had one; ``retry_after`` is
    in seconds. ``credentials_version`` says with which of the account's credentials an order was
    asked for, 0 where that is not told.
    """

    def __init__(
        self,
        *,
        outcome: str,
        code: str,
        message: str,
        venue_code: str = "",
        retry_after: float | None = None,
        wire_at: datetime | None = None,
    ) -> None:
        super().__init__(f"{outcome} {code}: {message}")
        self.outcome = outcome
        self.code = code
        self.message = message
        self.venue_code = venue_code
        self.retry_after = retry_after
        self.wire_at = wire_at
        self.credentials_version = 0

    def before_sending(self) -> "VenueError":
        """The same failure of a call that only prepared an order: nothing was sent."""
        return VenueError(
            outcome=NOT_SENT,
            code=self.code,
            message=self.message,
            venue_code=self.venue_code,
            retry_after=self.retry_after,
        )


def venue_code_of(text: str) -> str:
    """The exchange's own error code in the text of a ccxt exception, or an empty text."""
    for pattern in _VENUE_CODES:
        if match := pattern.search(text):
            return match.group(1)
    return ""


def _code_of(error: BaseException) -> str:
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return "unclear_answer"


def _told(text: str, venue_code: str, quirks: Quirks) -> str:
    """Our word for what the venue itself said, or an empty text."""
    if venue_code in quirks.codes:
        return quirks.codes[venue_code]
    return next((word for words, word in quirks.texts.items() if words in text), "")


def _doubt(text: str) -> str:
    """Our word for what makes a refusal doubtful, or an empty text."""
    if _DUPLICATE.search(text):
        return "duplicate_order_id"
    return "timeout" if _TIMED_OUT.search(text) else ""


def classify(error: BaseException, wire: Wire, quirks: Quirks) -> VenueError:
    """The outcome that an exception during one call proves. Pure; never raises."""
    text = str(error)
    venue_code = venue_code_of(text)
    outcome, code = _verdict(error, wire, text, _told(text, venue_code, quirks))
    return _made(outcome, code, error, venue_code, wire)


def _verdict(error: BaseException, wire: Wire, text: str, told: str) -> tuple[str, str]:
    code = _code_of(error)
    if isinstance(error, HostNotDeclared):
        return NOT_SENT, "host_not_declared"
    if wire.sent_at is None:
        return NOT_SENT, code
    if wire.status is not None and wire.status >= 500:
        return UNKNOWN, code
    if not wire.is_readable and "order_not_found" in (told, code):
        return UNKNOWN, "unclear_answer"  # ccxt found no order in an answer that said nothing
    if told:
        return (UNKNOWN if told in UNSETTLED else REFUSED), told
    if isinstance(error, (ccxt_async.DDoSProtection, ccxt_async.RateLimitExceeded)):
        return (REFUSED if wire.status in (418, 429) else UNKNOWN), "rate_limited"
    if isinstance(error, DEFINITE) and not isinstance(error, NOT_DEFINITE):
        doubt = _doubt(text)
        return (UNKNOWN, doubt) if doubt else (REFUSED, code)
    return UNKNOWN, code


def _made(outcome: str, code: str, error: BaseException, venue_code: str, wire: Wire) -> VenueError:
    return VenueError(
        outcome=outcome,
        code=code,
        message=one_line(f"{type(error).__name__}: {error}")[:400],
        venue_code=venue_code,
        retry_after=wire.retry_after,
        wire_at=wire.sent_at,
    )
