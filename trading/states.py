"""The states of commands and orders: one table that says where each may go and what each surface
calls it.
"""

from dataclasses import dataclass

RECEIVED, DENIED, ACCEPTED = "RECEIVED", "DENIED", "ACCEPTED"

CREATED = "CREATED"
SENDING = "SENDING"
UNKNOWN = "UNKNOWN"
OPEN = "OPEN"
PARTIAL = "PARTIAL"
PENDING_CANCEL = "PENDING_CANCEL"
PENDING_REPLACE = "PENDING_REPLACE"
NEEDS_OPERATOR = "NEEDS_OPERATOR"
WITHDRAWN = "WITHDRAWN"
REJECTED = "REJECTED"
NOT_PLACED = "NOT_PLACED"
CANCELED = "CANCELED"
EXPIRED = "EXPIRED"
FILLED = "FILLED"


@dataclass(frozen=True, slots=True)
class Words:
    """What the surfaces call a state: a fan-out's leg, and specifications 000, 002 and 004."""

    leg: str
    spec_000: str
    spec_002: str
    spec_004: str
    outcome: str = "confirmed"


@dataclass(frozen=True, slots=True)
class State:
    """One order state: the states it may move to, whether it is final, and its words.

    ``rank`` orders states by how much is known; it only rises, except along the moves of the table
    that say otherwise.
    """

    name: str
    rank: int
    moves: frozenset[str]
    words: Words
    terminal: bool = False

    @property
    def leg(self) -> str:
        """The word of a fan-out's result."""
        return self.words.leg


_WAITING = Words("pending", "PENDING_SUBMIT", "pending", "placed", "pending")
_UNCLEAR = Words("unknown", "PENDING_SUBMIT", "pending", "placed", "unknown")
_WORKING = Words("placed", "SUBMITTED", "pending", "placed")
_PARTIAL = Words("placed", "PARTIALLY_FILLED", "pending", "partially_filled")
_FILLED = Words("placed", "FILLED", "filled", "filled")
_CANCELED = Words("placed", "CANCELED", "cancelled", "cancelled")
_NOT_SENT = Words("rejected", "CANCELED", "cancelled", "cancelled")
_REFUSED = Words("rejected", "REJECTED", "rejected", "rejected")

_AT_VENUE = "OPEN PARTIAL FILLED CANCELED EXPIRED"

# name, rank, words, moves, terminal. Remarks:
# - SENDING -> CREATED: only by the claim's own holder, who knows that nothing was sent.
# - UNKNOWN -> REJECTED: a late definite refusal settles it as well as the venue's word does.
# - PENDING_CANCEL -> OPEN: a cancel that the venue refuses leaves the order working.
# - REJECTED, NOT_PLACED -> a venue state: seen there after all, adopted with an alert.
# - CANCELED, EXPIRED -> FILLED: a fill told after the cancel; the deals count.
_TABLE: tuple[tuple[str, int, Words, str, bool], ...] = (
    (CREATED, 0, _WAITING, "SENDING WITHDRAWN", False),
    (SENDING, 1, _WAITING, f"CREATED WITHDRAWN UNKNOWN REJECTED {_AT_VENUE}", False),
    (UNKNOWN, 2, _UNCLEAR, f"NOT_PLACED REJECTED NEEDS_OPERATOR {_AT_VENUE}", False),
    (NEEDS_OPERATOR, 3, _UNCLEAR, f"NOT_PLACED REJECTED {_AT_VENUE}", False),
    (OPEN, 4, _WORKING,
     "PARTIAL FILLED CANCELED EXPIRED REJECTED PENDING_CANCEL PENDING_REPLACE", False),
    (PARTIAL, 5, _PARTIAL, "FILLED CANCELED EXPIRED PENDING_CANCEL PENDING_REPLACE", False),
    (PENDING_CANCEL, 6, _WORKING, f"REJECTED {_AT_VENUE}", False),
    (PENDING_REPLACE, 6, _WORKING, f"REJECTED {_AT_VENUE}", False),
    (WITHDRAWN, 9, _NOT_SENT, "", True),
    (REJECTED, 9, _REFUSED, _AT_VENUE, True),
    (NOT_PLACED, 9, _REFUSED, _AT_VENUE, True),
    (CANCELED, 10, _CANCELED, "FILLED", True),
    (EXPIRED, 10, _CANCELED, "FILLED", True),
    (FILLED, 11, _FILLED, "", True),
)  # fmt: skip

STATES: dict[str, State] = {
    name: State(name, rank, frozenset(moves.split()), words, terminal)
    for name, rank, words, moves, terminal in _TABLE
}

TERMINAL = frozenset(name for name, state in STATES.items() if state.terminal)
LIVE = frozenset(STATES) - TERMINAL
WORKING = frozenset({OPEN, PARTIAL, PENDING_CANCEL, PENDING_REPLACE})
PURSUED = frozenset({PENDING_CANCEL, PENDING_REPLACE})
UNSETTLED = frozenset({CREATED, SENDING, UNKNOWN, NEEDS_OPERATOR})
VENUE_STATES = frozenset(_AT_VENUE.split())
# Final without a moment of work at the venue, as far as we know.
NEVER_WORKED = frozenset({REJECTED, NOT_PLACED, WITHDRAWN})
ADOPTABLE = frozenset({REJECTED, NOT_PLACED})


def may_move(old: str, new: str) -> bool:
    """Whether the table has a move from ``old`` to ``new``."""
    return new in STATES[old].moves
