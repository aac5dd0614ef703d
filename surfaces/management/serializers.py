"""What 001's callers may send. Unknown fields are refused, so nothing can be set by accident."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.models import Account
from bots.models import Bot, PreviousSecret
from bots.services import ACCOUNT_SCOPE, SCOPES
from bots.services.door import MAX_SUBJECT_LENGTH, MOST_ADDRESSES
from bots.services.secrets import DEFAULT_GRACE_SECONDS
from surfaces.fields import (
    AmountField,
    IdField,
    LevelField,
    ListedIdField,
    LowerChoiceField,
    SideField,
    StrictInput,
    TextField,
    UpperChoiceField,
)

MAX_IDS = 500
GREATEST_ID = 10**18 - 1
ORDER_TYPES = ("market", "limit")
MAX_DEVICE_FIELDS = 10


class LoginInput(StrictInput):
    """Credentials; the name may be a user name or an e-mail address in either field."""

    username = TextField(required=False, max_length=254)
    email = TextField(required=False, max_length=254)
    password = TextField(trim_whitespace=False, max_length=1024)
    device_info = serializers.DictField(
        child=serializers.CharField(max_length=300, allow_blank=True, allow_null=True),
        required=False,
        allow_null=True,
    )
    mfa_token = TextField(required=False, allow_blank=True, allow_null=True, max_length=64)

    def validate_device_info(self, value: dict[str, Any] | None) -> dict[str, Any]:
        """What the client claims about itself: kept as a label, never believed."""
        if value and len(value) > MAX_DEVICE_FIELDS:
            raise serializers.ValidationError(f"at most {MAX_DEVICE_FIELDS} fields")
        return value or {}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not (attrs.get("username") or attrs.get("email")):
            raise serializers.ValidationError({"username": ["is required"]})
        return attrs


class RefreshInput(StrictInput):
    """The refresh token, where the caller sends it in the body."""

    refresh_token = TextField(required=False, max_length=4096)


class ResetRequestInput(StrictInput):
    """Whose password was forgotten."""

    email = TextField(max_length=254)


class ResetInput(StrictInput):
    """A reset token, under either specification's name, and the new password."""

    token = TextField(required=False, max_length=200)
    reset_token = TextField(required=False, max_length=200)
    new_password = TextField(trim_whitespace=False, max_length=1024)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not (attrs.get("token") or attrs.get("reset_token")):
            raise serializers.ValidationError({"token": ["is required"]})
        return attrs


class FactorCodeInput(StrictInput):
    """A code of the second factor."""

    code = TextField(max_length=64)


class DisableFactorInput(FactorCodeInput):
    """What taking the second factor away asks for."""

    password = TextField(trim_whitespace=False, max_length=1024)


class CreateBotInput(StrictInput):
    """A new bot; 001 sends these as query parameters."""

    name = TextField(max_length=60)
    base_name = TextField(max_length=60, required=False, allow_blank=True, default="")
    timeframe = serializers.ChoiceField(choices=Bot.Timeframe.values, required=False, default="1h")
    account_ids = serializers.ListField(child=IdField(), required=False, max_length=MAX_IDS)
    group_ids = serializers.ListField(child=IdField(), required=False, max_length=MAX_IDS)
    with_hmac = serializers.BooleanField(required=False, default=True)
    with_token = serializers.BooleanField(required=False, default=True)
    body_secret = TextField(required=False, default="", max_length=200, trim_whitespace=False)
    max_leverage = serializers.IntegerField(required=False, default=1, min_value=1)
    certificate_subject = TextField(
        max_length=MAX_SUBJECT_LENGTH, required=False, allow_blank=True, default=""
    )
    allowed_addresses = serializers.ListField(
        child=TextField(max_length=60), required=False, max_length=MOST_ADDRESSES
    )


class DoorInput(StrictInput):
    """Whose certificate a bot accepts and from where its alerts may come."""

    certificate_subject = TextField(max_length=MAX_SUBJECT_LENGTH, allow_blank=True)
    allowed_addresses = serializers.ListField(
        child=TextField(max_length=60), allow_empty=True, max_length=MOST_ADDRESSES
    )


class RetireSecretInput(StrictInput):
    """A kind of secret of a bot."""

    kind = LowerChoiceField(choices=PreviousSecret.Kind.values)


class RenewSecretInput(RetireSecretInput):
    """A new secret of a bot; a body secret may be chosen. The service knows the bounds."""

    body_secret = TextField(required=False, default="", max_length=200, trim_whitespace=False)
    grace_seconds = serializers.IntegerField(
        required=False, default=DEFAULT_GRACE_SECONDS, min_value=0
    )


