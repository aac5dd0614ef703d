"""Holds the private streams of this process's accounts and feeds the ledger with what they tell.

One thread of its own imports in batches, keeps the set of streams equal to the accounts this
process serves, and has a venue asked wherever a stream may have missed something. Nothing waits for
a stream: orders are answered on their own path, and the poll finds what no stream told.
"""

import logging
import queue
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections
from django.db.models import QuerySet

from accounts.books import SIMULATED
from accounts.models import Account
from common.errors import DomainError
from exchanges.gateway import gateway
from exchanges.protocol import AccountRef
from exchanges.streams import News, has_stream

from . import lanes
from .reconcile import nudge, poll_now
from .stream_import import import_news
from .stream_status import StatusBook, distrusted
from .venue_access import account_ref, moved_address, venue_of

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.02
IDLE_SECONDS = 0.2
INBOX_SIZE = 10_000
BATCH = 500
SUPERVISE_SECONDS = 1.0
# Deals arrived: balances are read again before the next signal is sized by them.
SOON_SECONDS = 2.0
# An account's venue is asked at most so often because of its stream.
ASK_PAUSE_SECONDS = 1.0
ASKERS = 2
STOP_SECONDS = 10.0


def held_accounts() -> "QuerySet[Account]":
    """The accounts of this process's lanes that may have a stream; raises DatabaseError.

    A lane has one holder, so an account has one stream.
    """
    usable = Account.objects.usable().exclude(book__in=SIMULATED)
    return usable.filter(lanes.within(lanes.here.keep(), "pk"))


class Inbox:
    """Between the gateway's loop, which must not wait, and the importing thread."""

    def __init__(self) -> None:
        self._news: queue.Queue[News | None] = queue.Queue(INBOX_SIZE)
        self._gaps: set[int] = set()
        self._guard = threading.Lock()

    def news(self, news: News) -> None:
        """Keep it; what there is no room for becomes a gap."""
        try:
            self._news.put_nowait(news)
        except queue.Full:
            self.gap(news.account_id, "inbox_full")

    def gap(self, account_id: int, reason: str) -> None:
        """The account's venue has to be asked."""
        logger.info("account %s is asked because of its stream: %s", account_id, reason)
        with self._guard:
            self._gaps.add(account_id)

    def take(self) -> list[News]:
        """What has come, gathered for a moment from its first on; empty after a short wait."""
        batch: list[News] = []
        give_up_at = time.monotonic() + IDLE_SECONDS
        while len(batch) < BATCH and (left := give_up_at - time.monotonic()) > 0:
            try:
                news = self._news.get(timeout=left)
            except queue.Empty:
                break
            if news is not None:
                if not batch:
                    give_up_at = time.monotonic() + GATHER_SECONDS
                batch.append(news)
        return batch

    def take_gaps(self) -> set[int]:
        """The accounts to ask for, once."""
        with self._guard:
            gaps, self._gaps = self._gaps, set()
        return gaps


