"""Binance spot and USD-M futures."""

from typing import Any

from .shape import (
    DAY_MS,
    FETCH,
    HEDGE_UNIFIED,
    PRIVATE_STREAMS,
    Countdown,
    IdentityQuestion,
    KeyQuestion,
    Quirks,
    meaning,
)

RECV_WINDOW_MS = 5_000

# The tables of binance.py's exceptions; by spot's errors.md the texts of -2010 are exact.
_CODES = (
    meaning("key_refused", "-2014", "-2015", "-1022", "-1002")
    | meaning("rate_limited", "-1003", "-1015")
    | meaning("clock_skew", "-1021", "-5028")
    | meaning("duplicate_order_id", "-4116", "-4111")
    | meaning("order_not_found", "-2011", "-2013")
    | meaning("unclear_answer", "-1000", "-1001", "-1006", "-1007", "-1008", "-2021", "-2022")
)
# The last one ccxt means to read as PermissionDenied, but spells it "for self account".
_TEXTS = meaning(
    "duplicate_order_id", "Duplicate order sent", "ClientOrderId is duplicated"
) | meaning("permission_denied", "is not permitted for this account")
# From Binance's own documents of user data streams, not from ccxt.
_FORCED = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
_OPTIONS = {"recvWindow": RECV_WINDOW_MS, "warnOnFetchOpenOrdersWithoutSymbol": False}
_STREAM: dict[str, Any] = {
    "stream": "trades",
    "stream_whole_orders": True,
    # A listen key lives 60 minutes and ccxt 4.5.90 renews it once, after 20.
    "derivative_stream_seconds": 3_000,
    "stream_dials_per_second": 0.8,
    "stream_options": {
        "watchPositions": {"fetchPositionsSnapshot": False},
        "watchBalance": {"fetchBalanceSnapshot": False},
    },
}


def _countdown(market_id: str, milliseconds: int) -> tuple[str, tuple[Any, ...]]:
    """``POST /fapi/v1/countdownCancelAll``, which ccxt has no unified method for."""
    params = {"symbol": market_id, "countdownTime": milliseconds}
    return "fapiPrivatePostCountdownCancelAll", (params,)


def _may_withdraw(told: Any) -> bool | None:
    right = told.get("enableWithdrawals") if isinstance(told, dict) else None
    return right if isinstance(right, bool) else None


_KEY = KeyQuestion("sapiGetAccountApiRestrictions", _may_withdraw)
# Binance's API guide, account information; the futures' own account answers name nobody.
_IDENTITY = IdentityQuestion("privateGetAccount", ("uid",))

BINANCE = Quirks(
    lookup=FETCH,
    cancel_id_param="clientOrderId",
    request_window_ms=RECV_WINDOW_MS,
    codes=_CODES,
    texts=_TEXTS,
    trade_window_ms=DAY_MS,
    trade_page=1000,
    trade_right="canTrade",
    key_question=_KEY,
    identity_question=_IDENTITY,
    newest_trades=True,
    triggers=frozenset({"spot"}),
    forced_order_ids=_FORCED,
    pro_streams=PRIVATE_STREAMS,
    requests_per_second=100,
    burst=2_000,
    options=_OPTIONS,
    spot_options={
        "defaultType": "spot",
        "fetchCurrencies": False,
        "fetchMargins": False,
        "fetchMarkets": {"types": ["spot"]},
    },
    **_STREAM,
)

# -2021 and -2022 are a failed cancel-and-replace on spot; here they refuse one order.
BINANCE_USDM = Quirks(
    lookup=FETCH,
    cancel_id_param="clientOrderId",
    request_window_ms=RECV_WINDOW_MS,
    codes=_CODES
    | meaning("would_take", "-2021", "-5022")
    | meaning("reduce_only_refused", "-2022", "-4118")
    | meaning("position_side_refused", "-4061")
    | meaning("invalid_order", "-4131", "-5021")
    | meaning("risk_limit", "-2027", "-2028"),
    texts=_TEXTS,
    # userTrades without times goes back seven days only, so a start is always named.
    trade_window_ms=7 * DAY_MS,
    trade_page=1000,
    hedge=HEDGE_UNIFIED,
    edits=frozenset({"swap"}),
    key_question=_KEY,
    identity_question=_IDENTITY,
    countdown=Countdown(frozenset({"swap"}), per_symbol=True, weight=10, call=_countdown),
    forced_order_ids=_FORCED,
    pro_streams=PRIVATE_STREAMS,
    # 2400 weight a minute, 1 for an order, 5 for a list of trades.
    requests_per_second=40,
    burst=400,
    options=_OPTIONS,
    swap_options={
        "defaultType": "swap",
        "defaultSubType": "linear",
        "fetchCurrencies": False,
        "fetchMargins": False,
        "fetchMarkets": {"types": ["linear"]},
    },
    **_STREAM,
)
