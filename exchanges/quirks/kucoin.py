"""KuCoin."""

from .shape import DAY_MS, FETCH, HEDGE_UNIFIED, PRIVATE_STREAMS, IdentityQuestion, Quirks, meaning

KUCOIN = Quirks(
    lookup=FETCH,
    # {"code": "200000", "data": null}
    absent_is_empty=True,
    cancel_id_param="clientOrderId",
    # Requests more than 5 s off the server's clock are refused (KuCoin's API guide, timestamps).
    request_window_ms=5_000,
    codes=meaning("duplicate_order_id", "126044", "126033")
    | meaning("key_refused", "400001", "400003", "400004", "400005", "400006", "400007", "411100")
    | meaning("clock_skew", "400002")
    | meaning("rate_limited", "429000", "429")
    | meaning("timeout", "408000")
    | meaning("order_not_found", "100001", "100004", "126043")
    | meaning("risk_limit", "126042", "126011")
    | meaning("position_side_refused", "330012")
    | meaning("reduce_only_refused", "300009"),
    texts=meaning("duplicate_order_id", "clientOid already", "clientOid duplicate"),
    trade_window_ms=7 * DAY_MS,
    hedge=HEDGE_UNIFIED,
    whole_contracts=True,
    # KuCoin's API guide, Get API Key info.
    identity_question=IdentityQuestion("privateGetUserApiKey", ("data", "uid")),
    pro_streams=PRIVATE_STREAMS,
    # The signed partner headers that credit ccxt with the trade.
    options={"partner": None},
)
