"""The result of a fan-out, leg by leg, as far as it is known."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Q

from common.money import plain
from common.principal import Principal
from trading import states
from trading.models import Command, Execution

PLACED, SKIPPED, REJECTED, UNKNOWN, PENDING = "placed", "skipped", "rejected", "unknown", "pending"
# Nothing was to do: the account has what it shall have.
UNCHANGED = "unchanged"
STATUSES = (PLACED, UNCHANGED, SKIPPED, REJECTED, UNKNOWN, PENDING)
GOOD = (PLACED, UNCHANGED)
SKIP_CODES = frozenset(
    {
        "below_min_notional",
        "below_min_amount",
        "size_distorted",
        "unknown_symbol",
        "market_inactive",
        "no_equity",
    }
)
REACHED_CODES = frozenset({"target_reached"})
# Why an order is no more that somebody cancelled before anything was sent.
CALLED_BACK = "cancelled_before_sending"
POLL_SECONDS = 0.02
LONGEST_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class LegResult:
    """One account's part of an execution; quantities in base units, prices in quote. ``notes`` are
    codes of what was done to the order on the way, such as ``risk_capped``.
    """

    account_id: int
    account_name: str
    command_id: int
    status: str
    side: str = ""
    symbol: str = ""
    order_id: int | None = None
    state: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    filled_quantity: Decimal | None = None
    average_price: Decimal | None = None
    reason_code: str = ""
    message: str = ""
    attempt: int = 1
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The leg with money as text, for answers and the log."""

        def text(value: Decimal | None) -> str | None:
            return None if value is None else plain(value)

        return {
            "account_id": str(self.account_id),
            "account": self.account_name,
            "status": self.status,
            "success": self.status in GOOD,
            "symbol": self.symbol,
            "side": self.side,
            "order_id": None if self.order_id is None else str(self.order_id),
            "command_id": str(self.command_id),
            "state": self.state,
            "qty": text(self.quantity),
            "price": text(self.price),
            "filled_quantity": text(self.filled_quantity),
            "average_price": text(self.average_price),
            "reason": self.reason_code,
            "message": self.message,
            "attempt": self.attempt,
            "notes": list(self.notes),
        }


_OPEN_LEG_STATES = [
    name for name, state in states.STATES.items() if state.leg in (PENDING, UNKNOWN)
]
FAILED_LEG_STATES = [name for name, state in states.STATES.items() if state.leg == REJECTED]
_COLUMNS = (
    "pk",
    "retry_of",
    "attempt",
    "account_id",
    "account__name",
    "reason_code",
    "order__pk",
    "order__state",
    "order__side",
    "order__symbol",
    "order__quantity",
    "order__price",
    "order__filled_quantity",
    "order__average_price",
    "order__error_code",
    "order__error_message",
    "decision__notes",
)


def legs(execution: Execution, reader: Principal | None = None) -> list[LegResult]:
    """The legs in the order they were made, each as its last attempt stands, with at most two
    queries: all, or those ``reader`` may read.

    Rows, not models: a fan-out's answer needs a dozen of their seventy columns.
    """
    commands = Command.objects.all() if reader is None else Command.objects.visible_to(reader)
    found = commands.filter(execution=execution).order_by("pk").values_list(*_COLUMNS)
    rows = _last_attempts(found)
    refused = [row[0] for row in rows if row[6] is None]
    asked = {}
    if refused:
        said = Command.objects.filter(pk__in=refused).values_list("pk", "payload", "decision")
        asked = {pk: (payload, decision) for pk, payload, decision in said}
    return [_refused(row, *asked[row[0]]) if row[6] is None else _sent(row) for row in rows]


def statuses(execution: Execution) -> list[str]:
    """Only how each leg stands, in the order they were made; one query."""
    rows = Command.objects.filter(execution=execution).order_by("pk")
    found = rows.values_list("pk", "retry_of", "reason_code", "order__state")
    return [
        refusal_status(reason) if state is None else states.STATES[state].leg
        for _, _, reason, state in _last_attempts(found)
    ]


