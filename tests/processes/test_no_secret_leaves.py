"""Marker secrets, sought wherever a running platform writes, stores, sends or shows anything."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import connection
from django.db.models import Model
from django.urls import reverse
from websockets.sync.client import connect

from accounts.models import Account
from bots.models import Bot
from events.models import AuditRecord, Event
from tests.processes.harness import WEB, Platform
from tests.processes.proof import await_settled
from tests.processes.test_nothing_lost import suffer
from tests.trading.rehearsal import Exchange
from tests.waiting import PATIENCE
from trading.models import Command, Order, OrderEvent
from users.models import ApiKey, AuthSession, Organisation, Role, User
from users.services import create_user
from webhooks.authentication import SIGNATURE_HEADER, sign
from webhooks.models import Signal

pytestmark = pytest.mark.slow

API_KEY, API_SECRET = "markerExchangeKey7Hq2", "markerExchangeSecret9Zx4"
PASSPHRASE, REVOKED_KEY = "markerPassphrase3Wv8", "markerRevokedKey5Tn6"
PASSWORD, WRONG_PASSWORD = "markerUserPassword1Kd7", "markerMistypedPassword2Lp9"
BODY_SECRET, WRONG_SECRET = "markerBodySecret4Rb0Qw8", "markerMistypedSecret6Yc3"
MARKERS = {
    "exchange key": API_KEY,
    "exchange secret": API_SECRET,
    "passphrase": PASSPHRASE,
    "revoked key": REVOKED_KEY,
    "password": PASSWORD,
    "mistyped password": WRONG_PASSWORD,
    "body secret": BODY_SECRET,
    "mistyped body secret": WRONG_SECRET,
}
USER = "keeper"
DOOR = "/api/v1/webhook/tradingview"
READ = (
    "/api/v1/auth/me", "/api/v1/bots/list", "/api/v1/accounts/list", "/api/v1/health",
    "/api/v1/groups", "/api/schema/",
)  # fmt: skip

CONSOLE: tuple[type[Model], ...] = (
    Account, Bot, Order, OrderEvent, Command, Signal, AuditRecord, Event, User, ApiKey, AuthSession,
)  # fmt: skip


@dataclass
class Evidence:
    """Everything that left the platform, by where it was found."""

    secrets: dict[str, str]
    texts: list[tuple[str, str]] = field(default_factory=list)

    def keep(self, place: str, text: str) -> None:
        """Remember a text for :meth:`check`."""
        self.texts.append((place, text))

    def check(self) -> None:
        """No secret is in any text; names the secrets and places, never the text."""
        found = {
            f"{name} in {place}"
            for place, text in self.texts
            for name, secret in self.secrets.items()
            if secret in text
        }
        assert found == set()

    def holds(self, place: str, text: str) -> bool:
        """Whether what was kept from a place has a text: the proof that it was looked at."""
        return any(text in each for where, each in self.texts if where.startswith(place))


@dataclass
class Caller:
    """A person at the platform: calls, pages and alerts, each answer kept as evidence."""

    platform: Platform
    exchange: Exchange
    session: httpx.Client
    evidence: Evidence
    token: str = ""
    bot: dict[str, Any] = field(default_factory=dict)

    def call(self, method: str, path: str, *, once: bool = False, **request: Any) -> httpx.Response:
        """One API call; an answer that shows a new secret this ``once`` is no evidence."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = self.platform.client.request(
            method, self.platform.url + path, **{"headers": headers, **request}
        )
        if not once:
            self.evidence.keep(f"answer of {path[:40]}", answer.text + str(answer.headers))
        return answer

    def log_in(self) -> None:
        """By the API and by the dashboard's form; a mistyped password before."""
        wrong = {"username": USER, "password": WRONG_PASSWORD}
        assert self.call("POST", "/api/v1/auth/login", json=wrong).status_code == 401
        right = {"username": USER, "password": PASSWORD}
        tokens = self.call("POST", "/api/v1/auth/login", once=True, json=right).json()
        self.token = tokens["access_token"]
        refreshed = {"refresh_token": tokens["refresh_token"]}
        again = self.call("POST", "/api/v1/auth/refresh", once=True, json=refreshed).json()
        self.evidence.secrets |= {
            "access token": self.token,
            "refresh token": tokens["refresh_token"],
            "second access token": again["access_token"],
        }
        form = self.session.get("/dashboard/login/").text
        proof = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert proof is not None
        entered = self.session.post(
            "/dashboard/login/",
            data={"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": proof[1]},
            headers={"Referer": self.platform.url},
        )
        assert str(entered.url).endswith("/dashboard/")

    def create(self) -> None:
        """Two accounts and a bot; refused calls carry the secrets too."""
        account = {"exchange": "rehearsal", "api_secret": API_SECRET, "passphrase": PASSPHRASE}
        created = [
            self.call("POST", "/api/v1/accounts/create", json=account | {"api_key": key}).json()
            for key in (API_KEY, REVOKED_KEY)
        ]
        first = account | {"api_key": API_KEY}
        for refused in (first, first | {"secret_of_mine": API_SECRET}, first | {"mode": API_KEY}):
            answer = self.call("POST", "/api/v1/accounts/create", json=refused)
            assert answer.status_code in (409, 422)
        torn = json.dumps(first)[:-1].encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        answer = self.call("POST", "/api/v1/accounts/create", content=torn, headers=headers)
        assert answer.status_code == 400
        ids = [each["account_id"] for each in created]
        wanted = {"name": "lighthouse", "account_ids": ids, "body_secret": BODY_SECRET}
        self.bot = self.call("POST", "/api/v1/bots/create", once=True, json=wanted).json()
        self.evidence.secrets |= {
            "path token": self.bot["path_token"],
            "HMAC secret": self.bot["hmac_secret"],
        }

    def alert(self, mode: str, **fields: str) -> int:
        """Send an alert authenticated by ``hmac``, ``token``, ``secret`` or ``wrong``."""
        alert = {"botname": "lighthouse", "symbol": "ETHUSDT", "side": "buy", "size": "1"} | fields
        if mode in ("secret", "wrong"):
            alert["secret"] = BODY_SECRET if mode == "secret" else WRONG_SECRET
        # A key that is written with an escape is the same key.
        body = json.dumps(alert).replace('"secret"', '"secre\\u0074"').encode()
        headers = {"Content-Type": "text/plain"}
        if mode == "hmac":
            headers[SIGNATURE_HEADER] = sign(self.bot["hmac_secret"], body)
        path = f"{DOOR}/{self.bot['path_token']}" if mode == "token" else DOOR
        return self.call("POST", path, content=body, headers=headers).status_code

    def lose_key(self) -> None:
        """The exchange takes a key away: an order is refused first, then a question.

        It does so with the order in hand: if it did before, a poll might suspend the account and
        no order would be sent.
        """
        suffer(self.exchange, REVOKED_KEY, "key_revoked")
        assert self.alert("token", alert_id="two") == 200
        await_settled()
        refused = Order.objects.get(error_code="key_refused").account
        assert (refused.status, refused.status_reason) == ("suspended", "key_refused")
        answer = self.call("POST", f"/api/v1/accounts/{refused.pk}/sync-balance")
        refused.refresh_from_db()
        assert (answer.status_code, refused.sync_error) == (503, "key_refused")

    def listen(self) -> None:
        """Hear all events from the first one, by a token in the address."""
        own = self.call("GET", "/api/v1/auth/me").json()["user_id"]
        address = f"ws{self.platform.url[4:]}/ws/{own}?token={self.token}&after_id=0"
        with connect(address) as socket:
            socket.send(json.dumps({"type": "subscribe", "channel": "all"}))
            try:
                while True:
                    self.evidence.keep("socket", str(socket.recv(timeout=1.5)))
            except TimeoutError:
                return

    def look_around(self) -> None:
        """The reading routes, the dashboard, and the console's pages of what is near a secret."""
        for path in READ:
            assert self.call("GET", path).status_code == 200, path
        by_key = {"x-api-key": self.platform.api_key}
        for signal in Signal.objects.all():
            self.call("GET", f"/api/v1/webhook/signals/{signal.correlation_id}", headers=by_key)
        account, order = Account.objects.earliest("pk").pk, Order.objects.earliest("pk").pk
        pages = (
            "",
            "accounts/",
            f"accounts/{account}/",
            "orders/",
            f"orders/{order}/",
            "positions/",
        )
        for name in pages:
            self.page(f"/dashboard/{name}")
        signal_page = f"/dashboard/signals/{Signal.objects.earliest('pk').correlation_id}/"
        self.page("/dashboard/signals/")
        self.page(signal_page)
        for model in CONSOLE:
            route = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            self.page(reverse(f"{route}_changelist"))
            self.page(reverse(f"{route}_change", args=[model._default_manager.earliest("pk").pk]))

    def page(self, path: str) -> None:
        """Open a page as the person who logged in by the form."""
        answer = self.session.get(path)
        assert answer.status_code == httpx.codes.OK, path
        self.evidence.keep(f"page {path}", answer.text)


