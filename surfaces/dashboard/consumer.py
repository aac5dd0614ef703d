"""The dashboard's live channel: what happened since an event number, as rows to put in place.

The same rule as every other stream: join the group first, then read the log from the client's last
number. Nothing is sent from memory, so nothing is lost between the two, and a client that names its
last number gets each later event once. Batches leave at most four times a second.
"""

import asyncio
import contextlib
import logging
import time
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError
from django.template.loader import render_to_string
from django.utils import timezone

from common.clock import now
from common.errors import TooMany
from common.money import plain
from common.principal import Principal
from events.models import Event
from events.sequencer import last_number, stream_group
from events.stream import read_after
from surfaces.limits import Bucket, admit_address, admit_caller
from surfaces.live.handshake import read_handshake
from surfaces.live.refusals import BAD_REQUEST, NOT_AUTHENTICATED, TOO_FAST
from surfaces.policy import Policy

from .access import Visitor, visitor_of_session_key
from .figures import summary
from .first_steps import shown_steps
from .rows import LISTS, fragments, group_points, touched

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_BATCHES = 0.25
SECONDS_BETWEEN_LOOKS = 2.0
SECONDS_BETWEEN_CHECKS = 30.0
TOTALS, STEPS = "totals", "steps"
TOO_FAR_BEHIND = 5000
UNAVAILABLE = 4013


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """One open page. ``after_id`` is where it stands, ``lists`` what it shows."""

    policy = Policy.AUTHENTICATED
    visitor: Visitor
    after_id: int
    wanted: tuple[str, ...]

    async def connect(self) -> None:
        """Refuse foreign origins before the handshake, everybody else with a code after it."""
        self.pump: asyncio.Task[None] | None = None
        self.group = ""
        self.doubtful = False
        handshake = read_handshake(self.scope)
        self.address = handshake.address
        if not handshake.same_origin:
            await self.close()
            return
        await self.accept()
        try:
            visitor = await database_sync_to_async(self._admitted)()
        except TooMany:
            await self.close(TOO_FAST)
            return
        if visitor is None:
            await self.close(NOT_AUTHENTICATED)
            return
        if not self._read_query():
            await self.close(BAD_REQUEST)
            return
        self.visitor = visitor
        self.news = asyncio.Event()
        self.group = stream_group(self.principal.organisation_id)
        await self.channel_layer.group_add(self.group, self.channel_name)
        self.news.set()
        self.pump = asyncio.create_task(self._run())

    @property
    def principal(self) -> Principal:
        """Whose page it is, with the rights of the last look."""
        return self.visitor.principal

    async def disconnect(self, code: int) -> None:
        """Leave the group and end the pump."""
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)
        if self.pump and self.pump is not asyncio.current_task():
            self.pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.pump

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Answer a heartbeat; nothing else is listened to."""
        if isinstance(content, dict) and content.get("type") == "ping":
            await self.send_json({"type": "pong"})

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        """The frame as JSON, or None where it is none."""
        try:
            return await super().decode_json(text_data)
        except ValueError:
            return None

    async def events_numbered(self, message: dict[str, Any]) -> None:
        """The sequencer has numbered events of this organisation."""
        self.news.set()

    async def _run(self) -> None:
        """Send what is new until the session ends; a database error closes the socket."""
        checked_at = time.monotonic()
        try:
            head = await database_sync_to_async(last_number)()
            if head - self.after_id > TOO_FAR_BEHIND or self.after_id > head:
                await self.send_json({"type": "resync_required", "head": head})
                await self.close()
                return
            await self.send_json({"type": "ready", "head": head, "after_id": self.after_id})
            while True:
                await self._send_news()
                if self.doubtful or time.monotonic() - checked_at > SECONDS_BETWEEN_CHECKS:
                    checked_at, self.doubtful = time.monotonic(), False
                    if not await self._still_allowed():
                        await self.close(NOT_AUTHENTICATED)
                        return
                await asyncio.sleep(SECONDS_BETWEEN_BATCHES)
                # A lost announcement is made good by looking anyway. Python 3.11's wait_for would
                # lose a cancel that comes with the news, and this would go on without its page.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SECONDS_BETWEEN_LOOKS):
                        await self.news.wait()
        except DatabaseError:
            logger.exception("live channel: the log could not be read")
            await self.close(UNAVAILABLE)

    async def _send_news(self) -> None:
        self.news.clear()
        while True:
            batch = await database_sync_to_async(self._read_batch)()
            if batch is None:
                return
            self.after_id = batch["last_id"]
            # Somebody's session has ended: perhaps this one.
            self.doubtful |= any(event["kind"] == "session.revoked" for event in batch["events"])
            await self.send_json(batch)

    def _read_batch(self) -> dict[str, Any] | None:
        """The next batch in the person's time zone, or None when the log has nothing newer."""
        with timezone.override(self.visitor.zone):
            return self._make_batch()

    def _make_batch(self) -> dict[str, Any] | None:
        events, last_id = read_after(self.principal, self.after_id)
        if last_id == self.after_id:
            return None
        changed = touched(events)
        batch: dict[str, Any] = {
            "type": "batch",
            "last_id": last_id,
            "events": [{"id": event.seq, "kind": event.kind} for event in events],
            "rows": fragments(
                self.principal, changed, [name for name in self.wanted if name in LISTS]
            ),
            "figures": {},
            "equity": [_equity_point(payload) for payload in changed.equity],
            "fills": changed.fills,
            "say": _spoken(events),
        }
        if "groups" in self.wanted:
            batch["equity"] += group_points(self.principal, changed)
        if TOTALS in self.wanted and events:
            shown = summary(self.principal, self.visitor.currency)
            batch["figures"]["totals"] = render_to_string("dashboard/totals.html", shown).strip()
            at = int(now().timestamp())
            batch["equity"] += [
                {"line": total.key, "at": at, "equity": plain(total.equity)}
                for total in shown["totals"]
            ]
        if STEPS in self.wanted and events:
            steps = render_to_string("dashboard/steps.html", shown_steps(self.principal))
            batch["figures"]["steps"] = steps.strip()
        return batch

    def _read_query(self) -> bool:
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        number = query.get("after_id", [""])[0]
        self.wanted = tuple(
            name
            for name in query.get("lists", [""])[0].split(",")
            if name in LISTS or name in (TOTALS, STEPS)
        )
        if not number.isdecimal() or len(number) > 18:
            return False
        self.after_id = int(number)
        return True

    def _admitted(self) -> Visitor | None:
        """Who opens the page, counted with every other opening of a stream; raises TooMany."""
        admit_address(self.address, Bucket.STREAMS)
        visitor = self._read_visitor()
        if visitor is not None:
            admit_caller(visitor.principal, Bucket.STREAMS)
        return visitor

    def _read_visitor(self) -> Visitor | None:
        key = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME, "")
        return visitor_of_session_key(key, address=self.address) if key else None

    async def _still_allowed(self) -> bool:
        """Re-read session, user and rights: a role that was taken away ends with the next look."""
        visitor = await database_sync_to_async(self._read_visitor)()
        own = self.principal.organisation_id
        if visitor is None or visitor.principal.organisation_id != own:
            return False
        self.visitor = visitor
        return True


def _equity_point(payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "line": f"account:{payload.get('account_id')}",
        "at": int(now().timestamp()),
        "equity": str(payload.get("equity", "")),
    }


def _spoken(events: list[Event]) -> str:
    """One sentence for screen readers: the last alert, else how many orders moved."""
    for event in reversed(events):
        if event.kind == "alert.raised":
            return f"Alert: {event.payload.get('message', event.payload.get('code', ''))}"
    orders = {
        event.payload.get("order_id")
        for event in events
        if event.kind.startswith("order.") and event.payload.get("state") in ("FILLED", "REJECTED")
    }
    if not orders:
        return ""
    return f"{len(orders)} order{'s' if len(orders) > 1 else ''} finished"