def _last_attempts(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows that begin with a command's number and that of the attempt before it, by number: the
    last attempt of each leg, in the first one's place.
    """
    places: dict[int, int] = {}
    last: dict[int, tuple[Any, ...]] = {}
    for row in rows:
        places[row[0]] = places.get(row[1], row[0])
        last[places[row[0]]] = row
    return list(last.values())


def failed_legs(execution: Execution) -> list[Command]:
    """The last attempts that placed nothing and that nobody called back, with their orders; in the
    order they were made.

    What is pending, unknown, had nothing to do or was ever seen at the venue is not among them.
    """
    rows = Command.objects.filter(execution=execution, retried_by=None)
    failed = rows.filter(Q(state=Command.State.DENIED) | Q(order__state__in=FAILED_LEG_STATES))
    failed = failed.exclude(reason_code__in=REACHED_CODES)
    return list(failed.exclude(order__error_code=CALLED_BACK).order_by("pk"))


def unsettled_among(execution_ids: Iterable[int]) -> set[int]:
    """Those executions of which a leg is pending or unknown; one query for all of them."""
    rows = Command.objects.filter(
        execution__in=list(execution_ids), order__state__in=_OPEN_LEG_STATES
    )
    return set(rows.order_by().values_list("execution_id", flat=True).distinct())


def refusal_status(reason_code: str) -> str:
    """How a leg stands that was refused for this reason: unchanged, skipped or rejected."""
    if reason_code in REACHED_CODES:
        return UNCHANGED
    return SKIPPED if reason_code in SKIP_CODES else REJECTED


def refusal_sentence(decision: dict[str, Any]) -> str:
    """What a denied command's decision says in words."""
    return str(decision.get("message") or "A risk check refused the order.")


def _refused(row: tuple[Any, ...], payload: dict[str, Any], decision: dict[str, Any]) -> LegResult:
    command_id, _, attempt, account_id, account_name, reason_code = row[:6]
    return LegResult(
        account_id=account_id,
        account_name=account_name,
        command_id=command_id,
        status=refusal_status(reason_code),
        side=payload.get("side", ""),
        symbol=payload.get("symbol", ""),
        reason_code=reason_code,
        message=refusal_sentence(decision),
        attempt=attempt,
        notes=tuple(decision.get("notes", ())),
    )


# What an order is told by whose answer was lost without a word.
UNCLEAR = "unclear_answer", "The exchange has not told what became of the order; it is looked for."


def _sent(row: tuple[Any, ...]) -> LegResult:
    command_id, _, attempt, account_id, account_name, _, order_id, state, side, symbol = row[:10]
    quantity, price, filled, average, error_code, error_message, notes = row[10:]
    status = states.STATES[state].leg
    if status == UNKNOWN and not error_code:
        error_code, error_message = UNCLEAR
    return LegResult(
        account_id=account_id,
        account_name=account_name,
        command_id=command_id,
        status=status,
        side=side,
        symbol=symbol,
        order_id=order_id,
        state=state,
        quantity=quantity,
        price=price,
        filled_quantity=filled,
        average_price=average,
        reason_code="" if status == PLACED else error_code,
        message="" if status == PLACED else error_message,
        attempt=attempt,
        notes=tuple(notes or ()),
    )


def tally(results: Iterable[LegResult]) -> dict[str, int]:
    """How many legs stand at each status; every leg is counted once."""
    found = [leg.status for leg in results]
    return {status: found.count(status) for status in STATUSES}


def counts(results: Iterable[LegResult]) -> tuple[int, int]:
    """(successes, errors): unchanged legs are successes, pending and unknown ones neither."""
    return count_statuses([leg.status for leg in results])


def count_statuses(found: Sequence[str]) -> tuple[int, int]:
    """The same of statuses alone."""
    return sum(each in GOOD for each in found), found.count(REJECTED) + found.count(SKIPPED)


def pending_count(execution: Execution) -> int:
    """How many legs wait for their first answer; one cheap query."""
    return Command.objects.filter(
        execution=execution, order__state__in=(states.CREATED, states.SENDING)
    ).count()


def await_answers(execution: Execution, timeout: float) -> None:
    """Block the calling thread until no leg is pending, at most ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    pause = POLL_SECONDS
    while pending_count(execution) and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        # Answers take as long as the platform is busy: the busier, the fewer questions.
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


def wait_for_legs(execution: Execution, timeout: float) -> list[LegResult]:
    """The legs once none is pending, or as they are after ``timeout`` seconds. Blocks the calling
    thread.
    """
    await_answers(execution, timeout)
    return legs(execution)
