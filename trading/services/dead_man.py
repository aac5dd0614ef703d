"""The dead man's switch: venues cancel an account's resting orders when nothing is heard of us.

Run every second by each process for the lanes it holds. A countdown is started anew after a third
of its time for as long as orders rest that it is about, and stopped when none do, when the account
does not want it any more, and at an orderly end. It is held back where a stop rests that it would
cancel: a position without its stop is worse than an order too many. Nothing waits for it: every
request goes by itself, and no order's way leads through here.
"""

import logging
import threading
from collections.abc import Collection
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q

from accounts.books import LIVE, SIMULATED, book_of_mode
from accounts.dead_man import MOST_SECONDS, countdown_of
from accounts.models import Account
from common.clock import now
from common.crypto import SealError
from common.errors import DomainError
from exchanges import countdowns
from exchanges.gateway import gateway
from exchanges.outcomes import VenueError
from monitoring.alerts import raise_alert, resolve_alerts
from monitoring.models import Alert
from trading import states
from trading.models import Order, VenueCountdown
from trading.models.orders import OrderType

from . import lanes
from .venue_access import account_ref

logger = logging.getLogger(__name__)

FAILING, HELD_BACK = "dead_man_failing", "dead_man_held_back"
# Renewed after this part of the countdown, so that two tries may fail before it runs out.
PARTS = 3
# The venue hears of a request this long after we wrote it down, at the latest.
ON_THE_WAY = timedelta(seconds=30)
LONGEST_PAUSE_SECONDS = 10
HARVEST_SECONDS = 0.3
STAND_DOWN_SECONDS = 5.0
# An account and a symbol, or no symbol for the whole account.
Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Told:
    """A request under way: what the venue is asked for, and its answer to come."""

    row: VenueCountdown
    seconds: int
    answer: "Future[None]"


class DeadMan:
    """The countdowns that one process keeps, until it stands down. For any thread."""

    def __init__(self) -> None:
        self._under_way: dict[int, Told] = {}
        self._turn = threading.Lock()
        self._is_over = False

    def beat(self) -> None:
        """One pass over the accounts in the lanes this process holds; raises DatabaseError."""
        held = lanes.here.keep()
        with self._turn:
            self._harvest()
            if held and not self._is_over:
                wanted = _wanted(held)
                for row in _rows(held, wanted):
                    self._attend(row, wanted)
            wait([each.answer for each in self._under_way.values()], timeout=HARVEST_SECONDS)
            self._harvest()

    def stand_down(self) -> None:
        """Stop every countdown of the lanes held, for an orderly end; what cannot be stopped in a
        few seconds is logged and left to run. Call it while the lanes are still held; no beat after
        it starts one again.
        """
        with self._turn:
            self._is_over = True
            earlier = [each.answer for each in self._under_way.values()]
            wait(earlier, timeout=countdowns.PATIENCE_SECONDS)
            self._harvest()
            for row in _running(lanes.here.owned()):
                self._tell(row, 0)
            wait([each.answer for each in self._under_way.values()], timeout=STAND_DOWN_SECONDS)
            self._harvest()
            left = _running(lanes.here.owned())
        if left:
            logger.warning("%s countdowns go on at their venues", len(left))

    def _attend(self, row: VenueCountdown, wanted: dict[Place, bool]) -> None:
        """Tell the venue where that is due now."""
        place = (row.account_id, row.symbol)
        _note_held_back(row, wanted.get(place, False))
        if row.pk in self._under_way:
            return
        seconds = 0 if wanted.get(place, True) else row.account.dead_man_seconds
        moment = now()
        if not seconds and (row.may_run_until is None or row.may_run_until < moment):
            _note_over(row)
        elif moment >= row.next_at or (seconds != row.seconds and not row.failures):
            self._tell(row, seconds)

    def _tell(self, row: VenueCountdown, seconds: int) -> None:
        """Write down that the countdown may run, then ask for it."""
        if seconds:
            row.may_run_until = now() + timedelta(seconds=MOST_SECONDS) + ON_THE_WAY
            _save(row, "may_run_until")
        try:
            account = row.account.in_book(book_of_mode(row.account, LIVE))
        except DomainError as error:
            _note_failure(row, seconds, error)
            return
        answer = gateway().submit(countdowns.tell(account_ref(account), row.symbol, seconds))
        self._under_way[row.pk] = Told(row, seconds, answer)

    def _harvest(self) -> None:
        for key, told in list(self._under_way.items()):
            if told.answer.done():
                del self._under_way[key]
                if told.answer.cancelled():  # the gateway ended: whoever comes next sees the row
                    continue
                error = told.answer.exception()
                if error is None:
                    _note_success(told.row, told.seconds)
                else:
                    _note_failure(told.row, told.seconds, error)


