"""What one item of a batch of commands says: read strictly, without a look at any row.

Money and ids may be JSON numbers or text. A field that a command does not know is refused, so that
nothing is left out in silence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from accounts.books import MODES
from common.errors import Invalid
from common.money import InvalidMoney, money
from trading.brackets import as_level
from trading.models import Command

Kind = Command.Kind
MAX_REQUEST_ID = 120
MAX_ID_DIGITS = 18
SYMBOL_LENGTH = 60
SIDES = {"buy": "buy", "long": "buy", "sell": "sell", "short": "sell"}
ORDER_TYPES = ("market", "limit", "stop_loss", "take_profit")
TIMES_IN_FORCE = ("gtc", "ioc", "fok")
# Words that mean more to the guards are the platform's own.
REASONS = ("api", "strategy", "webhook")


@dataclass(frozen=True, slots=True)
class Item:
    """One command as asked for; ``request_id`` is empty where the caller gave none."""

    kind: str
    account_id: int
    request_id: str = ""
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a value must be: as JSON schema, and the way to it, which raises ValueError."""

    schema: dict[str, Any]
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Field:
    """How a field of a payload is read; ``names`` are what it may be called, ours first."""

    names: tuple[str, ...]
    kind: _Kind
    required: bool = False
    default: Any = None


def _whole(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value) if len(value) <= MAX_ID_DIGITS else None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**MAX_ID_DIGITS:
        raise ValueError("must be a whole number, 0 or more")
    return value


def _amount(value: Any) -> Decimal:
    try:
        number = money(value)
    except InvalidMoney as error:
        raise ValueError(str(error)) from error
    if number <= 0:
        raise ValueError("must be above 0")
    return number


def _level(value: Any) -> str:
    try:
        return as_level(value)
    except InvalidMoney as error:
        raise ValueError(str(error)) from error


def _text(longest: int) -> _Kind:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value.strip()) <= longest:
            raise ValueError(f"must be a text of 1 to {longest} characters")
        return value.strip()

    return _Kind({"type": "string", "minLength": 1, "maxLength": longest}, read)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _word(words: Sequence[str] | Mapping[str, str]) -> _Kind:
    def read(value: Any) -> str:
        text = value.lower() if isinstance(value, str) else ""
        if text not in words:
            raise ValueError("must be one of " + ", ".join(words))
        return words[text] if isinstance(words, Mapping) else text

    return _Kind({"type": "string", "enum": list(words)}, read)


_NUMBER = _Kind({"type": "integer", "minimum": 0}, _whole)
_MONEY = _Kind({"type": ["string", "number"], "description": "Above 0; text is exact."}, _amount)
_LEVEL = _Kind(
    {"type": ["string", "number"], "description": "A price, or a distance from it as in 2%."},
    _level,
)
_TRUTH = _Kind({"type": "boolean"}, _truth)


def _optional(name: str, kind: _Kind, default: Any = None, *aliases: str) -> _Field:
    return _Field((name, *aliases), kind, default=default)


def _required(name: str, kind: _Kind, *aliases: str) -> _Field:
    return _Field((name, *aliases), kind, required=True)


_PRICES = (_optional("price", _MONEY), _optional("stop_price", _MONEY))
_PROTECTION = (
    _optional("stop_loss", _LEVEL, ""),
    _optional("take_profit", _LEVEL, ""),
    _optional("trailing_stop", _LEVEL, ""),
)
_OWNER = (_optional("magic_id", _NUMBER, 0), _optional("reason", _word(REASONS), "api"))

