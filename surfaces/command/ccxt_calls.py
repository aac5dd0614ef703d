"""``/ccxt/{account_id}/{func}`` and ``/ccxt/multiple_commands``: ccxt's functions by name."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import DomainError, Invalid
from common.principal import Principal
from exchanges.passthrough import Answer
from surfaces.command.dialect import CommandView, account_of
from surfaces.fields import StrictInput, TextField
from surfaces.policy import Policy
from trading.services.passthrough import call_ccxt

MAX_CALLS = 20
GREATEST = 10**18 - 1


class CallInput(StrictInput):
    """Arguments in ccxt's order, or by name."""

    args = serializers.ListField(required=False, default=(), max_length=10)
    kwargs = serializers.DictField(required=False, default=dict)


class NamedCallInput(CallInput):
    """One of several calls."""

    account_id = serializers.IntegerField(min_value=1, max_value=GREATEST)
    func = TextField(max_length=100)


class CallView(CommandView):
    """One function of ccxt with the account's credentials; orders become commands, which ask for
    the right to trade.
    """

    policy = Policy.AUTHENTICATED
    inputs = {"POST": CallInput}

    def post(self, request: Request, account_id: str, func: str) -> Response:
        """The function's answer; 404 for one that is not on the list, and nothing is called.

        Candles of a timeframe that the exchange lacks are resampled: ``resampled_from`` says from
        which, ``is_forming`` that the last may still change.
        """
        number = int(account_id) if len(account_id) <= 18 else 0
        answer = call_ccxt(
            principal=self.principal,
            account=account_of(self.principal, number),
            name=func,
            **self.input(),
        )
        return Response({"ok": True, "result": answer.result, **answer.notes})


class CallsView(CommandView):
    """Several functions of ccxt, one after the other."""

    policy = Policy.AUTHENTICATED
    bodies = {"POST": NamedCallInput(many=True)}

    def post(self, request: Request) -> Response:
        """A result for each, in their order; 422 for more than 20."""
        given = request.data if isinstance(request.data, list) else [request.data]
        if len(given) > MAX_CALLS:
            raise Invalid(f"At most {MAX_CALLS} calls.", code="bad_batch_size")
        results = [_done(self.principal, index, each) for index, each in enumerate(given)]
        return Response({"results": results})


def answer_to(principal: Principal, given: Any) -> Answer:
    """What one call with its account and function named answers; raises DomainError."""
    form = NamedCallInput(data=given)
    if not form.is_valid():
        raise Invalid(
            "The call is not acceptable.", fields=dict.fromkeys(form.errors, "is not acceptable")
        )
    asked = dict(form.validated_data)
    account = account_of(principal, asked.pop("account_id"))
    return call_ccxt(principal=principal, account=account, name=asked.pop("func"), **asked)


def _done(principal: Principal, index: int, given: Any) -> dict[str, Any]:
    """What one of several calls answers, or its error."""
    try:
        answer = answer_to(principal, given)
    except DomainError as error:
        told = {"code": error.code, "message": error.message}
        if error.fields:
            told["fields"] = error.fields
        return {"index": index, "ok": False, "result": None, "error": told}
    return {"index": index, "ok": True, "result": answer.result, "error": None, **answer.notes}
