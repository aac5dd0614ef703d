"""Gate."""

import base64
from uuid import UUID

from .shape import (
    AS_ID,
    AS_LIMIT,
    DAY_MS,
    FETCH,
    HEDGE_REDUCE_ONLY,
    PRIVATE_STREAMS,
    IdentityQuestion,
    Quirks,
    meaning,
)


def _prefixed(uid: UUID) -> str:
    """``t-`` and 26 base32 characters. The venue demands the prefix; ccxt adds it only to ids that
    do not begin with a t, and counts it into the 28 that it allows.
    """
    return "t-" + base64.b32encode(uid.bytes).decode("ascii").rstrip("=").lower()


GATE = Quirks(
    encode_client_id=_prefixed,
    # The text stands for the id in the path, until soon after the order ended.
    lookup=FETCH,
    cancel_id_param=AS_ID,
    # Timestamps more than 60 s off are refused with REQUEST_EXPIRED (Gate's APIv4 guide).
    request_window_ms=60_000,
    codes=meaning("duplicate_order_id", "REPEATED_CREATION")
    | meaning("clock_skew", "REQUEST_EXPIRED")
    | meaning("order_not_found", "ORDER_NOT_FOUND", "CLIENT_ID_NOT_FOUND", "ORDER_CLOSED")
    | meaning("order_not_found", "ORDER_CANCELLED", "ORDER_FINISHED")
    | meaning("rate_limited", "TOO_MANY_REQUESTS", "TOO_FAST")
    | meaning("risk_limit", "RISK_LIMIT_EXCEEDED", "TOO_MANY_ORDERS")
    | meaning("reduce_only_refused", "POSITION_EMPTY", "INCREASE_POSITION"),
    trade_window_ms=30 * DAY_MS,
    trade_page=1000,
    trade_resolution_ms=1000,
    spot_market_buys=AS_LIMIT,
    hedge=HEDGE_REDUCE_ONLY,
    edits=frozenset({"spot", "swap"}),
    # Gate's APIv4 guide, Get account detail.
    identity_question=IdentityQuestion("privateAccountGetDetail", ("user_id",)),
    pro_streams=PRIVATE_STREAMS,
    unsent_headers=frozenset({"X-Gate-Channel-Id"}),
)
