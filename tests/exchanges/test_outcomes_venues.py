"""Answers of the venues beside Binance, as unmodified ccxt raises them, and what they prove."""

from typing import Any

import pytest

from tests.exchanges.outcome_rows import REFUSED, SWAP, UNKNOWN, Row, check, row


def bybit(code: int, msg: str, *expected: str, status: int = 200, **fields: Any) -> Row:
    body = {"retCode": code, "retMsg": msg, "result": {}, "retExtInfo": {}, "time": 1}
    return row("bybit", status, body, *expected, **fields)


def okx(code: str, msg: str, *expected: str, **fields: Any) -> Row:
    """A refusal of one order within OKX's batch."""
    item = {"clOrdId": "tpid", "ordId": "", "sCode": code, "sMsg": msg, "tag": ""}
    return row("okx", 200, {"code": "1", "data": [item], "msg": ""}, *expected, **fields)


def okx_whole(status: int, code: str, msg: str, *expected: str, **fields: Any) -> Row:
    return row("okx", status, {"code": code, "data": [], "msg": msg}, *expected, **fields)


def kraken(words: str, *expected: str, **fields: Any) -> Row:
    return row("kraken", 200, {"error": [words]}, *expected, **fields)


def coinbase(error: str, *expected: str) -> Row:
    """A refusal in Coinbase's create order answer, which is a 200."""
    reasons = {"new_order_failure_reason": error, "preview_failure_reason": "UNKNOWN_PREVIEW"}
    body = {"success": False, "error_response": {"error": error, "message": "m", **reasons}}
    return row("coinbase", 200, body, *expected)


def kucoin(code: str, msg: str, *expected: str, status: int = 200, **fields: Any) -> Row:
    return row("kucoin", status, {"code": code, "msg": msg}, *expected, **fields)


def gate(status: int, label: str, *expected: str, **fields: Any) -> Row:
    return row("gate", status, {"label": label, "message": "m"}, *expected, **fields)


def bitget(status: int, code: str, msg: str, *expected: str, **fields: Any) -> Row:
    return row("bitget", status, {"code": code, "msg": msg, "data": None}, *expected, **fields)


def hyperliquid(error: str, *expected: str, **fields: Any) -> Row:
    data = {"type": "order", "data": {"statuses": [{"error": error}]}}
    return row("hyperliquid", 200, {"status": "ok", "response": data}, *expected, **fields)


