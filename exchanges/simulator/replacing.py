"""Cancel-replace: one request that ends an order and places another."""

from typing import Any

from exchanges.matching import Refusal
from exchanges.simulator import errors, trading
from exchanges.simulator.engine import Engine
from exchanges.simulator.requests import Ask

STOP_ON_FAILURE, ALLOW_FAILURE = "STOP_ON_FAILURE", "ALLOW_FAILURE"
SUCCESS, FAILURE, NOT_ATTEMPTED = "SUCCESS", "FAILURE", "NOT_ATTEMPTED"


def replace(engine: Engine, ask: Ask) -> Any:
    """``POST /api/v3/order/cancelReplace``.

    What the filters forbid is refused before anything happens. Raises ``ApiError`` -2022 when
    neither half was done and -2021 (HTTP 409) when one was; ``data`` tells both halves.
    """
    mode = ask.text("cancelReplaceMode")
    if mode not in (STOP_ON_FAILURE, ALLOW_FAILURE):
        raise errors.ApiError(-1102, "Invalid cancelReplaceMode.")
    engine.core.check_filters(trading.read_ticket(engine, ask))
    canceled, cancel_answer = _cancel(engine, ask)
    if canceled or mode == ALLOW_FAILURE:
        placed, new_answer = _place(engine, ask)
        outcome = SUCCESS if placed else FAILURE
    else:
        placed, new_answer, outcome = False, None, NOT_ATTEMPTED
    data = {
        "cancelResult": SUCCESS if canceled else FAILURE,
        "newOrderResult": outcome,
        "cancelResponse": cancel_answer,
        "newOrderResponse": new_answer,
    }
    if canceled and placed:
        return data
    if canceled or placed:
        raise errors.ApiError(
            -2021, "Order cancel-replace partially failed.", status=409, data=data
        )
    raise errors.ApiError(-2022, "Order cancel-replace failed.", data=data)


def _cancel(engine: Engine, ask: Ask) -> tuple[bool, Any]:
    names = {"cancelOrderId": "orderId", "cancelOrigClientOrderId": "origClientOrderId"}
    target = {new: ask.params[old] for old, new in names.items() if old in ask.params}
    old = Ask({"symbol": ask.text("symbol"), **target}, ask.now_ms, ask.clock_ms, key=ask.key)
    try:
        return True, trading.cancel(engine, old)
    except errors.ApiError as error:
        return False, error.body()


def _place(engine: Engine, ask: Ask) -> tuple[bool, Any]:
    """Place the new order; a refusal stands in the log even if the cancel went through."""
    try:
        return True, trading.place(engine, ask)
    except Refusal as refusal:
        error = errors.from_refusal(refusal)
        engine.complete(ask.entry, "refused", code=error.code)
        return False, error.body()