def _wanted(held: frozenset[int]) -> dict[Place, bool]:
    """Where a countdown is to run, with whether it is held back there."""
    rows = Account.objects.filter(
        lanes.within(held, "pk"), dead_man_seconds__gt=0, deleted_at=None
    ).exclude(status=Account.Status.DISABLED)
    found = {row.pk: countdown for row in rows if (countdown := countdown_of(row)) is not None}
    wanted: dict[Place, bool] = {}
    if not found:
        return wanted
    resting = Order.objects.live().filter(account__in=found).exclude(type=OrderType.MARKET)
    resting = resting.exclude(book__in=SIMULATED).exclude(state=states.CREATED).order_by()
    for account_id, symbol, type_ in resting.values_list("account_id", "symbol", "type"):
        place = (account_id, symbol if found[account_id].per_symbol else "")
        wanted[place] = wanted.get(place, False) or type_ == OrderType.STOP_LOSS
    return wanted


def _rows(held: frozenset[int], wanted: Collection[Place]) -> list[VenueCountdown]:
    """The rows to look at: of what is wanted, made where there is none, of what may run, and of
    what is still told of as failing or held back.
    """
    accounts = {account_id for account_id, _ in wanted}
    stirring = Q(may_run_until__isnull=False) | Q(is_held_back=True) | Q(failures__gt=0)
    rows = VenueCountdown.objects.filter(lanes.within(held)).filter(
        stirring | Q(account__in=accounts)
    )
    rows = rows.select_related("account")
    if missing := set(wanted) - {(row.account_id, row.symbol) for row in rows}:
        VenueCountdown.objects.bulk_create(
            [VenueCountdown(account_id=pk, symbol=symbol) for pk, symbol in sorted(missing)],
            ignore_conflicts=True,
        )
        rows = rows.all()
    return list(rows)


def _running(held: frozenset[int]) -> list[VenueCountdown]:
    rows = VenueCountdown.objects.running().filter(lanes.within(held))
    return list(rows.select_related("account"))


def _save(row: VenueCountdown, *columns: str) -> None:
    values = {name: getattr(row, name) for name in columns}
    VenueCountdown.objects.filter(pk=row.pk).update(**values)


def _note_success(row: VenueCountdown, seconds: int) -> None:
    moment, had_failed = now(), row.failures > 0
    row.seconds, row.told_at, row.error, row.failures = seconds, moment, "", 0
    row.may_run_until = moment + timedelta(seconds=seconds) if seconds else None
    row.next_at = moment + timedelta(seconds=seconds) / PARTS
    _save(row, "seconds", "told_at", "error", "failures", "may_run_until", "next_at")
    if had_failed:
        _resolve(row, FAILING)


def _note_failure(row: VenueCountdown, seconds: int, error: BaseException) -> None:
    """Keep why the venue was not told, and report it: the first time where no countdown runs, else
    once two in a row did not come through.
    """
    if isinstance(error, (VenueError, DomainError)):
        code = error.code
    else:
        code = "key_unreadable" if isinstance(error, SealError) else "countdown_failed"
        logger.error("countdown of account %s failed", row.account_id, exc_info=error)
    was_armed = row.is_armed
    row.error, row.failures = code[:60], min(row.failures + 1, 1000)
    row.next_at = now() + timedelta(seconds=min(row.failures, LONGEST_PAUSE_SECONDS))
    _save(row, "error", "failures", "next_at")
    if row.failures == 2 or (row.failures == 1 and not was_armed):
        _report(row, seconds)


def _note_over(row: VenueCountdown) -> None:
    """Nothing runs there and nothing is to."""
    if row.may_run_until is None and not row.failures:
        return
    had_failed = row.failures > 0
    row.seconds, row.may_run_until, row.error, row.failures = 0, None, "", 0
    _save(row, "seconds", "may_run_until", "error", "failures")
    if had_failed:
        _resolve(row, FAILING)


def _note_held_back(row: VenueCountdown, is_held_back: bool) -> None:
    if row.is_held_back == is_held_back:
        return
    row.is_held_back = is_held_back
    _save(row, "is_held_back")
    if not is_held_back:
        _resolve(row, HELD_BACK)
        return
    raise_alert(
        HELD_BACK,
        message=f"The dead man's switch of account {row.account_id} is off{_where(row)}: a stop "
        "rests at the exchange that it would cancel with everything else.",
        organisation_id=row.account.organisation_id,
        subject=_subject(row),
    )


def _report(row: VenueCountdown, seconds: int) -> None:
    what = "Orders stay if the platform falls silent" if seconds else "It may cancel orders yet"
    act = "started" if seconds else "stopped"
    raise_alert(
        FAILING,
        message=f"The dead man's switch of account {row.account_id} could not be {act}"
        f"{_where(row)} ({row.error}). {what}.",
        organisation_id=row.account.organisation_id,
        subject=_subject(row),
        severity=Alert.Severity.CRITICAL,
        details={"error": row.error, "seconds": seconds},
    )


def _resolve(row: VenueCountdown, code: str) -> None:
    organisation_id = row.account.organisation_id
    resolve_alerts(code, organisation_id=organisation_id, subject=_subject(row))


def _where(row: VenueCountdown) -> str:
    return f" in {row.symbol}" if row.symbol else ""


def _subject(row: VenueCountdown) -> str:
    return f"account:{row.account_id}:{row.symbol}"
