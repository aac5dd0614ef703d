"""Exact money: one Decimal type inside, one canonical text, one model field for both databases.

NUMERIC(36,18) on PostgreSQL. SQLite has no exact number type, so the field stores the canonical
text there (no exponent, no superfluous zeros, ``0`` in one form); with that text a comparison
against ``0`` means the same as the numeric one, which is all that constraints use. Sums go through
:class:`ExactSum`.

Importing this module raises the precision of decimal arithmetic from 28 to ``PRECISION`` digits for
the whole process, so that plain ``+ - *`` and ``sum`` on money lose nothing: the product of two
stored numbers has 72 digits at most. Every thread and every context that does its first decimal
arithmetic afterwards starts from this default.
"""

import re
import sqlite3
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DefaultContext,
    InvalidOperation,
    getcontext,
)
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.signals import connection_created
from django.db.models import Aggregate
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual

ZERO = Decimal(0)
SCALE = 18
MAX_INTEGER_DIGITS = 18
QUANTUM = Decimal(1).scaleb(-SCALE)
PRECISION = 80
EXACT = Context(prec=PRECISION)
DefaultContext.prec = PRECISION
getcontext().prec = PRECISION

_PLAIN_NUMBER = re.compile(
    r"[+-]?(\d{1,40}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,2})?\Z", re.ASCII
)


class InvalidMoney(ValueError):
    """Not a finite decimal number within 18 digits before and 18 after the point."""


def canonical(value: Decimal) -> Decimal:
    """The same number without superfluous zeros or exponent; minus zero becomes zero."""
    if not value:
        return ZERO
    stripped = value.normalize(EXACT)
    # Quicker than to ask for the exponent: a normalised text has an E+ where that is positive.
    if "E+" not in str(stripped):
        return stripped
    return stripped.quantize(Decimal(1), context=EXACT)


def _exponent(number: Decimal) -> int:
    """The exponent of a finite number."""
    return int(number.as_tuple().exponent)


def plain(value: Decimal) -> str:
    """The canonical text of a number, without exponent."""
    return f"{canonical(value):f}"


def money(value: Any) -> Decimal:
    """An exact, storable Decimal from a string, an int or a Decimal.

    Raises InvalidMoney for floats (they are not exact), NaN, infinities, localised text, more than
    18 digits before or after the point. Never rounds.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise InvalidMoney("not a decimal number")
    if isinstance(value, str) and not _PLAIN_NUMBER.match(value.strip()):
        raise InvalidMoney("not a decimal number")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise InvalidMoney("not a decimal number") from error
    return _within_bounds(number)


def _within_bounds(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise InvalidMoney("not a finite number")
    if number and number.adjusted() >= MAX_INTEGER_DIGITS:
        raise InvalidMoney(f"more than {MAX_INTEGER_DIGITS} digits before the point")
    number = canonical(number)
    if -_exponent(number) > SCALE:
        raise InvalidMoney(f"more than {SCALE} digits after the point")
    return number


def rounded(value: Decimal) -> Decimal:
    """A computed number (an average, a product) brought to 18 places, half to even."""
    return canonical(value.quantize(QUANTUM, rounding=ROUND_HALF_EVEN, context=EXACT))


def divided(numerator: Decimal, denominator: Decimal) -> Decimal:
    """A quotient at 18 places, half to even; the denominator must not be zero."""
    return rounded(EXACT.divide(numerator, denominator))


def multiplied(*factors: Decimal) -> Decimal:
    """A product at 18 places, half to even."""
    product = Decimal(1)
    for factor in factors:
        product = EXACT.multiply(product, factor)
    return rounded(product)


def floored(value: Decimal, step: Decimal) -> Decimal:
    """``value`` cut down to a multiple of ``step`` (towards zero)."""
    if step <= 0:
        return value
    units = EXACT.divide(value, step).quantize(Decimal(1), rounding=ROUND_DOWN, context=EXACT)
    return canonical(EXACT.multiply(units, step))


class MoneyField(models.Field):
    """A Decimal column that is exact in both databases; see the module's text.

    Accepts what :func:`money` accepts and refuses the rest with a ValidationError, so that nothing
    is rounded on its way in. Ordering and comparison in SQL are limited to zero.
    """

    description = "Exact decimal number, 18 digits before and after the point"
    empty_strings_allowed = False

    def db_type(self, connection: Any) -> str:
        return "numeric(36, 18)" if connection.vendor == "postgresql" else "text"

    def get_internal_type(self) -> str:
        return "MoneyField"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        return None if value is None else canonical(Decimal(value))

    def to_python(self, value: Any) -> Decimal | None:
        if value is None or value == "":
            return None
        try:
            return money(value)
        except InvalidMoney as error:
            raise ValidationError(str(error), code="invalid") from error

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return value if value is None or hasattr(value, "resolve_expression") else money(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if not prepared:
            value = self.get_prep_value(value)
        if value is None or not isinstance(value, Decimal):
            return value
        return value if connection.vendor == "postgresql" else plain(value)

    def value_to_string(self, obj: models.Model) -> str:
        value = cast("Decimal | None", self.value_from_object(obj))
        return "" if value is None else plain(value)

    def formfield(self, **kwargs: Any) -> Any:
        from_forms = {"form_class": forms.DecimalField, "max_digits": 36, "decimal_places": SCALE}
        return super().formfield(**{**from_forms, **kwargs})


class _AgainstZero:
    """Mixin: only a comparison with zero means the same in both databases."""

    def get_prep_lookup(self) -> Any:
        value = super().get_prep_lookup()  # type: ignore[misc]
        if value != ZERO:
            raise TypeError("money compares in SQL only with zero; filter in Python instead")
        return value


@MoneyField.register_lookup
class _MoneyGreaterThan(_AgainstZero, GreaterThan):
    pass


@MoneyField.register_lookup
class _MoneyGreaterThanOrEqual(_AgainstZero, GreaterThanOrEqual):
    pass


class ExactSum(Aggregate):
    """SUM over a MoneyField without leaving exact arithmetic; ``None`` over no rows."""

    function = "SUM"
    name = "ExactSum"

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="exact_sum", **extra)


class _SqliteExactSum:
    """The aggregate behind :class:`ExactSum` on SQLite: sums canonical texts as Decimals."""

    def __init__(self) -> None:
        self.total: Decimal | None = None

    def step(self, value: str | None) -> None:
        if value is not None:
            self.total = EXACT.add(self.total or ZERO, Decimal(value))

    def finalize(self) -> str | None:
        return None if self.total is None else plain(self.total)


def _register_aggregate(sender: Any, connection: Any, **kwargs: Any) -> None:
    if connection.vendor == "sqlite":
        raw: sqlite3.Connection = connection.connection
        raw.create_aggregate("exact_sum", 1, _SqliteExactSum)  # type: ignore[arg-type]


connection_created.connect(_register_aggregate, dispatch_uid="common.money.exact_sum")