@pytest.fixture
def keeper(organisation: Organisation, real_password_hashing: None) -> None:
    """An administrator who logs in with the marker password and may open the console."""
    create_user(
        organisation=organisation,
        username=USER,
        email="keeper@example.com",
        password=PASSWORD,
        role=Role.ADMIN,
        is_staff=True,
        is_superuser=True,
    )


def drained_queues() -> str:
    """All task messages that wait at the broker, headers and arguments in the clear; taken away."""
    found = []
    with current_app.connection_for_write() as broker:
        channel = broker.default_channel
        for queue in settings.CELERY_TASK_QUEUES:
            queue(channel).declare()
            while message := channel.basic_get(queue.name, no_ack=True):
                found.append(f"{message.headers} {message.properties} {message.decode()}")
    return "\n".join(found)


def everything_in_redis() -> str:
    """Every key with its value, whatever its type."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        readers: dict[bytes, Callable[[bytes], Any]] = {
            b"string": client.get,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"hash": client.hgetall,
            b"set": client.smembers,
            b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
            b"stream": client.xrange,
        }
        kinds = {key: client.type(key) for key in client.scan_iter(count=1000)}
        return "\n".join(
            f"{key!r} {readers[kind](key)!r}" for key, kind in kinds.items() if kind in readers
        )


def all_rows() -> Iterator[tuple[str, str]]:
    """Every column of every row of every table."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            for row in cursor.fetchall():
                yield table, " ".join(str(value) for value in row)


