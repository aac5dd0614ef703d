"""``/position/commands``: one command, or up to a hundred."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import Invalid
from common.principal import Principal
from surfaces.command.dialect import CommandView, shown_result
from surfaces.limits import Bucket, admit_caller
from surfaces.policy import Policy
from trading.services.command_batch import MAX_ITEMS, run_batch
from trading.services.command_items import item_schema

SAFE = frozenset({"cancel_order", "close_by", "close_position"})
TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class CommandsView(CommandView):
    """A batch of commands, or a lone one; what makes things safer counts apart from the rest.

    Whether the caller may trade is asked for each item, by its account.
    """

    policy = Policy.AUTHENTICATED
    bucket = Bucket.SAFETY
    query = {"POST": {"atomic": "true: all are executed or none."}}
    bodies = {
        "POST": {
            "oneOf": [
                item_schema(),
                {"type": "array", "items": item_schema(), "minItems": 1, "maxItems": MAX_ITEMS},
            ]
        }
    }

    def post(self, request: Request) -> Response:
        """200 with a result for each, in their order, whatever became of them.

        With ``?atomic=true`` all are executed or none. 422 for other than 1 to 100 commands.
        """
        self.known_query()
        return Response(done(self.principal, request.data, atomic=_is_atomic(request)))


def done(
    principal: Principal, given: Any, *, account_id: int | None = None, atomic: bool = False
) -> dict[str, Any]:
    """Do what a body asks for, a lone command or a list, and show the results.

    ``account_id`` is the only account it may be about. Raises TooMany where entries are over the
    limit of calls, and what ``run_batch`` raises.
    """
    items = given if isinstance(given, list) else [given]
    if not _only_safe(items):
        admit_caller(principal, Bucket.CALLS)
    results = run_batch(principal=principal, items=items, account_id=account_id, atomic=atomic)
    return {"results": [shown_result(result) for result in results]}


def _only_safe(items: Sequence[Any]) -> bool:
    """Whether the commands only cancel and close."""
    words = [item.get("command") if isinstance(item, dict) else None for item in items]
    return all(isinstance(word, str) and word in SAFE for word in words)


def _is_atomic(request: Request) -> bool:
    text = request.query_params.get("atomic", "false").lower()
    if text not in TRUTHS:
        raise Invalid("Not a truth value.", fields={"atomic": "must be true or false"})
    return TRUTHS[text]
