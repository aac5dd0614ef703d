"""What can differ between venues, and how much of an order's fate is known where it differs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from common.ids import base32_client_id

DAY_MS = 86_400_000
# How an order is found by our id: the venue fetches it, filters its lists by it, or only lists.
FETCH, FILTER, SCAN = "fetch", "filter", "scan"
# How an order at a venue in hedge mode names its position: ccxt's own ``hedged``, the closing mark
# alone, or not at all.
HEDGE_UNIFIED, HEDGE_REDUCE_ONLY, HEDGE_UNKNOWN = "hedged", "reduce_only", ""
# In place of a param's name: our id stands where the venue's own would.
AS_ID = "id"
# Market orders that would name their cost in quote currency leave as limit orders (IOC) near the
# price; ones that need a price are given it.
AS_LIMIT, WITH_PRICE = "limit", "price"
FULL, DEGRADED = "full", "degraded"


def _unified(market_id: str, milliseconds: int) -> tuple[str, tuple[Any, ...]]:
    return "cancel_all_orders_after", (milliseconds,)


@dataclass(frozen=True, slots=True)
class Countdown:
    """A venue's dead man's switch: unless it is told again in time, it cancels all open orders, of
    one symbol (``per_symbol``) or of the account, whoever placed them.

    ``markets`` are the market types that have it, ``weight`` is what a request counts of the
    venue's budget. ``call`` makes the name of ccxt's method and its
    arguments from a market's id at the venue and milliseconds; 0 stops the countdown.
    """

    markets: frozenset[str]
    per_symbol: bool = False
    weight: int = 1
    call: Callable[[str, int], tuple[str, tuple[Any, ...]]] = _unified


@dataclass(frozen=True, slots=True)
class KeyQuestion:
    """How a venue is asked what a key may do: ccxt's method, and what its raw answer says about
    withdrawing; None where it says nothing.
    """

    method: str
    may_withdraw: Callable[[Any], bool | None]


@dataclass(frozen=True, slots=True)
class IdentityQuestion:
    """How a venue is asked whose a key is: ccxt's method, and where in its raw answer the number of
    the venue's own account stands (keys of objects, places of lists).
    """

    method: str
    path: tuple[str | int, ...]

    def identity(self, told: Any) -> str:
        """The account's number at the venue as text; empty where the answer does not tell it."""
        for step in self.path:
            if isinstance(step, int) and isinstance(told, list):
                told = told[step] if len(told) > step else None
            else:
                told = told.get(step) if isinstance(told, dict) else None
        is_told = isinstance(told, str | int) and not isinstance(told, bool)
        return str(told).strip()[:60] if is_told else ""


