"""The bench's own desk: a process that makes accounts and submits signals, as a web process does.

`python -m tests.bench.desk` reads its database from the environment and runs the commands it reads.
"""

import json
import os
import socket
import time
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingplatform.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Count, Min  # noqa: E402

from accounts.models import Account  # noqa: E402
from accounts.services import create_account  # noqa: E402
from bots.services import create_bot  # noqa: E402
from common.clock import now  # noqa: E402
from common.principal import system_principal  # noqa: E402
from events.consumers import registered  # noqa: E402
from events.models import ConsumerCursor, Event  # noqa: E402
from events.sequencer import last_number  # noqa: E402
from exchanges import gateway  # noqa: E402
from tests.bench.lines import serve_lines  # noqa: E402
from tests.bench.stopwatch import SETTING  # noqa: E402
from trading.models import Command, Order  # noqa: E402
from trading.services.commands import submit  # noqa: E402
from trading.services.intents import OrderIntent  # noqa: E402
from trading.services.market_view import view_markets  # noqa: E402
from users.models import Organisation, Role  # noqa: E402
from users.services import create_api_key, create_organisation, create_user  # noqa: E402
from webhooks.models import Signal  # noqa: E402

SYMBOL, QUANTITY = "BTC/USDT", Decimal("0.001")
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.02


