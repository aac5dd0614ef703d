"""Lanes: ``account id mod EXECUTION_LANES``, each held by one process at a time.

The lease stands in the database and is judged by the database's clock; a holder renews it every
second and believes in it, by its own monotonic clock, no longer than it lasts. A claim names the
fence it believes in and finds nothing when the lane has passed on (see ``claims``). A lane is
given up only once nothing of it is under way, so that an account's orders stay in order when it
moves.
"""

import math
import os
import socket
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from django.conf import settings
from django.db.models import F, OuterRef, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.db.models.lookups import In

from common.wake import wake_on_commit
from trading.models import LaneLease, LaneWorker, Order

RENEW_SECONDS = 1.0
WAKE_CHUNK = 100
QUEUE_PREFIX = "execution."
Condition = In | Q
EVERYWHERE = Q()


def lane_of(account_id: int) -> int:
    """The lane of an account."""
    return account_id % int(settings.EXECUTION_LANES)


def queue_of(lane: int) -> str:
    """The Celery queue that carries the wake-ups of a lane."""
    return f"{QUEUE_PREFIX}{lane}"


def is_queue(name: str) -> bool:
    """Whether a Celery queue is that of a lane."""
    return name.startswith(QUEUE_PREFIX)


def lease_seconds() -> float:
    """How long a lease lasts: always longer than a claim made under it may take to send."""
    budget: float = settings.EXECUTION_SEND_BUDGET_MS / 1000
    return max(float(settings.LANE_LEASE_SECONDS), budget + 2 * RENEW_SECONDS)


@dataclass(frozen=True, slots=True)
class Belief:
    """What a process believes of a lane it holds: its fence, and until when (monotonic seconds)."""

    fence: int
    until: float


class Lanes:
    """One process's share of the lanes. Methods may be called from any thread."""

    def __init__(self, name: str = "") -> None:
        self.owner = f"{name or socket.gethostname()[:60]}:{os.getpid()}:{uuid4().hex[:12]}"
        self._held: dict[int, Belief] = {}
        self._leaving: set[int] = set()
        self._busy: dict[int, int] = {}
        # Under it claims are made and handed to the loop, so that none comes between the two.
        self.turn: AbstractContextManager[object] = threading.Lock()
        self._renewing = threading.Lock()
        self._guard = threading.Lock()
        self._renewed_at = -math.inf

    def owned(self) -> frozenset[int]:
        """The lanes this process may send for at this moment; asks no database."""
        return frozenset(self.beliefs())

    def beliefs(self) -> dict[int, Belief]:
        """The lanes this process holds and is not giving up, with their fences."""
        moment = time.monotonic()
        with self._guard:
            return {
                lane: belief
                for lane, belief in self._held.items()
                if belief.until > moment and lane not in self._leaving
            }

    def keep(self) -> frozenset[int]:
        """The lanes held, renewed first when the last renewal is a second old; raises
        DatabaseError.
        """
        if time.monotonic() - self._renewed_at >= RENEW_SECONDS:
            return self.renew()
        return self.owned()

    def renew(self) -> frozenset[int]:
        """Renew what is held, give up what is above the fair share, take what is free up to it."""
        with self._renewing:
            began = time.monotonic()
            self._show_life()
            mine, free = self._read()
            LaneLease.objects.filter(owner=self.owner, lane__in=mine).update(expires_at=_expiry())
            share = self._share()
            with self._guard:
                self._leaving = set(sorted(mine)[share:])
            mine = self._give_up(mine)
            for lane, fence in free:
                if len(mine) < share and self._take(lane, fence):
                    mine[lane] = fence + 1
            until = began + lease_seconds()
            with self._guard:
                self._held = {lane: Belief(fence, until) for lane, fence in mine.items()}
                self._renewed_at = began
        return self.owned()

    def _show_life(self) -> None:
        workers = LaneWorker.objects.filter(owner=self.owner)
        if not workers.update(expires_at=_expiry()):
            LaneWorker.objects.filter(expires_at__lt=Now()).delete()
            LaneWorker.objects.create(owner=self.owner, expires_at=_expiry())

    def _read(self) -> tuple[dict[int, int], list[tuple[int, int]]]:
        """The lanes that are mine with their fences, and those that are free with theirs."""
        count = int(settings.EXECUTION_LANES)
        rows = LaneLease.objects.filter(lane__lt=count)
        if rows.count() < count:
            LaneLease.objects.bulk_create(
                [LaneLease(lane=lane, expires_at=Now()) for lane in range(count)],
                ignore_conflicts=True,
            )
        mine = dict(rows.filter(owner=self.owner).values_list("lane", "fence"))
        free = rows.filter(_is_free()).exclude(lane__in=mine).values_list("lane", "fence")
        return mine, sorted(free)

    def _share(self) -> int:
        alive = LaneWorker.objects.filter(expires_at__gte=Now()).count()
        return math.ceil(int(settings.EXECUTION_LANES) / max(alive, 1))

    def _give_up(self, mine: dict[int, int]) -> dict[int, int]:
        """Let go of the lanes that are too many and of which nothing is under way."""
        with self._guard:
            idle = [lane for lane in self._leaving if not self._busy.get(lane)]
        if idle:
            self._free(idle)
        return {lane: fence for lane, fence in mine.items() if lane not in idle}

    def _free(self, lanes: Iterable[int]) -> None:
        LaneLease.objects.filter(owner=self.owner, lane__in=list(lanes)).update(owner="")

    def _take(self, lane: int, fence: int) -> bool:
        """Take a free lane; False when another was quicker."""
        return bool(
            LaneLease.objects.filter(_is_free(), lane=lane, fence=fence).update(
                owner=self.owner, fence=F("fence") + 1, expires_at=_expiry()
            )
        )

    def seize(self) -> frozenset[int]:
        """Take every lane at once; only for a process that knows it is alone."""
        LaneWorker.objects.exclude(owner=self.owner).delete()
        LaneLease.objects.exclude(owner=self.owner).update(owner="")
        return self.renew()

    def forget(self) -> None:
        """Believe in nothing any more and ask the database next time."""
        with self._guard:
            self._held = {}
            self._renewed_at = -math.inf

    def release(self) -> None:
        """Give up everything at the end of the process."""
        with self._guard:
            self._held = {}
        LaneLease.objects.filter(owner=self.owner).update(owner="")
        LaneWorker.objects.filter(owner=self.owner).delete()

    @contextmanager
    def at_work(self, lanes: Collection[int]) -> Iterator[None]:
        """While this lasts the lanes are not given up."""
        with self._guard:
            for lane in lanes:
                self._busy[lane] = self._busy.get(lane, 0) + 1
        try:
            yield
        finally:
            with self._guard:
                for lane in lanes:
                    self._busy[lane] -= 1

    def lease_covering(self, send_budget: timedelta) -> "QuerySet[LaneLease]":
        """For a query of orders: the lease of each one's lane, if this process holds it by the
        fence it believes in and for longer than a claim may take to send.
        """
        believed = Q(pk__in=())
        for lane, belief in self.beliefs().items():
            believed |= Q(lane=lane, fence=belief.fence)
        return LaneLease.objects.filter(
            believed,
            lane=OuterRef("account_id") % int(settings.EXECUTION_LANES),
            owner=self.owner,
            expires_at__gte=Now() + send_budget,
        )


