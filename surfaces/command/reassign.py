"""``/position/reassign``: another owner, or another position, for deals and orders."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from surfaces.command.dialect import CommandView, account_of
from surfaces.fields import IdField, StrictInput, TextField
from surfaces.policy import Policy
from trading.services.reassigning import MAX_IDS, Wish, reassign

GREATEST = 10**18 - 1


class _Ids(serializers.ListField):
    """Row numbers."""

    child = serializers.IntegerField(min_value=1, max_value=GREATEST)


class ReassignInput(StrictInput):
    """``deal_ids``, and ``order_ids`` with all of their deals; ``override`` needs a ``reason``."""

    account_id = IdField()
    deal_ids = _Ids(required=False, default=(), max_length=MAX_IDS)
    order_ids = _Ids(required=False, default=(), max_length=MAX_IDS)
    target_magic_id = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=GREATEST
    )
    target_position_id = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=GREATEST
    )
    override = serializers.BooleanField(required=False, default=False)
    reason = TextField(required=False, default="", max_length=200, allow_blank=True)
    preview = serializers.BooleanField(required=False, default=False)


class ReassignView(CommandView):
    """Reassign deals and orders."""

    policy = Policy.ACCOUNT_TRADE
    inputs = {"POST": ReassignInput}

    def post(self, request: Request) -> Response:
        """How many rows changed and each position before and after; with ``preview`` what would.

        403 without the right to trade on the account; 409 for what cannot be moved.
        """
        asked = self.input()
        named = asked.pop("account_id")
        account = account_of(self.principal, int(named) if named.isdecimal() else 0)
        preview = asked.pop("preview")
        wish = Wish(
            deal_ids=asked["deal_ids"],
            order_ids=asked["order_ids"],
            magic_id=asked["target_magic_id"],
            position_id=asked["target_position_id"],
            override=asked["override"],
            reason=asked["reason"],
        )
        done = reassign(principal=self.principal, account=account, wish=wish, preview=preview)
        return Response(
            {
                "ok": True,
                "preview": preview,
                "deals_updated": done.deals,
                "orders_updated": done.orders,
                "positions": done.positions,
            }
        )
