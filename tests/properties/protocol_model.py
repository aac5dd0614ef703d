"""A small model of one command on its way to a venue, explored exhaustively.

It stands beside the code, not in it: row, workers, requests in flight and the venue's orders are a
few values, every event that can happen next is a transition, and :func:`explore` visits all
interleavings. The result says which sending policies can double an order or lose one, on venues of
four kinds (see ``docs/decisions/order-model.md``).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

CREATED, SENDING, DOUBT, PLACED, FAILED = "created", "sending", "doubt", "placed", "failed"
QUEUED, READY, WAITING, DONE = "queued", "ready", "waiting", "done"
FLYING, STALE, OPEN, FILLED, REFUSED, GONE = "flying", "stale", "open", "filled", "refused", "gone"
ACCEPTED = (OPEN, FILLED)
REDELIVERY, PAUSE = "redelivery", "pause"
DUP, LOST, PHANTOM = "DUP", "LOST", "PHANTOM"

RETRY, FAIL, ASK = "retry", "fail", "ask"
CRASHES = 2
RESENDS = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """What a sender does. ``on_silence`` when no answer came; the rest concerns those that ask.

    ``resends`` and ``waits``: what a not-found answer leads to, and whether it counts only after
    the request's window. ``faults`` are the ones this policy is exposed to besides crashes.
    """

    on_silence: str = ASK
    fresh_id: bool = False
    resends: bool = False
    waits: bool = True
    adopts: bool = False
    has_claim: bool = True
    has_deadline: bool = True
    faults: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Venue:
    """``unique`` says among which orders a client id may stand once: ``ever``, ``open`` or
    ``never``; ``has_window`` whether a request is refused once its window has passed.
    """

    unique: str
    has_window: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One request on the wire, later the order it made; ``seen`` once queries show it."""

    order_id: int
    status: str = FLYING
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's place in its program, and which request it waits for."""

    phase: str
    request: int = -1


@dataclass(frozen=True, slots=True)
class World:
    """Everything at one moment. ``known`` is the order id the row stands for once placed."""

    row: str = CREATED
    known: int = -1
    workers: tuple[Worker, ...] = (Worker(QUEUED),)
    requests: tuple[Request, ...] = ()
    has_waited: bool = False
    crashes: int = CRASHES
    resends: int = RESENDS
    redeliveries: int = 0

    def with_worker(self, number: int, worker: Worker, **values: object) -> "World":
        """The same world with one worker changed."""
        workers = (*self.workers[:number], worker, *self.workers[number + 1 :])
        return replace(self, workers=workers, **values)

    def with_request(self, number: int, **values: object) -> "World":
        """The same world with one request changed."""
        changed = replace(self.requests[number], **values)
        requests = (*self.requests[:number], changed, *self.requests[number + 1 :])
        return replace(self, requests=requests)

    def orders(self) -> list[Request]:
        """The orders the venue really holds."""
        return [each for each in self.requests if each.status in ACCEPTED]


Event = tuple[str, World]


@dataclass(slots=True)
class Findings:
    """The verdicts of one exploration, each with the shortest way there, and how many worlds."""

    worlds: int = 0
    ways: dict[str, list[str]] = field(default_factory=dict)

    def verdict(self) -> str:
        """``ok`` or the faults found."""
        return " ".join(sorted(self.ways)) or "ok"


def explore(policy: Policy, venue: Venue) -> Findings:
    """Visit every world that can be reached, nearest first; stop once every fault is found."""
    start = World(redeliveries=1 if REDELIVERY in policy.faults else 0)
    came_from: dict[World, tuple[World, str] | None] = {start: None}
    queue = deque([start])
    findings = Findings()
    while queue and not {DUP, LOST} <= findings.ways.keys():
        world = queue.popleft()
        following = [(name, then) for name, then in events(world, policy, venue) if then != world]
        for fault in judge(world, is_over=not following):
            if fault not in findings.ways:
                findings.ways[fault] = _way_to(world, came_from)
        for name, then in following:
            if then not in came_from:
                came_from[then] = (world, name)
                queue.append(then)
    findings.worlds = len(came_from)
    return findings


def _way_to(world: World, came_from: dict[World, tuple[World, str] | None]) -> list[str]:
    way: list[str] = []
    step = came_from[world]
    while step is not None:
        world, name = step
        way.append(name)
        step = came_from[world]
    return way[::-1]


def judge(world: World, *, is_over: bool) -> Iterator[str]:
    """What is wrong with a world; an order is lost only if nothing more can happen."""
    orders = world.orders()
    if len(orders) > 1:
        yield DUP
    if is_over and any(world.row != PLACED or each.order_id != world.known for each in orders):
        yield LOST
    if world.row == PLACED and all(each.order_id != world.known for each in orders):
        yield PHANTOM


