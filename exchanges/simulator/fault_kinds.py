"""Every kind of fault: what it does, which calls it concerns, and how often the soak run wants it.

Kinds by the moment they act at:

* before (the request is not carried out): ``hang_``, ``rst_``, ``close_``, ``html_``,
  ``http_502_``, ``e1001_``, ``e1008_before``; ``429``, ``418``, ``revoked``, ``stale_refused``;
  ``burst_429`` and ``burst_418`` refuse the key's next ``times`` (20) requests for
  ``retry_after`` (2) seconds, counted as ``429`` and ``418``; ``key_revoked`` takes the key away
  for good; ``refuse_*`` answer with the exchange's own refusal; ``late_accept`` carries the request
  out after ``ms`` or ``window_share`` of its window, ``late_beyond`` after its window is over
  (keys without windows only)
* after (carried out, answered badly): ``*_after``; ``slow_ack`` answers after ``ms`` (300), so that
  the stream tells first
* modifiers: ``clock_skew`` (``offset_ms``), ``stale_query`` and ``stale_balance`` (``ms``),
  ``partial_parts`` (``n``, ``over_ticks``), ``fill_delay`` (``ms``); ``venue_cancel`` and
  ``venue_expire`` fill one of ``n`` parts and end the order after ``ms``; ``external_order``
  trades ``share`` of the quantity the other way, as a liquidation would, after ``ms``
* stream, by message: ``ws_drop``, ``ws_duplicate``, ``ws_delay`` (``ms``), ``ws_reorder`` (told
  after the next one), ``ws_replay`` (told again after ``ms``); and by connection: ``ws_cut``,
  ``ws_close``, ``ws_stall`` (silent for ``seconds``), ``ws_terminate`` (the subscription ends, the
  connection stays)
"""

from dataclasses import dataclass
from typing import Any

STREAM_PATH = "/ws-api/v3"
ORDER_PATHS = frozenset({
    "/api/v3/order", "/api/v3/order/cancelReplace", "/fapi/v1/order", "/fapi/v1/algoOrder",
})  # fmt: skip
QUERY_PATHS = frozenset({
    "/api/v3/order", "/api/v3/openOrders", "/api/v3/allOrders", "/api/v3/myTrades",
    "/fapi/v1/order", "/fapi/v1/openOrders", "/fapi/v1/allOrders", "/fapi/v1/userTrades",
    "/fapi/v1/openAlgoOrders", "/fapi/v1/algoOrder",
})  # fmt: skip
BALANCE_PATHS = frozenset({"/api/v3/account"})

REFUSALS = frozenset({
    "refuse_precision", "refuse_notional", "refuse_max_quantity", "refuse_balance",
    "refuse_post_only", "refuse_reduce_only",
})  # fmt: skip
BURSTS = {"burst_429": "429", "burst_418": "418"}
LATE = frozenset({"late_accept", "late_beyond"})
BEFORE = REFUSALS | BURSTS.keys() | LATE | {
    "hang_before", "rst_before", "close_before", "html_before", "http_502_before", "e1001_before",
    "e1008_before", "429", "418", "revoked", "key_revoked", "stale_refused",
}  # fmt: skip
AFTER = frozenset({
    "hang_after", "rst_after", "close_after", "cut_body_after", "bad_json_after", "html_after",
    "empty_after", "no_id_after", "http_502_after", "http_503_after", "http_504_after",
    "e1000_after", "e1006_after", "e1007_after", "unmapped_400_after", "slow_ack",
})  # fmt: skip
AFTERMATH = frozenset({"venue_cancel", "venue_expire", "external_order"})
MODIFIERS = AFTERMATH | {
    "clock_skew", "stale_query", "stale_balance", "partial_parts", "fill_delay",
}  # fmt: skip
CONNECTION = frozenset({"ws_cut", "ws_close", "ws_stall", "ws_terminate"})
STREAM = CONNECTION | {"ws_drop", "ws_duplicate", "ws_delay", "ws_reorder", "ws_replay"}
KINDS = BEFORE | AFTER | MODIFIERS | STREAM

