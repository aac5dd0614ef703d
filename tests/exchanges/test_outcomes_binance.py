"""Binance's answers, spot and USD-M, as unmodified ccxt raises them, and what they prove."""

from typing import Any

import pytest

from tests.exchanges.outcome_rows import REFUSED, SWAP, UNKNOWN, Row, check, row


def spot(status: int, code: int, msg: str, *expected: str, **fields: Any) -> Row:
    return row("binance", status, {"code": code, "msg": msg}, *expected, **fields)


def usdm(status: int, code: int, msg: str, *expected: str, **fields: Any) -> Row:
    body = {"code": code, "msg": msg}
    return row("binanceusdm", status, body, *expected, symbol=SWAP, **fields)


BALANCE = "Account has insufficient balance for requested action."
ROWS = [
    # What proves nothing, whatever it looks like.
    row("binance", 200, "{", "-", UNKNOWN, "no_id"),
    row("binance", 200, "<html>ok</html>", "-", UNKNOWN, "no_id"),
    row("binance", 200, "", "-", UNKNOWN, "no_id"),
    row("binance", 200, {"symbol": "BTCUSDT"}, "-", UNKNOWN, "no_id"),
    row("binance", 502, "bad gateway", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    row("binance", 503, "<html>", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    row("binance", 504, "", "RequestTimeout", UNKNOWN, "timeout"),
    row("binance", 404, "<html>", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    row("binance", 403, "<html>WAF", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    row("binance", 451, "", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    row("binance", 409, "", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable"),
    spot(503, -1007, "Timeout waiting for backend", "RequestTimeout", UNKNOWN, "timeout"),
    spot(400, -1007, "Timeout waiting", "RequestTimeout", UNKNOWN, "unclear_answer"),
    spot(500, -1000, "An unknown error occured", "OperationFailed", UNKNOWN, "unclear_answer"),
    spot(503, -1006, "Execution status unknown", "OperationFailed", UNKNOWN, "unclear_answer"),
    spot(503, -1001, "Internal error", "OperationFailed", UNKNOWN, "unclear_answer"),
    spot(503, -1008, "Overloaded", "OperationFailed", UNKNOWN, "unclear_answer"),
    spot(400, -1001, "Internal error", "OperationFailed", UNKNOWN, "unclear_answer"),
    spot(400, -9999, "A code of next year", "ExchangeError", UNKNOWN, "unclear_answer"),
    spot(500, -2015, "Invalid API-key", "AuthenticationError", UNKNOWN, "key_refused"),
    # An order of ours exists.
    spot(400, -2010, "Duplicate order sent.", "InvalidOrder", UNKNOWN, "duplicate_order_id"),
    usdm(400, -4116, "ClientOrderId is duplicated.", "InvalidOrder", UNKNOWN, "duplicate_order_id"),
    # Refusals.
    spot(400, -2010, BALANCE, "InsufficientFunds", REFUSED, "insufficient_funds"),
    spot(
        400,
        -2010,
        "Order would immediately match and take.",
        "OrderImmediatelyFillable",
        REFUSED,
        "would_take",
    ),
    spot(400, -2010, "Market is closed.", "MarketClosed", REFUSED, "market_closed"),
    spot(
        400,
        -2010,
        "This symbol is not permitted for this account.",
        "InvalidOrder",
        REFUSED,
        "permission_denied",
    ),
    spot(400, -2010, "Rejected otherwise.", "InvalidOrder", REFUSED, "invalid_order"),
    spot(400, -1013, "Filter failure: NOTIONAL", "BadRequest", REFUSED, "bad_request"),
    spot(400, -1013, "Filter failure: LOT_SIZE", "InvalidOrder", REFUSED, "invalid_order"),
    spot(400, -1013, "Filter failure: PRICE_FILTER", "InvalidOrder", REFUSED, "invalid_order"),
    spot(400, -1111, "Precision is over the maximum", "BadRequest", REFUSED, "bad_request"),
    spot(400, -1121, "Invalid symbol.", "BadSymbol", REFUSED, "unknown_symbol"),
    spot(400, -1102, "Mandatory parameter missing", "BadRequest", REFUSED, "bad_request"),
    spot(400, -1021, "Timestamp outside of recvWindow", "InvalidNonce", REFUSED, "clock_skew"),
    spot(400, -1022, "Signature not valid.", "AuthenticationError", REFUSED, "key_refused"),
    spot(401, -2014, "API-key format invalid.", "AuthenticationError", REFUSED, "key_refused"),
    spot(401, -2015, "Invalid API-key, IP", "AuthenticationError", REFUSED, "key_refused"),
    spot(429, -1003, "Too much request weight", "DDoSProtection", REFUSED, "rate_limited"),
    spot(418, -1003, "Way too many requests", "DDoSProtection", REFUSED, "rate_limited"),
    spot(400, -1015, "Too many new orders", "RateLimitExceeded", REFUSED, "rate_limited"),
    row("binance", 429, "", "DDoSProtection", REFUSED, "rate_limited"),
    usdm(400, -2018, "Balance is insufficient", "InsufficientFunds", REFUSED, "insufficient_funds"),
    usdm(400, -2019, "Margin is insufficient.", "InsufficientFunds", REFUSED, "insufficient_funds"),
    usdm(400, -5022, "Post Only order", "OrderNotFillable", REFUSED, "would_take"),
    usdm(400, -5021, "FOK order rejected", "OrderNotFillable", REFUSED, "invalid_order"),
    usdm(400, -2021, "Would trigger", "OrderImmediatelyFillable", REFUSED, "would_take"),
    usdm(400, -2022, "ReduceOnly rejected.", "InvalidOrder", REFUSED, "reduce_only_refused"),
    usdm(400, -4118, "ReduceOnly failed.", "OperationRejected", REFUSED, "reduce_only_refused"),
    usdm(400, -4061, "Position side", "OperationRejected", REFUSED, "position_side_refused"),
    usdm(400, -2027, "Exceeded the maximum", "OperationRejected", REFUSED, "risk_limit"),
    usdm(400, -4131, "PERCENT_PRICE", "OperationRejected", REFUSED, "invalid_order"),
    usdm(400, -4164, "Notional too small", "InvalidOrder", REFUSED, "invalid_order"),
    usdm(400, -4014, "Price not increased by tick", "BadRequest", REFUSED, "bad_request"),
    usdm(400, -1021, "Timestamp", "InvalidNonce", REFUSED, "clock_skew"),
    usdm(400, -5028, "Outside ME recvWindow", "BadRequest", REFUSED, "clock_skew"),
    usdm(401, -2015, "Invalid API-key", "AuthenticationError", REFUSED, "key_refused"),
    usdm(503, -1007, "Timeout", "RequestTimeout", UNKNOWN, "timeout"),
    usdm(408, -1007, "Timeout", "RequestTimeout", UNKNOWN, "unclear_answer"),
    # Cancels: an unknown order may have been filled.
    spot(400, -2011, "Unknown order", "OrderNotFound", UNKNOWN, "order_not_found", call="cancel"),
    usdm(400, -2011, "Unknown order", "OrderNotFound", UNKNOWN, "order_not_found", call="cancel"),
    spot(400, -1013, "x", "BadRequest", REFUSED, "bad_request", call="cancel"),
    row("binance", 502, "", "ExchangeNotAvailable", UNKNOWN, "exchange_unavailable", call="cancel"),
]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_what_an_answer_proves(case: Row) -> None:
    check(case)