FIELDS: dict[str, tuple[_Field, ...]] = {
    Kind.SEND_ORDER: (
        _required("symbol", _text(SYMBOL_LENGTH)),
        _required("side", _word(SIDES)),
        _required("order_type", _word(ORDER_TYPES), "type"),
        _required("qty", _MONEY, "amount"),
        *_PRICES,
        *_PROTECTION,
        *_OWNER,
        _optional("position_id", _NUMBER, 0),
        _optional("reduce_only", _TRUTH, False),
        _optional("post_only", _TRUTH, False),
        _optional("time_in_force", _word(TIMES_IN_FORCE), "gtc"),
        _optional("leverage", _NUMBER, 0),
        _optional("mode", _word(MODES), ""),
        _optional("allow_downgrade", _TRUTH, False),
    ),
    Kind.CANCEL_ORDER: (_required("order_id", _NUMBER),),
    Kind.CHANGE_ORDER: (
        _required("order_id", _NUMBER),
        _optional("new_price", _MONEY),
        _optional("new_qty", _MONEY),
    ),
    Kind.CLOSE_BY: (
        _required("position_id_a", _NUMBER, "position_id"),
        _required("position_id_b", _NUMBER),
        _optional("qty", _MONEY, None, "amount"),
    ),
    Kind.CLOSE_POSITION: (
        _required("position_id", _NUMBER),
        _optional("qty", _MONEY, None, "amount"),
        _optional("order_type", _word(("market", "limit")), "market", "type"),
        _optional("price", _MONEY),
        *_OWNER,
    ),
}


def given_request_id(given: Any) -> str:
    """The request id of an item that cannot be read, so that its error can be told apart; empty
    where that is none either.
    """
    text = given.get("request_id") if isinstance(given, dict) else None
    return text.strip() if isinstance(text, str) and len(text.strip()) <= MAX_REQUEST_ID else ""


def read_item(given: Any, *, account_id: int | None = None) -> Item:
    """The item behind a JSON value; raises Invalid with its faults by field.

    ``account_id`` is the only account the items may be about, and theirs where they name none.
    """
    if not isinstance(given, dict):
        raise Invalid("A command must be a JSON object.")
    kind = given.get("command")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise Invalid(
            "There is no such command.", fields={"command": "must be one of " + ", ".join(FIELDS)}
        )
    faults: dict[str, str] = {}
    head = (
        _Field(("account_id",), _NUMBER, required=account_id is None, default=account_id),
        _optional("request_id", _text(MAX_REQUEST_ID), ""),
    )
    values = _read({**given, "command": None, "payload": None}, head, faults)
    payload = given.get("payload", {})
    if isinstance(payload, dict):
        values["payload"] = _read(payload, FIELDS[kind], faults, "payload.")
    else:
        faults["payload"] = "must be an object"
    if account_id not in (None, values.get("account_id")):
        faults.setdefault("account_id", "is not the account of this connection")
    if faults:
        raise Invalid("The command is not acceptable.", fields=faults)
    return Item(kind=kind, **values)


def _read(
    given: Mapping[str, Any], fields: Sequence[_Field], faults: dict[str, str], prefix: str = ""
) -> dict[str, Any]:
    """The values of the fields by our names; what is wrong is added to ``faults``."""
    values: dict[str, Any] = {}
    left = {name: value for name, value in given.items() if value is not None}
    for each in fields:
        found = [left.pop(name) for name in each.names if name in left]
        name = each.names[0]
        if len(found) > 1:
            faults[prefix + name] = "is given twice"
        elif not found and each.required:
            faults[prefix + name] = "is required"
        elif not found:
            values[name] = each.default
        else:
            try:
                values[name] = each.kind.read(found[0])
            except ValueError as error:
                faults[prefix + name] = str(error)
    faults.update({f"{prefix}{name}": "is not a field of this command" for name in left})
    return values


def item_schema() -> dict[str, Any]:
    """An item as JSON schema, for the API pages."""
    return {"oneOf": [_command_schema(kind, fields) for kind, fields in FIELDS.items()]}


def _command_schema(kind: str, fields: Sequence[_Field]) -> dict[str, Any]:
    payload = {
        "type": "object",
        "properties": {each.names[0]: each.kind.schema for each in fields},
        "required": [each.names[0] for each in fields if each.required],
        "additionalProperties": False,
    }
    return {
        "title": kind,
        "type": "object",
        "properties": {
            "account_id": _NUMBER.schema,
            "command": {"type": "string", "enum": [str(kind)]},
            "request_id": _text(MAX_REQUEST_ID).schema,
            "payload": payload,
        },
        "required": ["account_id", "command", "payload"],
    }