@dataclass(frozen=True, slots=True)
class Quirks:
    """One venue's differences. Where a figure has no other source named it comes from the venue's
    class in ccxt 4.5.90.

    Ids: ``encode_client_id`` makes ours of an order's 128 bits, ``client_id_param`` is the name
    ccxt takes it under; ``has_client_id`` is False where orders cannot carry it. ``lookup`` is one
    of the words above, with ``fetch_id_param`` and ``fetch_params`` for a single order;
    ``absent_is_empty`` says that the venue answers for an unknown order without an error;
    ``cancel_id_param`` is how a cancel names our id (AS_ID; empty: the order is looked up first).

    Time: ``request_window_ms`` bounds how long after signing a request may still be accepted, None
    where nothing enforces one, and ``processing_ms`` what the venue itself may take. ``expiry``
    makes the params that tell a venue the window's end (venue time, ms).

    Answers: ``codes`` and ``texts`` say what the venue's own codes and words mean in ours, whatever
    class ccxt gives them: see ``outcomes``.

    Own trades are asked for in spans of at most ``trade_window_ms`` and believed complete when
    fewer than ``trade_page`` came (what the venue returns at most; the smallest cap known where
    ccxt names none). ``trade_until`` says that a query may name its end (None: as ccxt tells),
    ``trade_resolution_ms`` how fine its times are; ``newest_trades`` that a query without a start
    returns the newest trades of all time; ``trades_of_all_symbols`` that a page is filled with
    every symbol's trades, so that it has to be counted before any are left out.

    ``hedge`` says how an order names its position in hedge mode. ``edits`` are the market types
    whose limit orders can be changed in place, keeping their ids (not where ccxt's edit cancels and
    places anew). ``countdown`` is the venue's dead man's switch, None where it has none that ccxt
    can tell again and stop. ``whole_contracts`` wants a contract amount as a whole number.
    ``triggers`` are the market types whose triggered orders are found and cancelled like any other;
    elsewhere they are refused, since one with a lost answer could not be settled.
    ``unsent_headers`` are ccxt's own headers that credit it with an order (never signed ones);
    ``options`` switch other referrals off. ``forced_order_ids`` begin the client ids of orders that
    the venue makes itself to close a position (liquidation, auto-deleveraging). ``trade_right`` is
    the word of a balance answer that says whether the key may trade, ``key_question`` how the venue
    is asked for a key's other rights, ``identity_question`` how whose it is. ``pro_streams`` are
    the private streams that ccxt.pro has.

    ``stream`` says what ccxt.pro's private streams are good for here: ``trades`` (their trades
    carry the ids that a trade query tells, so they are booked), ``hint`` (not shown yet: a message
    makes us ask), or nothing. ``stream_whole_orders`` says that each order message tells the whole
    order, so that ccxt need not remember the one before; ``stream_seconds`` and
    ``derivative_stream_seconds`` are ages at which a stream is dialled anew, and
    ``stream_dials_per_second`` how many connections a venue takes from one address.
    """

    encode_client_id: Callable[[UUID], str] = base32_client_id
    client_id_param: str = "clientOrderId"
    has_client_id: bool = True
    lookup: str = SCAN
    fetch_id_param: str = "clientOrderId"
    fetch_params: dict[str, Any] = field(default_factory=dict)
    absent_is_empty: bool = False
    cancel_id_param: str = ""
    request_window_ms: int | None = None
    processing_ms: int = 10_000
    expiry: Callable[[int], dict[str, Any]] | None = None
    codes: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    trade_window_ms: int | None = None
    trade_page: int = 50
    trade_until: bool | None = None
    trade_resolution_ms: int = 1
    newest_trades: bool = False
    trades_of_all_symbols: bool = False
    spot_market_buys: str = ""
    market_orders: str = ""
    hedge: str = HEDGE_UNKNOWN
    edits: frozenset[str] = frozenset()
    countdown: Countdown | None = None
    whole_contracts: bool = False
    pro_streams: frozenset[str] = frozenset()
    requests_per_second: float | None = None
    burst: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    spot_options: dict[str, Any] = field(default_factory=dict)
    swap_options: dict[str, Any] = field(default_factory=dict)
    spot_order_params: dict[str, Any] = field(default_factory=dict)
    triggers: frozenset[str] = frozenset()
    unsent_headers: frozenset[str] = frozenset()
    forced_order_ids: tuple[str, ...] = ()
    trade_right: str = ""
    key_question: KeyQuestion | None = None
    identity_question: IdentityQuestion | None = None
    stream: str = ""
    stream_whole_orders: bool = False
    stream_seconds: int = 43_200
    derivative_stream_seconds: int = 43_200
    stream_dials_per_second: float = 2.0
    stream_options: dict[str, Any] = field(default_factory=dict)

    @property
    def safety(self) -> str:
        """``full`` where a lost answer can be settled for certain: an order carries our id, and the
        venue either finds it by that id or bounds how late it may still appear. Else ``degraded``.
        """
        finds = self.lookup in (FETCH, FILTER) or self.request_window_ms is not None
        return FULL if self.has_client_id and finds else DEGRADED


PRIVATE_STREAMS = frozenset({"orders", "trades", "balance"})


def meaning(word: str, *codes: str) -> dict[str, str]:
    """The same word for several codes."""
    return dict.fromkeys(codes, word)
