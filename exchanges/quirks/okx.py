"""OKX."""

from typing import Any

from .shape import (
    FETCH,
    HEDGE_UNIFIED,
    PRIVATE_STREAMS,
    Countdown,
    IdentityQuestion,
    KeyQuestion,
    Quirks,
    meaning,
)


def _may_withdraw(told: Any) -> bool | None:
    """``perm`` of the account's configuration is like ``read_only,withdraw,trade``."""
    rows = told.get("data") if isinstance(told, dict) else None
    rights = rows[0].get("perm") if rows else None
    return "withdraw" in rights.split(",") if isinstance(rights, str) else None


OKX = Quirks(
    lookup=FETCH,
    cancel_id_param="clientOrderId",
    # Requests older than 30 s are refused with 50102 (OKX's API guide, REST authentication).
    request_window_ms=30_000,
    codes=meaning("key_refused", "50105", "50110", "50111", "50113", "50114", "50100")
    | meaning("duplicate_order_id", "51016", "51011")
    | meaning("rate_limited", "50011", "50061")
    | meaning("clock_skew", "50102", "50112")
    | meaning("timeout", "50004")
    | meaning("order_not_found", "51400", "51401", "51402", "51503", "51509", "51510", "51603")
    | meaning("reduce_only_refused", "51205", "51169"),
    # The last two hours of cancelled orders only: an older one is found by its trades.
    trade_page=100,
    hedge=HEDGE_UNIFIED,
    edits=frozenset({"spot", "swap"}),
    # 10 to 120 s (OKX's API guide, cancel all after).
    countdown=Countdown(frozenset({"spot", "swap"})),
    key_question=KeyQuestion("privateGetAccountConfig", _may_withdraw),
    identity_question=IdentityQuestion("privateGetAccountConfig", ("data", 0, "uid")),
    pro_streams=PRIVATE_STREAMS,
    spot_options={"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
    swap_options={"defaultType": "swap", "fetchMarkets": {"types": ["swap"]}},
    # A market buy would otherwise name what it spends.
    spot_order_params={"tgtCcy": "base_ccy"},
)