BYBIT = [
    bybit(110072, "OrderLinkedID is duplicate", "InvalidOrder", UNKNOWN, "duplicate_order_id"),
    bybit(170141, "Duplicate clientOrderId", "InvalidOrder", UNKNOWN, "duplicate_order_id"),
    bybit(12141, "Duplicate clientOrderId.", "BadRequest", UNKNOWN, "duplicate_order_id"),
    bybit(10014, "Request is duplicate", "BadRequest", UNKNOWN, "duplicate_order_id"),
    bybit(110030, "Duplicate orderId", "InvalidOrder", UNKNOWN, "duplicate_order_id"),
    bybit(170146, "Order creation timeout", "InvalidOrder", UNKNOWN, "timeout"),
    bybit(170007, "Timeout waiting for response", "RequestTimeout", UNKNOWN, "timeout"),
    bybit(170035, "Submitted to the system", "BadRequest", UNKNOWN, "unclear_answer"),
    bybit(10016, "System error", "ExchangeError", UNKNOWN, "unclear_answer"),
    bybit(999999, "A code of next year", "ExchangeError", UNKNOWN, "unclear_answer"),
    bybit(170131, "Balance insufficient.", "InsufficientFunds", REFUSED, "insufficient_funds"),
    bybit(110007, "ab not enough", "InsufficientFunds", REFUSED, "insufficient_funds"),
    bybit(110017, "Reduce-only rule", "InvalidOrder", REFUSED, "reduce_only_refused", symbol=SWAP),
    bybit(170218, "LIMIT-MAKER rejected", "InvalidOrder", REFUSED, "would_take"),
    bybit(170134, "Order price decimal too long", "InvalidOrder", REFUSED, "invalid_order"),
    bybit(170140, "Below the minimum", "InvalidOrder", REFUSED, "invalid_order"),
    bybit(10002, "Request expired", "InvalidNonce", REFUSED, "clock_skew"),
    bybit(10003, "API key is invalid.", "AuthenticationError", REFUSED, "key_refused"),
    bybit(10004, "Error sign", "AuthenticationError", REFUSED, "key_refused"),
    bybit(10005, "Permission denied", "PermissionDenied", REFUSED, "permission_denied"),
    bybit(10010, "Unmatched IP", "PermissionDenied", REFUSED, "key_refused"),
    bybit(33004, "Api key expired", "AuthenticationError", REFUSED, "key_refused"),
    bybit(10006, "Too many visits!", "RateLimitExceeded", REFUSED, "rate_limited"),
    bybit(170005, "Too many new orders", "InvalidOrder", REFUSED, "rate_limited"),
    bybit(170213, "Not exist", "OrderNotFound", UNKNOWN, "order_not_found", call="cancel"),
    bybit(110008, "Finished", "InvalidOrder", UNKNOWN, "order_not_found", call="cancel"),
    bybit(170142, "Cancelled", "InvalidOrder", UNKNOWN, "order_not_found", call="cancel"),
    row("bybit", 403, "<html>", "RateLimitExceeded", UNKNOWN, "rate_limited"),
    row("bybit", 200, "", "-", UNKNOWN, "no_id"),
]
OKX = [
    okx("51016", "Client order ID already exists.", "InvalidOrder", UNKNOWN, "duplicate_order_id"),
    okx("51011", "Duplicated order ID", "InvalidOrder", UNKNOWN, "duplicate_order_id"),
    okx("51008", "Insufficient balance", "InsufficientFunds", REFUSED, "insufficient_funds"),
    okx("51020", "Below the minimum", "InvalidOrder", REFUSED, "invalid_order"),
    okx("51121", "Not a multiple of the lot", "InvalidOrder", REFUSED, "invalid_order"),
    okx("51001", "Instrument does not exist", "BadSymbol", REFUSED, "unknown_symbol"),
    okx("51205", "Reduce-only", "InvalidOrder", REFUSED, "reduce_only_refused", symbol=SWAP),
    okx("51999", "A code of next year", "ExchangeError", UNKNOWN, "unclear_answer"),
    okx_whole(200, "50004", "Endpoint timeout", "RequestTimeout", UNKNOWN, "timeout"),
    okx_whole(200, "50013", "Busy", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    okx_whole(401, "50111", "Invalid key", "AuthenticationError", REFUSED, "key_refused"),
    okx_whole(401, "50113", "Invalid sign", "AuthenticationError", REFUSED, "key_refused"),
    okx_whole(401, "50105", "Passphrase", "AuthenticationError", REFUSED, "key_refused"),
    okx_whole(401, "50110", "IP", "PermissionDenied", REFUSED, "key_refused"),
    okx_whole(401, "50102", "Timestamp expired", "InvalidNonce", REFUSED, "clock_skew"),
    okx_whole(401, "50112", "Invalid time", "AuthenticationError", REFUSED, "clock_skew"),
    okx_whole(200, "50011", "Too many", "RateLimitExceeded", REFUSED, "rate_limited"),
    okx("50061", "Order rate limit", "ExchangeError", REFUSED, "rate_limited"),
    okx("51400", "Not there", "OrderNotFound", UNKNOWN, "order_not_found", call="cancel"),
    okx("51402", "Completed", "OrderNotFound", UNKNOWN, "order_not_found", call="cancel"),
    okx("51410", "Cancelling", "CancelPending", UNKNOWN, "cancel_pending", call="cancel"),
]
KRAKEN = [
    kraken("EOrder:Insufficient funds", "InsufficientFunds", REFUSED, "insufficient_funds"),
    kraken("EOrder:Insufficient margin", "ExchangeError", REFUSED, "insufficient_funds"),
    kraken("EOrder:Order minimum not met", "InvalidOrder", REFUSED, "invalid_order"),
    kraken("EOrder:Post only order", "ExchangeError", REFUSED, "would_take"),
    kraken("EGeneral:Invalid arguments:volume", "InvalidOrder", REFUSED, "invalid_order"),
    kraken("EQuery:Unknown asset pair", "ExchangeError", UNKNOWN, "unclear_answer"),
    kraken("EAPI:Invalid key", "AuthenticationError", REFUSED, "key_refused"),
    kraken("EAPI:Invalid signature", "ExchangeError", REFUSED, "key_refused"),
    kraken("EGeneral:Permission denied", "PermissionDenied", REFUSED, "permission_denied"),
    kraken("EAPI:Invalid nonce", "InvalidNonce", REFUSED, "clock_skew"),
    kraken("EAPI:Rate limit exceeded", "DDoSProtection", REFUSED, "rate_limited"),
    kraken("EOrder:Rate limit exceeded", "DDoSProtection", REFUSED, "rate_limited"),
    kraken("EService:Unavailable", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    kraken("EService:Busy", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    kraken("EService:Timeout", "ExchangeError", UNKNOWN, "unclear_answer"),
    kraken("EGeneral:Internal error", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    kraken("EService:Market in cancel_only mode", "OnMaintenance", REFUSED, "market_closed"),
    kraken("EOrder:Unknown order", "InvalidOrder", UNKNOWN, "order_not_found", call="cancel"),
    kraken("EOrder:Cancel pending", "CancelPending", UNKNOWN, "cancel_pending", call="cancel"),
    row("kraken", 520, "", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
]
COINBASE = [
    coinbase("INSUFFICIENT_FUND", "ExchangeError", REFUSED, "insufficient_funds"),
    coinbase("INVALID_LIMIT_PRICE_POST_ONLY", "ExchangeError", REFUSED, "would_take"),
    coinbase("INVALID_SIZE_PRECISION", "ExchangeError", REFUSED, "invalid_order"),
    coinbase("UNSUPPORTED_ORDER_CONFIGURATION", "ExchangeError", REFUSED, "invalid_order"),
    coinbase("UNKNOWN_FAILURE_REASON", "ExchangeError", UNKNOWN, "unclear_answer"),
    row("coinbase", 401, "Unauthorized", "AuthenticationError", REFUSED, "key_refused"),
    row(
        "coinbase",
        403,
        {"error": "PERMISSION_DENIED", "error_details": "d"},
        "PermissionDenied",
        REFUSED,
        "permission_denied",
    ),
    row("coinbase", 429, "", "RateLimitExceeded", REFUSED, "rate_limited"),
    row(
        "coinbase",
        200,
        {"results": [{"success": False, "order_id": "77"}]},
        "BadRequest",
        UNKNOWN,
        "order_not_found",
        call="cancel",
    ),
]
KUCOIN = [
    kucoin("126044", "clientOid duplicate", "InvalidOrder", UNKNOWN, "duplicate_order_id"),
    kucoin("126033", "Duplicate order", "InvalidOrder", UNKNOWN, "duplicate_order_id"),
    kucoin("400100", "clientOid already exists", "BadRequest", UNKNOWN, "duplicate_order_id"),
    kucoin("200004", "Balance insufficient!", "InsufficientFunds", REFUSED, "insufficient_funds"),
    kucoin("300003", "No margin", "InsufficientFunds", REFUSED, "insufficient_funds", symbol=SWAP),
    kucoin("400100", "Order size increment invalid.", "InvalidOrder", REFUSED, "invalid_order"),
    kucoin("400001", "Any header missing", "AuthenticationError", REFUSED, "key_refused"),
    kucoin("400005", "Invalid sign", "AuthenticationError", REFUSED, "key_refused", status=401),
    kucoin("400006", "IP not allowed", "AuthenticationError", REFUSED, "key_refused"),
    kucoin("400002", "Invalid time", "InvalidNonce", REFUSED, "clock_skew"),
    kucoin("429000", "Too many", "RateLimitExceeded", REFUSED, "rate_limited"),
    kucoin("408000", "Network timeout", "BadRequest", UNKNOWN, "timeout"),
    kucoin("500000", "Error", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    kucoin("330012", "One-Way", "InvalidOrder", REFUSED, "position_side_refused", symbol=SWAP),
    kucoin("999999", "A code of next year", "ExchangeError", UNKNOWN, "unclear_answer"),
    kucoin("126043", "None", "OrderNotFound", UNKNOWN, "order_not_found", call="cancel"),
    kucoin("100004", "State", "BadRequest", UNKNOWN, "order_not_found", call="cancel"),
]
GATE = [
    gate(400, "REPEATED_CREATION", "InvalidOrder", UNKNOWN, "duplicate_order_id"),
    gate(400, "BALANCE_NOT_ENOUGH", "InsufficientFunds", REFUSED, "insufficient_funds"),
    gate(400, "POC_FILL_IMMEDIATELY", "OrderImmediatelyFillable", REFUSED, "would_take"),
    gate(400, "INVALID_PRECISION", "InvalidOrder", REFUSED, "invalid_order"),
    gate(400, "INVALID_CURRENCY_PAIR", "BadSymbol", REFUSED, "unknown_symbol"),
    gate(400, "POSITION_EMPTY", "InvalidOrder", REFUSED, "reduce_only_refused", symbol=SWAP),
    gate(401, "INVALID_KEY", "AuthenticationError", REFUSED, "key_refused"),
    gate(401, "INVALID_SIGNATURE", "AuthenticationError", REFUSED, "key_refused"),
    gate(403, "REQUEST_EXPIRED", "AuthenticationError", REFUSED, "clock_skew"),
    gate(429, "TOO_MANY_REQUESTS", "RateLimitExceeded", REFUSED, "rate_limited"),
    gate(500, "SERVER_ERROR", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    gate(400, "TOO_BUSY", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    gate(400, "NEXT_YEARS_LABEL", "ExchangeError", UNKNOWN, "unclear_answer"),
    gate(404, "ORDER_NOT_FOUND", "OrderNotFound", UNKNOWN, "order_not_found", call="cancel"),
    gate(400, "ORDER_CLOSED", "InvalidOrder", UNKNOWN, "order_not_found", call="cancel"),
]
BITGET = [
    bitget(400, "40786", "Duplicate clientOid", "ExchangeError", UNKNOWN, "duplicate_order_id"),
    bitget(400, "25212", "Duplicate clientOid", "ExchangeError", UNKNOWN, "duplicate_order_id"),
    bitget(400, "43012", "Balance", "InsufficientFunds", REFUSED, "insufficient_funds"),
    bitget(400, "25202", "Balance", "ExchangeError", REFUSED, "insufficient_funds"),
    bitget(400, "45110", "less than 5 USDT", "InvalidOrder", REFUSED, "invalid_order"),
    bitget(400, "40010", "Request timed out", "AuthenticationError", UNKNOWN, "timeout"),
    bitget(400, "40015", "System abnormal", "ExchangeError", UNKNOWN, "unclear_answer"),
    bitget(400, "40009", "Sign error", "AuthenticationError", REFUSED, "key_refused"),
    bitget(400, "40018", "Invalid IP", "PermissionDenied", REFUSED, "key_refused"),
    bitget(400, "40014", "Permissions", "PermissionDenied", REFUSED, "permission_denied"),
    bitget(400, "40008", "Expired", "InvalidNonce", REFUSED, "clock_skew"),
    bitget(429, "429", "Too many", "DDoSProtection", REFUSED, "rate_limited"),
    bitget(400, "40774", "Unilateral", "InvalidOrder", REFUSED, "position_side_refused"),
    bitget(400, "22002", "No position", "ExchangeError", REFUSED, "reduce_only_refused"),
    bitget(400, "43001", "None", "OrderNotFound", UNKNOWN, "order_not_found", call="cancel"),
    bitget(400, "22001", "None", "ExchangeError", UNKNOWN, "order_not_found", call="cancel"),
]
HYPERLIQUID = [
    hyperliquid(
        "Insufficient margin to place order.", "InsufficientFunds", REFUSED, "insufficient_funds"
    ),
    hyperliquid(
        "Post only order would have immediately matched, bbo was 1@2",
        "InvalidOrder",
        REFUSED,
        "would_take",
    ),
    hyperliquid(
        "Reduce only order would increase position.", "InvalidOrder", REFUSED, "reduce_only_refused"
    ),
    hyperliquid("Order has invalid size.", "InvalidOrder", REFUSED, "invalid_order"),
    hyperliquid("Price must be divisible by tick size.", "InvalidOrder", REFUSED, "invalid_order"),
    hyperliquid("Duplicate cloid", "ExchangeError", UNKNOWN, "unclear_answer"),
    hyperliquid("Words of next year", "ExchangeError", UNKNOWN, "unclear_answer"),
    row(
        "hyperliquid",
        200,
        {"status": "err", "response": "User or API Wallet 0x1 does not exist."},
        "InvalidOrder",
        REFUSED,
        "key_refused",
    ),
    row("hyperliquid", 429, "", "RateLimitExceeded", REFUSED, "rate_limited"),
    hyperliquid(
        "Order was never placed, already canceled, or filled. asset=0",
        "OrderNotFound",
        UNKNOWN,
        "order_not_found",
        call="cancel",
    ),
]
ROWS = [*BYBIT, *OKX, *KRAKEN, *COINBASE, *KUCOIN, *GATE, *BITGET, *HYPERLIQUID]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_what_an_answer_proves(case: Row) -> None:
    check(case)