@pytest.fixture
def caller(platform: Platform, exchange: Exchange, keeper: None) -> Iterator[Caller]:
    """The administrator, logged in nowhere yet; the platform will log all it can."""
    platform.environment |= {"LOG_LEVEL": "DEBUG", "EXCHANGE_TIMEOUT_MS": "15000"}
    with httpx.Client(base_url=platform.url, timeout=PATIENCE, follow_redirects=True) as session:
        yield Caller(platform, exchange, session, Evidence(MARKERS | {"API key": platform.api_key}))


def test_no_secret_is_in_a_log_a_queue_an_answer_a_page_or_a_table(
    platform: Platform, caller: Caller
) -> None:
    evidence = caller.evidence
    platform.start(*(() if settings.EMBEDDED else (WEB,)))
    caller.log_in()
    caller.create()
    assert caller.alert("hmac", alert_id="one") == 200
    if not settings.EMBEDDED:
        evidence.keep("redis", everything_in_redis())
        evidence.keep("queue", drained_queues())
        assert evidence.holds("queue", "trading.execute")
        platform.start()
    await_settled()
    caller.lose_key()
    assert caller.alert("secret", alert_id="three") == 200
    assert caller.alert("wrong", alert_id="four") == 401
    await_settled()
    caller.listen()
    caller.look_around()
    if not settings.EMBEDDED:
        evidence.keep("redis", everything_in_redis())
    platform.stop()
    for process in platform.begun:
        evidence.keep("output", process.output)
    for table, row in all_rows():
        evidence.keep(f"table {table}", row)
    assert evidence.holds("output", "[debug")
    assert evidence.holds("table accounts_account", "enc:v1:")
    evidence.check()