class Desk:
    """An organisation with accounts at the mock exchange, and a stopwatch to read."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._seen: dict[int, dict[str, float]] = {}
        if address := os.environ.get(SETTING):
            with suppress(FileNotFoundError):
                Path(address).unlink()
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.bind(address)

    def prepare(self) -> None:
        """Make the tables and the organisation."""
        call_command("migrate", verbosity=0)
        create_organisation(name="Bench")

    def grow(self, accounts: int, venues: list[str]) -> int:
        """Make accounts until there are so many, spread over the venues; each with fresh equity."""
        principal = self._principal()
        for number in range(Account.objects.count(), accounts):
            create_account(
                principal=principal,
                name=f"Bench {number}",
                venue=venues[number % len(venues)],
                api_key=f"desk-{number}",
                api_secret=f"secret-{number}",
            )
        Account.objects.update(equity=Decimal(1_000_000), equity_at=now())
        first = list(Account.objects.order_by("pk")[: len(venues)])
        view_markets(first, [SYMBOL])
        gateway.shutdown()
        return Account.objects.count()

    def add_key(self) -> str:
        """An API key of a new administrator."""
        user = create_user(
            organisation=Organisation.objects.all()[0],
            username="bench",
            email="bench@example.org",
            password=None,
            role=Role.ADMIN,
        )
        return create_api_key(user=user, label="bench")[1]

    def account_ids(self, n: int) -> list[int]:
        """The numbers of the first ``n`` accounts."""
        return list(Account.objects.order_by("pk").values_list("pk", flat=True)[:n])

    def add_bot(self, name: str, first: int, count: int) -> str:
        """A bot over ``count`` accounts from number ``first`` on; its signing secret."""
        ids = list(Account.objects.order_by("pk").values_list("pk", flat=True))
        _, secrets = create_bot(
            principal=self._principal(), name=name, account_ids=ids[first : first + count]
        )
        return secrets.hmac_secret

    def add_people(self, count: int) -> list[str]:
        """So many viewers, whose passwords are their names."""
        names = [f"a-person-of-the-bench-{number}" for number in range(count)]
        organisation = Organisation.objects.get()
        for name in names:
            email = f"{name}@example.org"
            create_user(organisation=organisation, username=name, email=email, password=name)
        return names

    def _principal(self) -> Any:
        return system_principal(Organisation.objects.values_list("pk", flat=True)[0])

    def _intents(self, n: int) -> list[OrderIntent]:
        ids = self.account_ids(n)
        return [OrderIntent(each, SYMBOL, "buy", quantity=QUANTITY) for each in ids]

    def fan_out(self, n: int) -> dict[str, float]:
        """Submit one signal to ``n`` accounts and wait: seconds from the call to the last ack and
        to the last row, to the last event handed out, and the CPU seconds of the call.
        """
        intents, principal = self._intents(n), self._principal()
        before = self._totals()
        began, cpu = time.monotonic(), time.thread_time()
        submit(principal=principal, intents=intents, source="bench")
        submitted, cpu = time.monotonic(), time.thread_time() - cpu
        after = self._await(before["written"] + n)
        self.settle()
        return {
            "submit": submitted - began,
            "ack": after["acked_at"] - began,
            "rows": after["written_at"] - began,
            "events": time.monotonic() - began,
            "cpu": cpu,
        }

    def sustain(self, n: int, seconds: float) -> dict[str, float]:
        """Fan-outs to ``n`` accounts, the next one submitted while the last is under way."""
        intents, principal = self._intents(n), self._principal()
        start = self._totals()["written"]
        began, cpu, orders = time.monotonic(), time.thread_time(), 0
        while time.monotonic() - began < seconds:
            submit(principal=principal, intents=intents, source="bench")
            orders += n
            self._await(start + orders - n)
        cpu = time.thread_time() - cpu
        after = self._await(start + orders)
        self.settle()
        return {"orders": orders, "wall": after["written_at"] - began, "cpu": cpu}

    def _totals(self) -> dict[str, float]:
        """Sums over the workers, and the latest times."""
        seen = self._seen.values()
        sums = {name: sum(each[name] for each in seen) for name in ("acks", "written")}
        return sums | {
            name: max((each[name] for each in seen), default=0.0)
            for name in ("acked_at", "written_at")
        }

    def _await(self, written: float) -> dict[str, float]:
        """Read the stopwatch until so many answers are written."""
        assert self._socket is not None
        self._socket.settimeout(PATIENCE_SECONDS)
        while (totals := self._totals())["written"] < written:
            figures = json.loads(self._socket.recv(4096))
            self._seen[figures["pid"]] = figures
        return totals

    def await_written(self, n: int) -> None:
        """Wait until ``n`` answers are written since the worker's start, and all is settled."""
        self._await(n)
        self.settle()

    def forget_workers(self) -> None:
        """The workers were stopped: what they told does not count any more."""
        self._seen.clear()

    def settle(self) -> None:
        """Wait until every event is numbered and has been handed to every consumer."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not self._is_settled():
            if time.monotonic() > give_up_at:
                raise TimeoutError("events are not handed out")
            time.sleep(LOOK_SECONDS)

    def _is_settled(self) -> bool:
        if Event.objects.unnumbered().exists():
            return False
        cursors = ConsumerCursor.objects.aggregate(low=Min("seq"))["low"]
        return not registered() or cursors == last_number()

    def unread(self) -> int:
        """How many accounts no worker has read yet."""
        return Account.objects.filter(synced_at=None).count()

    def tally(self) -> dict[str, int]:
        """Rows of the ledger by state, and how many orders are not settled."""
        rows = Order.objects.order_by().values_list("state")
        return dict(rows.annotate(count=Count("pk")))

    def reasons(self) -> dict[str, int]:
        """Why legs have no order at the exchange, and signals that are not finished."""
        refused = Command.objects.exclude(reason_code="").values_list("reason_code", flat=True)
        unsent = Order.objects.exclude(error_code="").values_list("error_code", flat=True)
        waiting = Signal.objects.exclude(state=Signal.State.FINISHED)
        return dict(Counter([*refused, *unsent, *waiting.values_list("state", flat=True)]))

    def stored_at(self) -> dict[str, float]:
        """When each signal was stored, by its alert's id, in seconds since the epoch."""
        rows = Signal.objects.values_list("alert_id", "received_at")
        return {alert_id: at.timestamp() for alert_id, at in rows}

    def statements(self, n: int) -> int:
        """How many statements one submit to ``n`` accounts makes."""
        intents, principal = self._intents(n), self._principal()
        connection.force_debug_cursor = True
        connection.queries_log.clear()
        submit(principal=principal, intents=intents, source="bench")
        connection.force_debug_cursor = False
        return len(connection.queries_log)


if __name__ == "__main__":
    desk = Desk()
    serve_lines(
        {
            name: getattr(desk, name)
            for name in (
                "prepare",
                "grow",
                "add_key",
                "account_ids",
                "add_bot",
                "add_people",
                "fan_out",
                "sustain",
                "await_written",
                "forget_workers",
                "settle",
                "unread",
                "tally",
                "reasons",
                "stored_at",
                "statements",
            )
        }
    )