class BotStatusInput(StrictInput):
    """A bot's new status."""

    status = UpperChoiceField(choices=Bot.Status.values)


class TerminateBotInput(StrictInput):
    """Whose orders and positions are ended, or only told."""

    scope = LowerChoiceField(choices=SCOPES, required=False, default=ACCOUNT_SCOPE)
    preview = serializers.BooleanField(required=False, default=False)


class AccountIdInput(StrictInput):
    """One account."""

    account_id = IdField()


class CreateAccountInput(StrictInput):
    """A new account; hosts, addresses and proxies are no fields of it."""

    exchange = TextField(max_length=60)
    api_key = TextField(max_length=4096)
    api_secret = TextField(max_length=4096)
    passphrase = TextField(
        max_length=4096, required=False, allow_blank=True, allow_null=True, trim_whitespace=False
    )
    initial_balance = AmountField(required=False, allow_null=True)
    is_testnet = serializers.BooleanField(required=False, default=False)
    name = TextField(max_length=80, required=False, allow_blank=True, default="")
    mode = LowerChoiceField(choices=("paper", "shadow", "live"), required=False, default="paper")
    position_mode = LowerChoiceField(
        choices=Account.PositionMode.values, required=False, default="netting"
    )
    market_type = LowerChoiceField(
        choices=Account.MarketType.values, required=False, default="spot"
    )
    max_leverage = serializers.IntegerField(required=False, default=1, min_value=1)
    shared = serializers.BooleanField(required=False, default=False)
    verify = serializers.BooleanField(required=False, default=True)


class CredentialsInput(StrictInput):
    """New credentials of an account."""

    api_key = TextField(max_length=4096)
    api_secret = TextField(max_length=4096)
    passphrase = TextField(
        max_length=4096, required=False, allow_blank=True, allow_null=True, trim_whitespace=False
    )


class DeleteAccountInput(StrictInput):
    """Whether an account goes though positions are open or orders live there."""

    force = serializers.BooleanField(required=False, default=False)


class DeadManInput(StrictInput):
    """A countdown in seconds; 0 switches it off. The service knows the bounds."""

    seconds = serializers.IntegerField(min_value=0, max_value=32_767)


class GroupIdInput(StrictInput):
    """One group."""

    group_id = IdField()


class GroupSettingsInput(StrictInput):
    """What may be changed of a group; percentages."""

    description = TextField(required=False, allow_blank=True, max_length=2000)
    accounts = serializers.ListField(child=IdField(), required=False, max_length=MAX_IDS)
    max_drawdown = AmountField(required=False)
    target_monthly_roi = AmountField(required=False)
    risk_limit = AmountField(required=False)


class CreateGroupInput(GroupSettingsInput):
    """A new group."""

    name = TextField(max_length=60)


class ResetGuardInput(StrictInput):
    """Why a group may trade again, and which of its guards is reset where several are latched."""

    reason = TextField(max_length=300)
    guard_id = serializers.IntegerField(required=False, min_value=1, max_value=GREATEST_ID)


class AccountIdsInput(StrictInput):
    """Several accounts."""

    account_ids = serializers.ListField(child=ListedIdField(), max_length=MAX_IDS)


class ExecuteInput(StrictInput):
    """An order for every account of a group."""

    symbol = TextField(max_length=60)
    side = SideField()
    order_type = LowerChoiceField(choices=ORDER_TYPES)
    risk_percentage = AmountField()
    leverage = AmountField(required=False, default=Decimal(0))
    take_profit = LevelField(required=False)
    stagger_seconds = serializers.IntegerField(required=False, default=0, min_value=0)
    max_slippage = AmountField(required=False)
    min_success = serializers.IntegerField(required=False, min_value=1)
    abort_on_first_reject = serializers.BooleanField(required=False, default=False)

    def validate_risk_percentage(self, value: Decimal) -> Decimal:
        """More than nothing, at most everything."""
        if not 0 < value <= 100:
            raise serializers.ValidationError("must be above 0 and at most 100 percent")
        return value

    def validate_leverage(self, value: Decimal) -> int:
        """A whole factor; 0 leaves the leverage as it is."""
        if value != value.to_integral_value() or not 0 <= value <= 125:
            raise serializers.ValidationError("must be a whole number from 0 to 125")
        return int(value)


class CloseInput(StrictInput):
    """Which position to close, and how."""

    symbol = TextField(max_length=60)
    order_type = LowerChoiceField(choices=ORDER_TYPES, required=False, default="market")