def _expiry() -> Combinable:
    return Now() + timedelta(seconds=lease_seconds())


def _is_free() -> Q:
    return Q(owner="") | Q(expires_at__lt=Now())


here = Lanes()


def owned() -> frozenset[int]:
    """The lanes this process holds now; asks no database."""
    return here.owned()


def unowned() -> list[int]:
    """The lanes that no process holds now, by the database's clock."""
    held = LaneLease.objects.exclude(_is_free()).values_list("lane", flat=True)
    return sorted(set(range(int(settings.EXECUTION_LANES))) - set(held))


def holds(account_id: int) -> bool:
    """Whether this process holds the account's lane now."""
    return lane_of(account_id) in owned()


def within(lanes: frozenset[int], field: str = "account_id") -> Condition:
    """The condition that an account (by the column ``field``) is of one of these lanes."""
    if len(lanes) == settings.EXECUTION_LANES:
        return EVERYWHERE
    return In(F(field) % int(settings.EXECUTION_LANES), sorted(lanes)) if lanes else Q(pk__in=())


def wake_senders(orders: Iterable[Order]) -> None:
    """After the commit, wake the holders of these orders' lanes to send them.

    The lanes of one holder share a message, in the queue of one of them. A holder that has lost
    one since then leaves its orders to the sweep.
    """
    holders = dict(LaneLease.objects.exclude(owner="").values_list("lane", "owner"))
    together: dict[str | int, list[Order]] = {}
    for order in orders:
        lane = lane_of(order.account_id)
        together.setdefault(holders.get(lane, lane), []).append(order)
    for members in together.values():
        for start in range(0, len(members), WAKE_CHUNK):
            chunk = members[start : start + WAKE_CHUNK]
            queue = queue_of(lane_of(chunk[0].account_id))
            wake_on_commit("trading.execute", queue, order_ids=[order.pk for order in chunk])


def wake_sweep(account_id: int) -> None:
    """After the commit, wake the holder of the account's lane to look after its orders."""
    wake_on_commit("trading.sweep", queue_of(lane_of(account_id)))
