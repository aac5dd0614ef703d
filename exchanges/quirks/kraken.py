"""Kraken spot."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from .shape import FILTER, PRIVATE_STREAMS, Countdown, Quirks, meaning

WINDOW_MS = 5_000


def _dashed(uid: UUID) -> str:
    return str(uid)


def _deadline(venue_ms: int) -> dict[str, Any]:
    moment = datetime.fromtimestamp(venue_ms / 1000, UTC)
    return {"deadline": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


KRAKEN = Quirks(
    # cl_ord_id takes a UUID; fetchOrder knows txid and the numeric userref alone, so an order is
    # found in the lists of open and closed orders, which the venue filters by cl_ord_id.
    encode_client_id=_dashed,
    lookup=FILTER,
    cancel_id_param="clientOrderId",
    # AddOrder's own parameter: the matching engine refuses an order after it (2 to 60 s ahead).
    request_window_ms=WINDOW_MS,
    expiry=_deadline,
    # Kraken's codes are words.
    codes=meaning("insufficient_funds", "EOrder:Insufficient margin")
    | meaning("order_not_found", "EOrder:Unknown order")
    | meaning("rate_limited", "EAPI:Rate limit exceeded", "EOrder:Rate limit exceeded")
    | meaning("rate_limited", "EGeneral:Too many requests", "EGeneral:Temporary lockout")
    | meaning("would_take", "EOrder:Post only order")
    | meaning("too_many_orders", "EOrder:Orders limit exceeded")
    | meaning("risk_limit", "EOrder:Positions limit exceeded", "EOrder:Margin allowance exceeded")
    | meaning("invalid_order", "EOrder:Cannot open position", "EOrder:Trading agreement required")
    | meaning("market_closed", "EService:Market in post_only mode")
    | meaning("market_closed", "EService:Market in cancel_only mode"),
    texts=meaning(
        "key_refused", "EAPI:Invalid key", "EAPI:Invalid signature", "EAPI:Permission denied"
    )
    | meaning("order_not_found", "EOrder:Unknown order"),
    trade_page=50,
    trade_until=True,
    trade_resolution_ms=1000,
    trades_of_all_symbols=True,
    edits=frozenset({"spot"}),
    countdown=Countdown(frozenset({"spot"})),
    triggers=frozenset({"spot"}),
    pro_streams=PRIVATE_STREAMS,
)
