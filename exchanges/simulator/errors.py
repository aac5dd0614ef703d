"""Binance's error answers: codes, texts and HTTP statuses."""

from exchanges.matching import Refusal


class ApiError(Exception):
    """An error answer; ``status`` is the HTTP status, ``headers`` go with it."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int = 400,
        headers: dict[str, str] | None = None,
        data: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers or {}
        self.data = data

    def body(self) -> dict[str, object]:
        """The JSON body; ``data`` goes with it where there is some."""
        plain: dict[str, object] = {"code": self.code, "msg": self.message}
        return plain if self.data is None else {**plain, "data": self.data}


REFUSALS: dict[str, tuple[int, str]] = {
    "insufficient_funds": (-2010, "Account has insufficient balance for requested action."),
    "duplicate_client_id": (-2010, "Duplicate order sent."),
    "would_match": (-2010, "Order would immediately match and take."),
    "would_trigger": (-2010, "Stop price would trigger immediately."),
    "lot_size": (-1013, "Filter failure: LOT_SIZE"),
    "price_filter": (-1013, "Filter failure: PRICE_FILTER"),
    "notional": (-1013, "Filter failure: NOTIONAL"),
    "unknown_symbol": (-1121, "Invalid symbol."),
    "bad_side": (-1117, "Invalid side."),
    "bad_type": (-1116, "Invalid orderType."),
    "bad_time_in_force": (-1115, "Invalid timeInForce."),
    "missing_price": (-1102, "Mandatory parameter 'price' was not sent."),
    "missing_stop_price": (-1102, "Mandatory parameter 'stopPrice' was not sent."),
    "unknown_order": (-2013, "Order does not exist."),
}


# What the kinds ``refuse_*`` answer.
FAULT_REFUSALS: dict[str, tuple[int, str]] = {
    "refuse_precision": (-1111, "Parameter 'quantity' has too much precision."),
    "refuse_notional": (-1013, "Filter failure: NOTIONAL"),
    "refuse_max_quantity": (-1013, "Filter failure: LOT_SIZE"),
    "refuse_balance": REFUSALS["insufficient_funds"],
    "refuse_post_only": REFUSALS["would_match"],
    "refuse_reduce_only": (-2010, "This action is disabled on this account."),
}


# The answers of USD-M futures, where they differ or spot knows no such refusal.
FUTURES_REFUSALS: dict[str, tuple[int, str]] = {
    **REFUSALS,
    "insufficient_margin": (-2019, "Margin is insufficient."),
    "max_position": (-2027, "Exceeded the maximum allowable position at current leverage."),
    "duplicate_client_id": (-4116, "ClientOrderId is duplicated."),
    "would_match": (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    "would_trigger": (-2021, "Order would immediately trigger."),
    "lot_size": (-1111, "Precision is over the maximum defined for this asset."),
    "price_filter": (-4014, "Price not increased by tick size."),
    "notional": (
        -4164,
        "Order's notional must be no smaller than 5 (unless you choose reduce only).",
    ),
    "reduce_only": (-2022, "ReduceOnly Order is rejected."),
    "reduce_only_in_hedge": (-1106, "Parameter 'reduceonly' sent when not required."),
    "position_side": (-4061, "Order's position side does not match user's setting."),
    "not_amendable": (-5026, "This order cannot be amended so."),
    "no_change": (-5027, "No need to modify the order."),
    "leverage": (-4028, "Leverage is not valid"),
    "margin_mode_same": (-4046, "No need to change margin type."),
    "margin_mode_orders": (-4047, "Margin type cannot be changed if there exists open orders."),
    "margin_mode_position": (-4048, "Margin type cannot be changed if there exists position."),
    "hedge_mode_same": (-4059, "No need to change position side."),
    "hedge_mode_orders": (-4067, "Position side cannot be changed if there exists open orders."),
    "hedge_mode_position": (-4068, "Position side cannot be changed if there exists position."),
}
FUTURES_FAULT_REFUSALS: dict[str, tuple[int, str]] = {
    "refuse_precision": FUTURES_REFUSALS["lot_size"],
    "refuse_notional": FUTURES_REFUSALS["notional"],
    "refuse_max_quantity": (-4005, "Quantity greater than max quantity."),
    "refuse_balance": FUTURES_REFUSALS["insufficient_margin"],
    "refuse_post_only": FUTURES_REFUSALS["would_match"],
    "refuse_reduce_only": FUTURES_REFUSALS["reduce_only"],
}


def from_refusal(refusal: Refusal, *, futures: bool = False) -> ApiError:
    """The answer for a refusal of the matching core."""
    code, message = (FUTURES_REFUSALS if futures else REFUSALS)[refusal.code]
    return ApiError(code, message)


def fault_refusal(kind: str, *, futures: bool) -> ApiError:
    """The answer of a fault ``refuse_*``."""
    return ApiError(*(FUTURES_FAULT_REFUSALS if futures else FAULT_REFUSALS)[kind])


def missing(name: str) -> ApiError:
    """A mandatory parameter is absent or empty."""
    return ApiError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def unknown_key() -> ApiError:
    """The key is not known, or may not do this."""
    return ApiError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def malformed_key() -> ApiError:
    """The key is absent or cannot be one."""
    return ApiError(-2014, "API-key format invalid.", status=401)


def bad_signature() -> ApiError:
    """The signature does not belong to the request."""
    return ApiError(-1022, "Signature for this request is not valid.")


def outside_window() -> ApiError:
    """The timestamp is too old or in the future."""
    return ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def too_many(retry_after: int, *, banned: bool) -> ApiError:
    """Rate limited (429), or banned for going on (418); ``retry_after`` in seconds."""
    text = "Way too much request weight used; IP banned." if banned else "Too many requests."
    return ApiError(
        -1003,
        text,
        status=418 if banned else 429,
        headers={"Retry-After": str(retry_after)},
    )
