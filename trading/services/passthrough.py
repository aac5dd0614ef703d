"""ccxt's functions by name, for one account: reading ones as they are, orders as commands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accounts.models import Account
from common.errors import Conflict, DomainError, Invalid, NotFound, Unavailable
from common.principal import Principal
from exchanges.gateway import gateway
from exchanges.outcomes import REFUSED, VenueError
from exchanges.passthrough import Answer, allowed_call, call_function, named_arguments

from .command_batch import ItemResult, run_batch
from .venue_access import account_ref, demand_address

PATIENCE_SECONDS = 15.0
# What is wrong with a reading call itself, also where ccxt says so before anything is sent; asking
# again is of no use.
_OF_THE_CALL = frozenset({"bad_request", "unknown_symbol", "not_supported"})
_ORDER_PARAMS = {
    "timeInForce": "time_in_force",
    "postOnly": "post_only",
    "reduceOnly": "reduce_only",
}
_CREATE = ("symbol", "type", "side", "amount", "price", "params")
_EDIT = ("id", "symbol", "type", "side", "amount", "price", "params")


def call_ccxt(
    *,
    principal: Principal,
    account: Account,
    name: str,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Answer:
    """What a function on the list answers. ``create_order``, ``edit_order`` and
    ``cancel_order`` become commands, known by our order numbers, under every guard.

    The account is one the principal sees. Raises NotFound ``function_not_found`` before anything
    is called and ``order_not_found``, Conflict ``account_disabled``, Invalid
    (``venue_address_changed`` where credentials would go to an address that nobody confirmed),
    Unavailable, and what the commands raise.
    """
    as_command = _COMMANDS.get(name)
    if as_command is not None:
        return Answer(_command(principal, account, as_command(args, kwargs or {})))
    call = allowed_call(name, args, kwargs or {})
    if account.status == Account.Status.DISABLED:
        raise Conflict("The account is disabled.", code="account_disabled")
    if call.function.is_private:
        demand_address(account)
    try:
        return gateway().run(call_function(account_ref(account), call), timeout=PATIENCE_SECONDS)
    except VenueError as error:
        raise _fault(error) from error


def _fault(error: VenueError) -> DomainError:
    if error.code == "order_not_found":
        return NotFound("The exchange knows no such order.", code=error.code)
    if error.outcome == REFUSED or error.code in _OF_THE_CALL:
        return Invalid("The exchange refuses the call.", code=error.code)
    return Unavailable("The exchange did not answer the call.", code=error.code)


def _command(principal: Principal, account: Account, item: dict[str, Any]) -> dict[str, Any]:
    (result,) = run_batch(
        principal=principal, items=[{**item, "account_id": account.pk}], account_id=account.pk
    )
    if not result.ok:
        raise _refusal(result)
    return {
        "id": str(result.order_id),
        "status": "open",
        "info": {"command_id": result.command_id, "request_id": result.request_id},
    }


def _refusal(result: ItemResult) -> DomainError:
    return Invalid(
        result.message or "The command was refused.",
        code=result.code,
        fields=result.fields,
        details=result.details,
    )


def _created(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    given = named_arguments(_CREATE, args, kwargs)
    payload = {"order_type": given.pop("type", None), "qty": given.pop("amount", None)}
    return {
        "command": "send_order",
        "payload": {**payload, **_params_of(given), **given},
    }


def _edited(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    given = named_arguments(_EDIT, args, kwargs)
    payload = {"order_id": given.get("id"), "new_qty": given.get("amount")}
    if given.get("params"):
        raise Invalid("An edit takes no params.", fields={"kwargs.params": "must be empty"})
    return {"command": "change_order", "payload": {**payload, "new_price": given.get("price")}}


def _cancelled(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    given = named_arguments(("id", "symbol", "params"), args, kwargs)
    if given.get("params"):
        raise Invalid("A cancel takes no params.", fields={"kwargs.params": "must be empty"})
    return {"command": "cancel_order", "payload": {"order_id": given.get("id")}}


def _params_of(given: dict[str, Any]) -> dict[str, Any]:
    params = given.pop("params", {})
    if not isinstance(params, dict) or set(params) - _ORDER_PARAMS.keys():
        allowed = ", ".join(sorted(_ORDER_PARAMS))
        raise Invalid("Params may not be given.", fields={"kwargs.params": f"only {allowed}"})
    return {_ORDER_PARAMS[name]: value for name, value in params.items()}


_COMMANDS: dict[str, Callable[[Sequence[Any], Mapping[str, Any]], dict[str, Any]]] = {
    "create_order": _created,
    "createOrder": _created,
    "edit_order": _edited,
    "editOrder": _edited,
    "cancel_order": _cancelled,
    "cancelOrder": _cancelled,
}
