"""Bitget, classic and unified accounts."""

from .shape import (
    AS_LIMIT,
    DAY_MS,
    FETCH,
    HEDGE_UNIFIED,
    PRIVATE_STREAMS,
    IdentityQuestion,
    Quirks,
    meaning,
)

BITGET = Quirks(
    lookup=FETCH,
    cancel_id_param="clientOrderId",
    # Timestamps more than 30 s off are refused with 40008 (Bitget's API guide, signature).
    request_window_ms=30_000,
    # ccxt does not know the duplicates; they are in Bitget's lists of REST error codes.
    codes=meaning("duplicate_order_id", "40786", "25212", "43118", "45034")
    | meaning("key_refused", "40006", "40009", "40012", "40018", "40037", "40506", "40507")
    | meaning("clock_skew", "40004", "40005", "40008", "30008")
    # ccxt reads it as a bad signature, Bitget's list as a request that timed out.
    | meaning("timeout", "40010", "50008")
    | meaning("unclear_answer", "40015", "40725", "45001")
    | meaning("rate_limited", "429", "1001", "50009")
    | meaning("order_not_found", "43001", "40768", "25204", "22001")
    | meaning("insufficient_funds", "25202", "25203", "43012", "40762")
    | meaning("reduce_only_refused", "22002", "25227")
    | meaning("position_side_refused", "40774"),
    trade_window_ms=90 * DAY_MS,
    trade_page=100,
    spot_market_buys=AS_LIMIT,
    hedge=HEDGE_UNIFIED,
    # Bitget's API guide, Get Account Information.
    identity_question=IdentityQuestion("privateSpotGetV2SpotAccountInfo", ("data", "userId")),
    pro_streams=PRIVATE_STREAMS,
    unsent_headers=frozenset({"X-CHANNEL-API-CODE"}),
)
