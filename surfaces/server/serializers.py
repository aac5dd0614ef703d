"""What 003's callers may send. Unknown fields are refused, so nothing can be set by accident."""

from typing import Any

from rest_framework import serializers

from accounts.books import MODES
from common.principal import ADMIN, TRADER, VIEWER
from surfaces.fields import (
    AmountField,
    IdField,
    LowerChoiceField,
    NoStrategyField,
    SideField,
    StrictInput,
    TextField,
)
from trading.models.orders import OrderType
from trading.services.command_items import TIMES_IN_FORCE
from users.permissions import SCOPES

ROLES = (ADMIN, TRADER, VIEWER)
MAX_ACCOUNTS = 500
# 003's words beside the platform's own: what it calls a stop closes or opens at a trigger.
ORDER_TYPES = {
    **{word: word for word in OrderType.values},
    "stop": "stop_loss",
    "stop_limit": "stop_loss",
}
# A venue of crypto never closes, so an order for the day is one until it is cancelled.
LIVES = {**{word: word for word in TIMES_IN_FORCE}, "day": "gtc"}


class PasswordField(TextField):
    """A password: blanks count, and it is never shown."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=1024, write_only=True, **options)


class ServerLoginInput(StrictInput):
    """Credentials; the name may be an e-mail address or a user name in either field."""

    email = TextField(required=False, max_length=254)
    username = TextField(required=False, max_length=254)
    password = PasswordField()
    mfa_token = TextField(required=False, allow_blank=True, max_length=64)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two names is needed."""
        if not (attrs.get("email") or attrs.get("username")):
            raise serializers.ValidationError({"email": ["is required"]})
        return attrs


class ServerRefreshInput(StrictInput):
    """The refresh token to use up."""

    refresh_token = TextField(max_length=4096)


class ServerResetInput(StrictInput):
    """A one-time token, under 003's or 001's name, and the new password."""

    reset_token = TextField(required=False, max_length=200)
    token = TextField(required=False, max_length=200)
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two tokens is needed."""
        if not (attrs.get("reset_token") or attrs.get("token")):
            raise serializers.ValidationError({"reset_token": ["is required"]})
        return attrs


class ChangePasswordInput(StrictInput):
    """The password as it is and as it shall be."""

    old_password = PasswordField()
    new_password = PasswordField()


class RevokeInput(StrictInput):
    """One session by its refresh token, or all of a user's; nothing said means the own one."""

    refresh_token = TextField(required=False, max_length=4096)
    revoke_all = serializers.BooleanField(required=False, default=False)
    user_id = IdField(required=False)


class NewKeyInput(StrictInput):
    """A key to mint; without limits it has all that its role may but ``users``."""

    label = TextField(max_length=80)
    role = LowerChoiceField(choices=ROLES)
    user_id = IdField(required=False)
    scopes = serializers.ListField(
        child=LowerChoiceField(choices=SCOPES), required=False, allow_empty=False, max_length=20
    )
    account_ids = serializers.ListField(
        child=IdField(), required=False, allow_empty=False, max_length=MAX_ACCOUNTS
    )
    expires_at = serializers.DateTimeField(required=False)


class RevokeKeyInput(StrictInput):
    """Why a key is revoked."""

    reason = TextField(required=False, allow_blank=True, max_length=200)


class NewOrganisationInput(StrictInput):
    """A tenant."""

    name = TextField(max_length=80)
    base_currency = TextField(required=False, max_length=10)


class NewUserInput(StrictInput):
    """A person; without a user name the e-mail address is one. ``org_id`` is for superusers."""

    email = serializers.EmailField(max_length=254)
    username = TextField(required=False, max_length=80)
    role = LowerChoiceField(choices=ROLES)
    password = PasswordField()
    must_reset_password = serializers.BooleanField(required=False, default=True)
    org_id = IdField(required=False)


class ChangeUserInput(StrictInput):
    """Another role, or let in or out."""

    role = LowerChoiceField(choices=ROLES, required=False)
    active = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Something has to be said."""
        if not attrs:
            raise serializers.ValidationError({"role": ["role or active is required"]})
        return attrs


class ServerOrderInput(StrictInput):
    """A new order; ``account_id``, ``allow_downgrade``, ``post_only``, ``reduce_only`` are ours."""

    venue = TextField(max_length=60)
    symbol = TextField(max_length=60)
    side = SideField()
    order_type = LowerChoiceField(choices=tuple(ORDER_TYPES))
    quantity = AmountField()
    limit_price = AmountField(required=False, allow_null=True)
    stop_price = AmountField(required=False, allow_null=True)
    mode = LowerChoiceField(choices=MODES, required=False, allow_null=True)
    allow_downgrade = serializers.BooleanField(required=False, default=False)
    time_in_force = LowerChoiceField(choices=tuple(LIVES), required=False, default="day")
    strategy_id = NoStrategyField(required=False, allow_null=True)
    asset_class = LowerChoiceField(choices=("crypto",), required=False, allow_null=True)
    quote_currency = TextField(required=False, allow_null=True, max_length=30)
    account_id = IdField(required=False, allow_null=True)
    post_only = serializers.BooleanField(required=False, default=False)
    reduce_only = serializers.BooleanField(required=False, default=False)

    def validate_order_type(self, value: str) -> str:
        """The platform's word."""
        return ORDER_TYPES[value]

    def validate_time_in_force(self, value: str) -> str:
        """The platform's word."""
        return LIVES[value]
