"""A caller of the platform's HTTP doors who repeats what got no answer, under the same key."""

import random
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

PATIENCE_SECONDS = 90.0
ANSWER_SECONDS = 8.0
# Now and then a caller hangs up early and asks again while the first request is at work.
HASTY_SECONDS = 0.15
HASTY_CHANCE = 0.04
PAUSE = (0.1, 0.8)
UNANSWERED = 0
LEG = ("account_id", "command_id", "order_id", "state", "ok", "error")
REPEATED = frozenset({UNANSWERED, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Request:
    """One command as a caller sends it; the same ``key`` and content every time.

    ``kind`` is the door it goes through, ``act`` what it asks for where that door takes several.
    """

    kind: str
    method: str
    path: str
    key: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    act: str = ""


@dataclass(slots=True)
class Outcome:
    """What a caller was told in the end; ``status`` 0 when the patience ran out.

    ``correlation_id`` is the one of the last answer, ``differing`` whether two answers to the same
    key named two executions.
    """

    kind: str
    key: str
    act: str = ""
    status: int = UNANSWERED
    attempts: int = 0
    correlation_id: str = ""
    differing: bool = False
    legs: list[dict[str, Any]] = field(default_factory=list)
    target: str = ""


class Record:
    """Everything callers were told; shared by their threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.outcomes: list[Outcome] = []
        self.statuses: Counter[str] = Counter()
        self.retries = 0
        self.outside = 0
        self.commands: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()

    def note(self, status: int, kind: str) -> None:
        """Count one answer."""
        with self._lock:
            self.statuses[str(status)] += 1
            if status >= 500 and status != 503:
                self.statuses[f"{status} {kind}"] += 1

    def add(self, outcome: Outcome) -> None:
        """Keep one outcome; legs and acts that reached the ledger count as commands."""
        with self._lock:
            self.outcomes.append(outcome)
            self.retries += outcome.attempts - 1
            accepted = sum(1 for leg in outcome.legs if leg.get("order_id") or leg.get("ok"))
            if not outcome.legs and outcome.status < 400 and outcome.status != UNANSWERED:
                accepted = 1
            self.commands[outcome.act] += accepted
            for leg in outcome.legs:
                if leg.get("error"):
                    self.refusals[f"{outcome.act} {leg['error']['code']}"] += 1
            if outcome.status >= 400 or outcome.status == UNANSWERED:
                self.refusals[f"{outcome.act} {outcome.status}"] += 1

    def add_outside(self) -> None:
        """Count one trade that somebody made at the exchange itself: no command of ours."""
        with self._lock:
            self.outside += 1

    def as_json(self) -> list[dict[str, Any]]:
        """All outcomes for the checker."""
        with self._lock:
            return [asdict(outcome) for outcome in self.outcomes]


class Caller:
    """One client with its connection and its seeded chance."""

    def __init__(
        self, url: str, record: Record, chance: random.Random, headers: dict[str, str]
    ) -> None:
        self.url = url
        self.record = record
        self.chance = chance
        self.http = httpx.Client(base_url=url, timeout=ANSWER_SECONDS, headers=headers)

    def send(self, request: Request) -> Outcome:
        """Send until there is an answer that settles it, then now and then once more."""
        outcome = Outcome(request.kind, request.key, request.act or request.kind)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        again = self.chance.random() < 0.1
        while time.monotonic() < give_up_at:
            status = self._try(request, outcome)
            if status not in REPEATED:
                if not again:
                    break
                again = False
            time.sleep(self.chance.uniform(*PAUSE))
        self.record.add(outcome)
        return outcome

    def _try(self, request: Request, outcome: Outcome) -> int:
        hasty = self.chance.random() < HASTY_CHANCE
        outcome.attempts += 1
        status, document = self._exchange(request, HASTY_SECONDS if hasty else ANSWER_SECONDS)
        self.record.note(status, request.kind)
        if status in REPEATED:
            return status
        outcome.status = status
        if status < 300:
            _take(outcome, document)
        return status

    def _exchange(self, request: Request, seconds: float) -> tuple[int, dict[str, Any]]:
        headers = {"Idempotency-Key": request.key} if request.key else {}
        form = request.kind == "cancel"
        content = {"data": request.body} if form else {"json": request.body}
        try:
            answer = self.http.request(
                request.method, request.path, headers=headers, timeout=seconds, **content
            )
        except httpx.TransportError:
            return UNANSWERED, {}
        if "json" not in answer.headers.get("content-type", ""):
            return answer.status_code, {}
        return answer.status_code, dict(answer.json())


def _take(outcome: Outcome, document: dict[str, Any]) -> None:
    data = document.get("data") or document
    lone = outcome.kind == "command" and data["results"][0]
    told = str((lone and lone.get("command_id")) or data.get("correlation_id") or "")
    if outcome.correlation_id and told != outcome.correlation_id:
        outcome.differing = True
    outcome.correlation_id = told or outcome.correlation_id
    outcome.legs = [{name: leg.get(name) for name in LEG} for leg in data.get("results", ())]


def sign_in(caller: Caller, username: str, password: str) -> str:
    """Open a dashboard session; returns the form token that its posts need."""
    page = caller.http.get("/dashboard/login/")
    token = page.cookies["csrftoken"]
    form = {"username": username, "password": password, "csrfmiddlewaretoken": token}
    answer = caller.http.post("/dashboard/login/", data=form)
    assert answer.status_code == httpx.codes.FOUND, answer.text
    return str(caller.http.cookies["csrftoken"])