class Asker:
    """Has venues asked in threads of its own: one poll per account at a time, with a pause."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(ASKERS, thread_name_prefix="stream-ask")
        self._due: dict[int, float] = {}
        self._asked_at: dict[int, float] = {}
        self._asking: set[int] = set()

    def want(self, account_ids: Iterable[int]) -> None:
        """Ask for these accounts as soon as the pause allows."""
        moment = time.monotonic()
        for account_id in account_ids:
            earliest = self._asked_at.get(account_id, 0.0) + ASK_PAUSE_SECONDS
            self._due.setdefault(account_id, max(moment, earliest))

    def send_out(self) -> None:
        """Start the polls that are due. Their rows say so first, so that they outlive us."""
        moment = time.monotonic()
        due = [
            number
            for number, at in self._due.items()
            if at <= moment and number not in self._asking
        ]
        if not due:
            return
        nudge(due, within=0.0)
        for number in due:
            del self._due[number]
            self._asked_at[number] = moment
        self._asking.update(due)
        self._pool.submit(self._ask, due)

    def _ask(self, account_ids: list[int]) -> None:
        try:
            poll_now(account_ids)
        except Exception:  # the outer loop of one round; its rows stay due for the usual poll
            logger.exception("accounts %s could not be asked", account_ids)
        finally:
            self._asking.difference_update(account_ids)
            connections.close_all()

    def forget(self, account_ids: Iterable[int]) -> None:
        """Accounts that are held no more."""
        for account_id in account_ids:
            self._asked_at.pop(account_id, None)

    def close(self) -> None:
        """Wait for the polls under way."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Streaming:
    """The streams of one process. Started once the gateway runs, stopped before it closes."""

    def __init__(self) -> None:
        self._inbox = Inbox()
        self._asker = Asker()
        self._book = StatusBook()
        self._refs: dict[int, AccountRef] = {}
        self._holding: Future[None] | None = None
        self._supervised_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streaming", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Hang up, write what was told, and mark the streams as nobody's."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            logger.warning("the streams did not stop in time")

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._round()
            self._end()
        finally:
            self._asker.close()
            connections.close_all()

    def _round(self) -> None:
        try:
            close_old_connections()
            self._import(self._inbox.take())
            self._asker.want(self._inbox.take_gaps())
            self._asker.send_out()
            if time.monotonic() - self._supervised_at >= SUPERVISE_SECONDS:
                self._supervised_at = time.monotonic()
                self._supervise()
        except Exception:  # the outer loop of the thread
            logger.exception("a round of the streams failed; the next one follows")
            self._stop.wait(SUPERVISE_SECONDS)

    def _import(self, batch: list[News]) -> None:
        if batch:
            outcome = import_news(batch)
            self._asker.want(outcome.at_once)
            if outcome.soon:
                nudge(outcome.soon, within=SOON_SECONDS)

    def _supervise(self) -> None:
        """Hold the right streams, dial the distrusted ones anew, write how they do."""
        self._refresh_refs()
        self._hold(self._refs.values())
        states = [each for each in gateway().streams.states() if each.account_id in self._refs]
        self._book.write(states)
        for account_id in distrusted([each.account_id for each in states]):
            gateway().loop_call(gateway().streams.redial, account_id, "deaf")

    def _hold(self, refs: Iterable[AccountRef]) -> None:
        if self._holding is not None and not self._holding.done():
            return
        _raise_failure(self._holding)
        self._holding = gateway().submit(gateway().streams.hold(list(refs), self._inbox))

    def _refresh_refs(self) -> None:
        wanted = dict(held_accounts().values_list("pk", "credentials_version"))
        gone = self._refs.keys() - wanted.keys()
        for account_id in gone:
            del self._refs[account_id]
        self._asker.forget(gone)
        fresh = [
            number
            for number, version in wanted.items()
            if number not in self._refs or self._refs[number].version != version
        ]
        for account in Account.objects.filter(pk__in=fresh):
            if _may_listen(account):
                self._refs[account.pk] = account_ref(account)
            else:
                self._refs.pop(account.pk, None)

    def _end(self) -> None:
        try:
            gateway().run(gateway().streams.hold([], self._inbox), timeout=STOP_SECONDS)
            self._import(self._inbox.take())
            self._book.write([])
        except (DatabaseError, DomainError) as error:
            logger.warning("the streams ended without a last word: %s", error)


def _may_listen(account: Account) -> bool:
    """Whether the account's venue has a stream and stands where the key was given for."""
    try:
        return has_stream(venue_of(account)) and not moved_address(account)
    except DomainError:
        return False


def _raise_failure(future: "Future[Any] | None") -> None:
    """Raise what a finished call raised; it was nobody's to wait for."""
    if future is not None:
        future.result()


_running: Streaming | None = None


def start() -> None:
    """Hold this process's streams from now on, unless the setting STREAMS is off."""
    global _running
    if settings.STREAMS and _running is None:
        _running = Streaming()
        _running.start()


def stop() -> None:
    """Hang up; safe to repeat."""
    global _running
    running, _running = _running, None
    if running is not None:
        running.stop()
