"""The ledger once more, on purpose in another way: exact fractions, cost instead of averages.

Whatever the platform's own fold does, its positions must be these.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(slots=True)
class Account:
    """Signed ``quantity`` and ``cost`` (what it was bought for, negative for a short), the rest in
    quote.
    """

    quantity: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)

    def enter(self, signed: Fraction, price: Fraction) -> None:
        """Add to it, in the direction it has."""
        self.quantity += signed
        self.cost += signed * price

    def leave(self, signed: Fraction, price: Fraction) -> None:
        """Take from it at its own average."""
        share = -signed / self.quantity
        left_cost = self.cost * (1 - share)
        self.realised += -signed * price - (self.cost - left_cost)
        self.quantity += signed
        self.cost = left_cost

    def worth(self, mark: Fraction) -> Fraction:
        """Everything it earned and would earn at a price, before fees."""
        return self.realised + self.quantity * mark - self.cost


@dataclass(slots=True)
class Position:
    """A whole position and each owner's account inside it."""

    whole: Account = field(default_factory=Account)
    owners: dict[int, Account] = field(default_factory=dict)

    def owner(self, number: int) -> Account:
        """An owner's account."""
        return self.owners.setdefault(number, Account())

    def leave(self, signed: Fraction, price: Fraction, number: int) -> None:
        """An exit: from its owner first, then from the others by their numbers."""
        self.whole.leave(signed, price)
        sign = 1 if signed > 0 else -1
        rest = abs(signed)
        for each in (number, *sorted(self.owners.keys() - {number})):
            account = self.owner(each)
            taken = min(abs(account.quantity), rest)
            if taken:
                account.leave(sign * taken, price)
            rest -= taken


class Stream:
    """The positions that one sequence of fills makes, one after the other."""

    def __init__(self) -> None:
        self.positions: list[Position] = []

    def _current(self) -> Position:
        if not self.positions or self.positions[-1].whole.quantity == 0:
            self.positions.append(Position())
        return self.positions[-1]

    def fill(self, signed: Fraction, price: Fraction, fee: Fraction, owner: int) -> None:
        """Fold one fill of ``signed`` net base units; ``fee`` in quote."""
        position = self._current()
        held = position.whole.quantity
        if held * signed >= 0:
            self._enter(position, signed, price, fee, owner)
            return
        leaving = -held if abs(signed) > abs(held) else signed
        leaving_fee = fee * leaving / signed
        position.leave(leaving, price, owner)
        self._charge(position, leaving_fee, owner)
        if leaving != signed:
            self._enter(self._current(), signed - leaving, price, fee - leaving_fee, owner)

    def _enter(
        self, position: Position, signed: Fraction, price: Fraction, fee: Fraction, owner: int
    ) -> None:
        position.whole.enter(signed, price)
        position.owner(owner).enter(signed, price)
        self._charge(position, fee, owner)

    @staticmethod
    def _charge(position: Position, fee: Fraction, owner: int) -> None:
        position.whole.fees += fee
        position.owner(owner).fees += fee

    def accounts(self) -> Iterator[Account]:
        """The positions as wholes."""
        return (position.whole for position in self.positions)
