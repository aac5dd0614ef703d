"""What 004's callers may send."""

from rest_framework import serializers

from surfaces.fields import (
    AmountField,
    IdField,
    LevelField,
    LowerChoiceField,
    NoStrategyField,
    SideField,
    StrictInput,
    TextField,
)
from trading.models.orders import OrderType
from trading.services.command_items import TIMES_IN_FORCE


class NewOrderInput(StrictInput):
    """A new order; ``account_id``, ``post_only``, ``reduce_only`` and the protection of what it
    opens are ours.
    """

    symbol = TextField(max_length=60)
    exchange = TextField(max_length=60)
    side = SideField()
    type = LowerChoiceField(choices=OrderType.values)
    quantity = AmountField()
    price = AmountField(required=False, allow_null=True)
    stop_price = AmountField(required=False, allow_null=True)
    time_in_force = LowerChoiceField(choices=TIMES_IN_FORCE, required=False, default="gtc")
    strategy_id = NoStrategyField(required=False, allow_null=True)
    account_id = IdField(required=False, allow_null=True)
    post_only = serializers.BooleanField(required=False, default=False)
    reduce_only = serializers.BooleanField(required=False, default=False)
    stop_loss = LevelField(required=False, default="")
    take_profit = LevelField(required=False, default="")
    trailing_stop = LevelField(required=False, default="")
