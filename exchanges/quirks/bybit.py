"""Bybit, unified account."""

from typing import Any

from .shape import (
    DAY_MS,
    FETCH,
    HEDGE_UNIFIED,
    PRIVATE_STREAMS,
    IdentityQuestion,
    KeyQuestion,
    Quirks,
    meaning,
)

RECV_WINDOW_MS = 5_000


def _may_withdraw(told: Any) -> bool | None:
    """A key's rights stand in lists by what they are about; this one under ``Wallet``."""
    result = told.get("result") if isinstance(told, dict) else None
    rights = result.get("permissions") if isinstance(result, dict) else None
    return "Withdraw" in (rights.get("Wallet") or ()) if isinstance(rights, dict) else None


BYBIT = Quirks(
    lookup=FETCH,
    fetch_id_param="orderLinkId",
    # Without the word ccxt refuses to fetch one order: the list reaches back 500 orders only.
    fetch_params={"acknowledged": True},
    cancel_id_param="orderLinkId",
    request_window_ms=RECV_WINDOW_MS,
    codes=meaning("key_refused", "10003", "10004", "10007", "10010", "33004", "-2015")
    | meaning("duplicate_order_id", "110072", "170141", "12141", "10014", "110030", "140030")
    | meaning("rate_limited", "10006", "10018", "170005", "170222", "30035")
    | meaning("clock_skew", "10002", "-1021")
    | meaning("timeout", "170007", "170146", "170147", "5004")
    | meaning("unclear_answer", "170035", "170149", "170032", "10016", "170001", "170234")
    | meaning("order_not_found", "110001", "110008", "110010", "170213", "170139", "170142")
    | meaning("order_not_found", "170143", "20001", "140001")
    | meaning("reduce_only_refused", "110017", "30063", "140017")
    | meaning("would_take", "170218")
    | meaning("unchanged", "110043", "140043", "34036"),
    trade_window_ms=7 * DAY_MS,
    trade_page=100,
    hedge=HEDGE_UNIFIED,
    edits=frozenset({"spot", "swap"}),
    # On spot they are another kind of order, behind a filter of their own.
    triggers=frozenset({"swap"}),
    key_question=KeyQuestion("privateGetV5UserQueryApi", _may_withdraw),
    identity_question=IdentityQuestion("privateGetV5UserQueryApi", ("result", "userID")),
    pro_streams=PRIVATE_STREAMS,
    requests_per_second=50,
    burst=500,
    # ccxt's name on every POST.
    unsent_headers=frozenset({"Referer"}),
    options={"recvWindow": RECV_WINDOW_MS},
    spot_options={
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
        "fetchCurrencies": False,
    },
    swap_options={
        "defaultType": "swap",
        "fetchMarkets": {"types": ["linear"]},
        "fetchCurrencies": False,
    },
)
