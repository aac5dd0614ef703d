"""Which sending policies double or lose orders: all interleavings, and that ours does neither."""

from dataclasses import replace

import pytest

from tests.properties.protocol_model import (
    ASK,
    DUP,
    FAIL,
    LOST,
    PAUSE,
    REDELIVERY,
    RETRY,
    Policy,
    Venue,
    explore,
)

VENUES = {
    "id unique for ever, window": Venue("ever", has_window=True),
    "id unique among open, window": Venue("open", has_window=True),
    "id unique among open, no window": Venue("open", has_window=False),
    "no usable id": Venue("never", has_window=False),
}
_NAIVE = {"has_claim": False, "has_deadline": False}
_PATIENT = Policy(ASK, waits=True)
POLICIES = {
    "A retry, fresh id": Policy(RETRY, fresh_id=True, **_NAIVE),
    "B retry, same id": Policy(RETRY, **_NAIVE),
    "C any exception is a failure": Policy(FAIL),
    "D ask, absent: resend at once": Policy(ASK, waits=False, resends=True),
    "E ask, absent: failed at once": Policy(ASK, waits=False),
    "F ask, absent after the window: failed": _PATIENT,
    "G as F, but resend": Policy(ASK, resends=True),
    "H as F, late orders adopted": Policy(ASK, adopts=True),
    "I as H, redelivered, no claim": Policy(
        ASK, adopts=True, has_claim=False, faults=frozenset({REDELIVERY})
    ),
    "J as F, paused, no deadline": Policy(ASK, has_deadline=False, faults=frozenset({PAUSE})),
    "K as J, late orders adopted": Policy(
        ASK, adopts=True, has_deadline=False, faults=frozenset({PAUSE})
    ),
    "M ours: H with claim and deadline": Policy(
        ASK, adopts=True, faults=frozenset({REDELIVERY, PAUSE})
    ),
}
BOTH = f"{DUP} {LOST}"
TABLE = {
    "A": (BOTH, BOTH, BOTH, BOTH),
    "B": (LOST, BOTH, BOTH, BOTH),
    "C": (LOST, LOST, LOST, LOST),
    "D": (LOST, BOTH, BOTH, BOTH),
    "E": (LOST, LOST, LOST, LOST),
    "F": ("ok", "ok", LOST, LOST),
    "G": ("ok", "ok", BOTH, BOTH),
    "H": ("ok", "ok", "ok", "ok"),
    "I": ("ok", DUP, DUP, DUP),
    "J": (LOST, LOST, LOST, LOST),
    "K": ("ok", "ok", "ok", "ok"),
    "M": ("ok", "ok", "ok", "ok"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_each_policy_has_the_faults_of_the_table_and_no_other(name: str) -> None:
    found = tuple(explore(POLICIES[name], venue).verdict() for venue in VENUES.values())
    assert found == TABLE[name[0]]


def test_resending_at_once_doubles_an_order_that_filled_before_its_query_shows_it() -> None:
    found = explore(
        POLICIES["D ask, absent: resend at once"], VENUES["id unique among open, window"]
    )
    assert found.ways[DUP] == [
        "claim", "send", "timeout", "ACCEPT", "FILL", "query finds nothing", "send", "ACCEPT",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("without", "faults"),
    [
        ({"has_claim": False}, ("ok", DUP, DUP, DUP)),
        ({"adopts": False}, ("ok", "ok", LOST, LOST)),
        ({"adopts": False, "has_deadline": False}, (LOST, LOST, LOST, LOST)),
        ({"waits": False, "adopts": False}, (LOST, LOST, LOST, LOST)),
    ],
    ids=lambda value: " and ".join(value) if isinstance(value, dict) else "",
)
def test_our_policy_needs_each_of_its_guards(
    without: dict[str, bool], faults: tuple[str, ...]
) -> None:
    ours = replace(POLICIES["M ours: H with claim and deadline"], **without)
    assert tuple(explore(ours, venue).verdict() for venue in VENUES.values()) == faults
