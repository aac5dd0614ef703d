"""The set of protective legs of one owner's share of a position, from what was wished for. Pure.

Prices are in quote currency, quantities in base units. ``side`` is the position's: buy for long.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from common.money import EXACT, ZERO, InvalidMoney, divided, floored, money, multiplied, plain

STOP, TARGET = "stop_loss", "take_profit"
BUY = "buy"
HUNDRED = Decimal(100)
# A trailing stop moves once the best price has gone on by this part of its distance: every move at
# a venue is a cancel and a new order.
NOTCHES = Decimal(10)


@dataclass(frozen=True, slots=True)
class Place:
    """What can be done for a share at its venue.

    ``may_rest`` says that a resting order is taken there as reduce-only, or holds the coins it
    would sell; ``triggers`` that the venue keeps triggered orders where they can be followed;
    ``holds_funds`` that two orders cannot hold the same coins.
    """

    may_rest: bool
    triggers: bool
    holds_funds: bool


@dataclass(frozen=True, slots=True)
class Leg:
    """One protective leg: ``at_venue`` as a resting order, else watched by us."""

    kind: str
    price: Decimal
    at_venue: bool


def as_level(value: Any) -> str:
    """A level as the ledger keeps it, from a number or a text like ``3%``; empty for none (0 or
    empty text). Raises InvalidMoney for anything else, negative numbers among it.
    """
    is_percentage = isinstance(value, str) and value.strip().endswith("%")
    number = value.strip().removesuffix("%").strip() if isinstance(value, str) else value
    if number == "":
        return ""
    amount = money(number)
    if amount < 0:
        raise InvalidMoney("must not be negative")
    return (plain(amount) + "%" * is_percentage) if amount else ""


def distance(text: str, price: Decimal) -> Decimal:
    """A distance given as ``3%`` of a price or as an amount of quote currency."""
    if text.endswith("%"):
        return divided(multiplied(price, Decimal(text[:-1])), HUNDRED)
    return Decimal(text)


def leg_price(kind: str, text: str, *, average: Decimal, side: str, step: Decimal) -> Decimal:
    """The price of a leg given as ``3%`` of the average fill price or as a price, at the venue's
    step.
    """
    if not text.endswith("%"):
        return floored(Decimal(text), step)
    move = distance(text, average)
    is_above = (kind == TARGET) == (side == BUY)
    return floored(average + move if is_above else average - move, step)


def is_right_side(kind: str, price: Decimal, *, average: Decimal, side: str) -> bool:
    """Whether a leg's price is positive and stands where it gains (a target) or loses (a stop)."""
    is_above = (kind == TARGET) == (side == BUY)
    return price > average if is_above else ZERO < price < average


def trailed(trail: str, best: Decimal, *, side: str, step: Decimal) -> Decimal:
    """Where a trailing stop stands when the best price so far is ``best``."""
    away = distance(trail, best)
    return floored(best - away if side == BUY else best + away, step)


def has_notch(trail: str, best: Decimal, price: Decimal, *, side: str) -> bool:
    """Whether a price is so much better than the best one before that the stop moves."""
    gain = price - best if side == BUY else best - price
    return EXACT.multiply(gain, NOTCHES) >= distance(trail, best)


def tighter(first: Decimal | None, second: Decimal | None, *, side: str) -> Decimal | None:
    """The stop that is reached first; None where there is none."""
    stops = [each for each in (first, second) if each is not None]
    if not stops:
        return None
    return max(stops) if side == BUY else min(stops)


def wanted_legs(stop: Decimal | None, target: Decimal | None, place: Place) -> tuple[Leg, ...]:
    """The legs of a set. Where the venue takes only one of them the stop goes there, since it has
    to hold without us; what it does not take is watched.
    """
    stop_rests = stop is not None and place.may_rest and place.triggers
    target_rests = target is not None and place.may_rest and not (place.holds_funds and stop_rests)
    legs = []
    if stop is not None:
        legs.append(Leg(STOP, stop, stop_rests))
    if target is not None:
        legs.append(Leg(TARGET, target, target_rests))
    return tuple(legs)


def is_reached(leg: Leg, price: Decimal, *, side: str) -> bool:
    """Whether a price sets the leg off."""
    upwards = (leg.kind == TARGET) == (side == BUY)
    return price >= leg.price if upwards else price <= leg.price


def reached(legs: Iterable[Leg], price: Decimal, *, side: str) -> Leg | None:
    """The first leg that a price sets off."""
    return next((each for each in legs if is_reached(each, price, side=side)), None)
