"""A body for every writing route, made from the serializer that the route declares."""

from typing import Any

from rest_framework import serializers

from surfaces.fields import AmountField, IdField, SideField

WORDS = {
    "email": "nobody@example.org",
    "username": "nobody",
    "symbol": "BTC/USDT",
    "order_type": "market",
    "exchange": "rehearsal",
    "venue": "rehearsal",
    "name": "a-new-name",
    "password": "another long password",
    "new_password": "another long password",
    "old_password": "not the right password",
}
LONG_TEXT = "text-of-24-characters-ok"
_BY_KIND: tuple[tuple[type[serializers.Field], Any], ...] = (
    (AmountField, 1),
    (SideField, "buy"),
    (serializers.BooleanField, False),
    (serializers.IntegerField, 1),
    (serializers.DictField, {}),
    (serializers.JSONField, {}),
    (serializers.DateTimeField, "2031-01-01T00:00:00Z"),
    (serializers.EmailField, "nobody@example.org"),
)


def input_of(view: Any, method: str) -> type[serializers.Serializer] | None:
    """The serializer of a routed view's method, None where it takes no body."""
    owner = getattr(view, "cls", None)
    found: type[serializers.Serializer] | None = getattr(owner, "inputs", {}).get(method)
    return found


def body_for(serializer: type[serializers.Serializer] | None, ids: dict[str, Any]) -> Any:
    """What the serializer takes, required fields and ids; ids by the field's name."""
    if serializer is None:
        return {}
    fields = serializer().fields
    wanted = [name for name, each in fields.items() if each.required or id_field(each)]
    # Where nothing is required, something mostly is.
    return {name: value_for(name, fields[name], ids) for name in wanted or list(fields)[:1]}


def id_field(each: serializers.Field) -> bool:
    """Whether a field names a row, or several."""
    return isinstance(getattr(each, "child", each), IdField)


def value_for(name: str, each: serializers.Field, ids: dict[str, Any]) -> Any:
    """One acceptable value of a field."""
    if isinstance(each, serializers.ListField):
        singular = name.removesuffix("s").removesuffix("_id")
        return [value_for(f"{singular}_id", each.child, ids)]
    if isinstance(each, IdField):
        return ids.get(name, ids["account_id"])
    if isinstance(each, serializers.ChoiceField):
        return next(iter(each.choices))
    for kind, value in _BY_KIND:
        if isinstance(each, kind):
            return value
    return WORDS.get(name, LONG_TEXT)
