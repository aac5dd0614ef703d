"""Coinbase Advanced Trade."""

from uuid import UUID

from .shape import AS_LIMIT, SCAN, Quirks, meaning


def _dashed(uid: UUID) -> str:
    return str(uid)


COINBASE = Quirks(
    encode_client_id=_dashed,
    # ccxt throws clientOrderId away and sends an id of its own; the venue's name goes through.
    client_id_param="client_order_id",
    # Fetch and cancel take the venue's id alone.
    lookup=SCAN,
    # ccxt answers an error_response with a bare ExchangeError, but it says success: false. The
    # names are those of NewOrderFailureReason and PreviewFailureReason (Coinbase's API reference).
    codes=meaning("insufficient_funds", "INSUFFICIENT_FUND", "INSUFFICIENT_FUNDS")
    | meaning("insufficient_funds", "PREVIEW_INSUFFICIENT_FUND", "INVALID_LEDGER_BALANCE")
    | meaning("would_take", "INVALID_LIMIT_PRICE_POST_ONLY")
    | meaning("would_take", "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY")
    | meaning("unknown_symbol", "INVALID_PRODUCT_ID", "INELIGIBLE_PAIR")
    | meaning("invalid_order", "INVALID_SIZE_PRECISION", "INVALID_PRICE_PRECISION")
    | meaning("invalid_order", "INVALID_LIMIT_PRICE", "INVALID_SIDE", "INVALID_NO_LIQUIDITY")
    | meaning("invalid_order", "UNSUPPORTED_ORDER_CONFIGURATION", "ORDER_ENTRY_DISABLED")
    | meaning("permission_denied", "PERMISSION_DENIED")
    | meaning("clock_skew", "request timestamp expired"),
    # ccxt raises this itself for a cancel that the venue did not carry out, without a reason.
    texts=meaning("order_not_found", "cancelOrders() has failed")
    | meaning("clock_skew", "request timestamp expired"),
    trade_page=100,
    spot_market_buys=AS_LIMIT,
    edits=frozenset({"spot"}),
    triggers=frozenset({"spot"}),
    pro_streams=frozenset({"orders"}),
)
