"""Input fields of all dialects. Unknown fields are refused, so nothing can be set by accident."""

from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Account
from common.money import InvalidMoney, money
from surfaces.lookups import lookup_of
from trading.brackets import as_level

SIDES = {"buy": "buy", "long": "buy", "sell": "sell", "short": "sell"}


class StrictInput(serializers.Serializer):
    """A serializer that refuses fields it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        if unknown:
            raise serializers.ValidationError(
                {name: ["is not a field of this request"] for name in sorted(unknown)[:20]}
            )
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.DECIMAL)
class AmountField(serializers.Field):
    """A finite decimal number, as JSON number or text; at most 18 digits on each side."""

    def to_internal_value(self, data: Any) -> Decimal:
        """The exact value; raises ValidationError."""
        try:
            return money(data)
        except InvalidMoney as error:
            raise serializers.ValidationError(str(error)) from error

    def to_representation(self, value: Decimal) -> str:
        """Never used: these fields are read only from callers."""
        return str(value)


@extend_schema_field(OpenApiTypes.STR)
class IdField(serializers.Field):
    """A number or uuid, as JSON number or text; becomes the text a look-up understands."""

    def to_internal_value(self, data: Any) -> str:
        """The id as text; raises ValidationError for what cannot be one."""
        if isinstance(data, bool) or not isinstance(data, (int, str)):
            raise serializers.ValidationError("must be an id")
        text = str(data).strip()
        if lookup_of(text, Account) is None:
            raise serializers.ValidationError("must be an id")
        return text

    def to_representation(self, value: Any) -> str:
        """Ids are text in 001."""
        return str(value)


class ListedIdField(IdField):
    """An id in a list that is answered item by item: what cannot be one is an id not found."""

    def to_internal_value(self, data: Any) -> str:
        """The text as it came, at most 64 characters of it; raises ValidationError for no text."""
        if isinstance(data, bool) or not isinstance(data, (int, str)):
            raise serializers.ValidationError("must be an id")
        return str(data).strip()[:64]


class TextField(serializers.CharField):
    """Text and nothing else; a number is not taken for its digits."""

    def to_internal_value(self, data: Any) -> str:
        """The text; raises ValidationError."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class SideField(TextField):
    """buy, sell, long or short in any case; becomes buy or sell."""

    def to_internal_value(self, data: Any) -> str:
        """The order side; raises ValidationError."""
        text = super().to_internal_value(data).lower()
        if text not in SIDES:
            raise serializers.ValidationError("must be buy, sell, long or short")
        return SIDES[text]


class LowerChoiceField(serializers.ChoiceField):
    """A choice in any case."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data.lower() if isinstance(data, str) else data)


class UpperChoiceField(serializers.ChoiceField):
    """A choice in any case, stored upper."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data.upper() if isinstance(data, str) else data)


class NoStrategyField(TextField):
    """A strategy's id. None can be made here yet, so that any names one that is not there."""

    def to_internal_value(self, data: Any) -> str:
        """Always refuses; null and no field at all pass."""
        raise serializers.ValidationError("there is no such strategy")


@extend_schema_field(OpenApiTypes.STR)
class LevelField(serializers.Field):
    """A price, or a percentage of the fill price as in ``3%``; 0 and empty text mean none."""

    def to_internal_value(self, data: Any) -> str:
        """The text the ledger keeps, empty for none; raises ValidationError."""
        try:
            return as_level(data)
        except InvalidMoney as error:
            raise serializers.ValidationError(str(error)) from error

    def to_representation(self, value: str) -> str:
        """Never used: this field is read only from callers."""
        return value