ANY_REQUEST = BURSTS.keys() | {"429", "418", "revoked", "clock_skew"}


@dataclass(frozen=True, slots=True)
class Call:
    """What a rule looks at: one request or, with the method WS, one message of a user stream.

    ``windowless`` is a request of a key that no window binds.
    """

    method: str
    path: str
    api_key: str = ""
    symbol: str = ""
    client_id: str = ""
    windowless: bool = False

    @property
    def is_order(self) -> bool:
        """Whether the call places an order."""
        return self.method == "POST" and self.path in ORDER_PATHS


def in_scope(kind: str, call: Call) -> bool:
    """Whether a kind without a method or path of its own concerns this call."""
    if kind in STREAM:
        return call.method == "WS"
    if kind in ANY_REQUEST:
        return call.method != "WS"
    if kind == "stale_query":
        return call.method == "GET" and call.path in QUERY_PATHS
    if kind == "stale_balance":
        return call.method == "GET" and call.path in BALANCE_PATHS
    if kind == "late_beyond":
        return call.is_order and call.windowless
    return call.is_order


_PARTS = {"n": [2, 7]}
_LAG = {"ms": [200, 2000]}

# The rates of one long run under every fault; probabilities are by order, query or message.
SOAK: dict[str, Any] = {
    "probabilities": {
        "hang_after": 0.05, "rst_after": 0.05, "close_after": 0.02, "cut_body_after": 0.02,
        "bad_json_after": 0.02, "no_id_after": 0.01, "http_502_after": 0.03,
        "http_504_after": 0.01, "e1006_after": 0.01, "e1007_after": 0.02, "slow_ack": 0.05,
        "rst_before": 0.03, "e1001_before": 0.01, "e1008_before": 0.01, "html_before": 0.01,
        "late_accept": 0.04, "stale_refused": 0.01, "late_beyond": 0.01,
        "burst_429": 0.0005, "burst_418": 0.0002,
        "refuse_precision": 0.005, "refuse_notional": 0.005, "refuse_max_quantity": 0.005,
        "refuse_balance": 0.005, "refuse_post_only": 0.005, "refuse_reduce_only": 0.005,
        "partial_parts": 0.3, "venue_cancel": 0.02, "venue_expire": 0.01,
        "external_order": 0.005, "stale_query": 0.05, "stale_balance": 0.05,
        "ws_duplicate": 0.03, "ws_delay": 0.03, "ws_reorder": 0.02, "ws_replay": 0.02,
    },
    "params": {
        "hang_after": {"seconds": 12}, "slow_ack": {"ms": [100, 800]},
        "late_accept": {"window_share": 0.5}, "burst_429": {"retry_after": [1, 3]},
        "burst_418": {"retry_after": [2, 4]}, "partial_parts": _PARTS,
        "venue_cancel": {**_PARTS, "ms": [50, 1500]}, "venue_expire": {**_PARTS, "ms": [50, 1500]},
        "external_order": {"ms": [0, 1000], "share": 0.5}, "stale_query": _LAG,
        "stale_balance": _LAG, "ws_delay": _LAG, "ws_replay": {"ms": [500, 5000]},
    },
    "windows": [
        {"kind": "clock_skew", "start_s": 15, "seconds": 10, "params": {"offset_ms": 30_000}},
        {"kind": "clock_skew", "start_s": 60, "seconds": 10, "params": {"offset_ms": -30_000}},
    ],
    "timed": [
        {"kind": "ws_cut", "every_s": [20, 40]}, {"kind": "ws_stall", "every_s": [20, 40]},
        {"kind": "ws_terminate", "every_s": [20, 40]}, {"kind": "ws_close", "every_s": [30, 60]},
    ],
}  # fmt: skip
PROFILES: dict[str, dict[str, Any]] = {"soak": SOAK}