def events(world: World, policy: Policy, venue: Venue) -> Iterator[Event]:
    """Everything that may happen next."""
    for number in range(len(world.workers)):
        yield from _worker_events(world, number, policy)
    for number in range(len(world.requests)):
        yield from _venue_events(world, number, venue)
    yield from _recovery_events(world, policy)
    if world.redeliveries:
        workers = (*world.workers, Worker(QUEUED))
        yield "redeliver", replace(world, workers=workers, redeliveries=0)


def _worker_events(world: World, number: int, policy: Policy) -> Iterator[Event]:
    worker = world.workers[number]
    if worker.phase == QUEUED:
        yield from _claim(world, number, policy)
    elif worker.phase == READY:
        yield from _send(world, number, policy)
    elif worker.phase == WAITING:
        yield from _answers(world, number, policy)
    if worker.phase in (READY, WAITING):
        if PAUSE in policy.faults and world.row == SENDING:
            yield "lease passes", replace(world, row=DOUBT)
        if world.crashes:
            yield "crash", _crashed(world, number, policy)


def _claim(world: World, number: int, policy: Policy) -> Iterator[Event]:
    if world.row == CREATED or (not policy.has_claim and world.row in (SENDING, DOUBT)):
        yield "claim", world.with_worker(number, Worker(READY), row=SENDING, has_waited=False)
    else:
        yield "leave", world.with_worker(number, Worker(DONE))


def _send(world: World, number: int, policy: Policy) -> Iterator[Event]:
    if policy.has_deadline and world.row != SENDING:
        yield "too late", world.with_worker(number, Worker(DONE))
        return
    order_id = len(world.requests) if policy.fresh_id else 0
    requests = (*world.requests, Request(order_id))
    yield "send", world.with_worker(number, Worker(WAITING, len(requests) - 1), requests=requests)


def _answers(world: World, number: int, policy: Policy) -> Iterator[Event]:
    request = world.requests[world.workers[number].request]
    done = world.with_worker(number, Worker(DONE))
    if request.status in ACCEPTED:
        is_ours = world.row == SENDING
        yield "ack", replace(done, row=PLACED, known=request.order_id) if is_ours else done
    if request.status == REFUSED and policy.on_silence == RETRY:
        yield "duplicate id", replace(done, row=FAILED)
    else:
        yield "timeout", _silence(world, number, policy)


def _silence(world: World, number: int, policy: Policy) -> World:
    """No answer, or one that says nothing certain."""
    done = world.with_worker(number, Worker(DONE))
    if policy.on_silence == RETRY and world.resends:
        return world.with_worker(number, Worker(READY), resends=world.resends - 1)
    if policy.on_silence != ASK:
        return replace(done, row=FAILED)
    return replace(done, row=DOUBT) if world.row == SENDING else done


def _crashed(world: World, number: int, policy: Policy) -> World:
    """A retrying worker's broker gives its message to the next one; the others' lease passes."""
    after = replace(world, crashes=world.crashes - 1)
    if policy.on_silence == RETRY:
        return after.with_worker(number, Worker(QUEUED))
    is_doubtful = policy.on_silence == ASK and world.row == SENDING
    return after.with_worker(number, Worker(DONE), row=DOUBT if is_doubtful else world.row)


def _venue_events(world: World, number: int, venue: Venue) -> Iterator[Event]:
    request = world.requests[number]
    if request.status in (FLYING, STALE):
        yield "get lost", world.with_request(number, status=GONE)
    if request.status == FLYING or (request.status == STALE and not venue.has_window):
        is_taken = any(
            each.order_id == request.order_id
            for each in world.orders()
            if venue.unique == "ever" or (venue.unique == "open" and each.status == OPEN)
        )
        yield "ACCEPT", world.with_request(number, status=REFUSED if is_taken else OPEN)
    if request.status == OPEN:
        yield "FILL", world.with_request(number, status=FILLED)
    if request.status in ACCEPTED and not request.seen:
        yield "show", world.with_request(number, seen=True)


def _recovery_events(world: World, policy: Policy) -> Iterator[Event]:
    visible = next((each for each in world.orders() if each.seen), None)
    if policy.adopts and visible is not None and world.row != PLACED:
        yield "adopt", replace(world, row=PLACED, known=visible.order_id)
    if policy.on_silence != ASK or world.row != DOUBT:
        return
    if not world.has_waited:
        yield "window passes", _after_window(world)
    if visible is not None:
        yield "query finds", replace(world, row=PLACED, known=visible.order_id)
    elif world.has_waited or not policy.waits:
        yield "query finds nothing", _absent(world, policy)


def _after_window(world: World) -> World:
    """What was sent can no longer be accepted where there is a window; what was accepted shows."""
    requests = tuple(
        replace(
            each,
            status=STALE if each.status == FLYING else each.status,
            seen=each.seen or each.status in ACCEPTED,
        )
        for each in world.requests
    )
    return replace(world, requests=requests, has_waited=True)


def _absent(world: World, policy: Policy) -> World:
    if policy.resends and world.resends:
        return replace(
            world,
            row=SENDING,
            has_waited=False,
            resends=world.resends - 1,
            workers=(*world.workers, Worker(READY)),
        )
    return replace(world, row=FAILED)
