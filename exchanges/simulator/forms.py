"""Reading the bodies of the operator's routes."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from exchanges.simulator.engine import Engine


async def body(request: web.Request) -> dict[str, Any]:
    """The JSON object sent, empty without a body. Raises 400."""
    try:
        sent = json.loads(await request.text() or "{}")
    except ValueError as error:
        raise bad("the body is not JSON") from error
    if not isinstance(sent, dict):
        raise bad("the body is not an object")
    return sent


def account_name(engine: Engine, sent: dict[str, Any]) -> str:
    """The known account that ``api_key`` names. Raises 400."""
    name = str(sent.get("api_key"))
    if name not in engine.keys:
        raise bad("unknown api_key")
    return name


def amounts(values: Any) -> dict[str, Decimal] | None:
    """Amounts by currency, or ``None`` when absent. Raises 400."""
    if values is None:
        return None
    if not isinstance(values, dict):
        raise bad("balances is an object of amounts by currency")
    return {str(currency): amount(value) for currency, value in values.items()}


def amount(value: Any) -> Decimal:
    """A finite number not below zero. Raises 400."""
    number = signed(value)
    if number < 0:
        raise bad("not an amount")
    return number


def signed(value: Any) -> Decimal:
    """A finite number. Raises 400."""
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise bad("not a number") from error
    if not number.is_finite():
        raise bad("not an amount")
    return number


def bad(message: str) -> web.HTTPBadRequest:
    """A 400 that says why."""
    return web.HTTPBadRequest(text=json.dumps({"error": message}), content_type="application/json")
