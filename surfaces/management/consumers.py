"""The live channel of 001: ``/ws/{user_id}`` and ``/api/v1/ws/{user_id}``."""

import uuid
from functools import partial
from typing import Any

from channels.db import database_sync_to_async

from bots.models import Bot
from common.clock import iso, now
from common.principal import Principal
from events.models import Event
from surfaces.live.feed import Frame
from surfaces.live.refusals import FOREIGN, Refused
from surfaces.live.resuming import resume
from surfaces.live.socket import LiveSocket
from surfaces.live.stream import Channel
from surfaces.lookups import lookup_of

ALL = "all"
MAX_CHANNELS = 200


class UserSocket(LiveSocket):
    """One user's connection: bot updates, and all events for whoever asks for them."""

    def admit(self, principal: Principal) -> None:
        """The path must name the caller itself; raises Refused."""
        super().admit(principal)
        if not _is_own_address(self.scope["url_route"]["kwargs"]["user_id"], principal):
            raise Refused(FOREIGN)

    async def entered(self, current: int) -> None:
        """Say hello with the number of the newest event."""
        await self.emit({"type": "hello", "event_id": current, "timestamp": iso(now())})

    async def act(self, message: dict[str, Any]) -> None:
        """One message of 001."""
        match message.get("type"):
            case "ping":
                self.say({"type": "pong", "timestamp": iso(now())})
            case "pong" | "auth":
                return
            case "subscribe":
                await self._subscribe(message)
            case "unsubscribe":
                self._unsubscribe(message)
            case "resume":
                await resume(self, message.get("after_id"), name="after_id")
            case _:
                self.fault("unknown_type", "There is no such message type.")

    async def _subscribe(self, message: dict[str, Any]) -> None:
        if message.get("channel") == ALL:
            channel = Channel(ALL, _event_frame, shared=ALL)
            self._serve(channel, {"type": "subscribed", "channel": ALL})
        elif (bot := await self._bot(message.get("bot_id"))) is None:
            self.fault("bot_not_found", "There is no such bot.")
        else:
            number = str(bot.pk)
            topics = frozenset({f"bot:{bot.pk}", f"magic:{bot.magic_id}"})
            frame = partial(_bot_frame, number)
            state = {"id": number, "name": bot.name, "status": bot.status}
            self._serve(
                Channel(number, frame, shared=("bot", number), topics=topics),
                {"type": "subscribed", "bot_id": number, "data": state},
            )

    def _serve(self, channel: Channel, answer: Frame) -> None:
        async def job() -> None:
            if self.stream is None:
                return
            if self.stream.channel_count >= MAX_CHANNELS:
                self.fault("too_many_channels", f"At most {MAX_CHANNELS} subscriptions.")
            else:
                await self.stream.subscribe(channel, answer, self.emit)

        self.writer.do(job)

    def _unsubscribe(self, message: dict[str, Any]) -> None:
        key = "channel" if message.get("channel") == ALL else "bot_id"
        name = str(message.get(key))

        async def job() -> None:
            if self.stream is not None:
                self.stream.unsubscribe(name)
            await self.emit({"type": "unsubscribed", key: name})

        self.writer.do(job)

    async def _bot(self, bot_id: Any) -> Bot | None:
        principal = self.principal
        is_id = isinstance(bot_id, (int, str)) and not isinstance(bot_id, bool)
        key = lookup_of(str(bot_id), Bot) if is_id else None
        if principal is None or key is None:
            return None
        read = database_sync_to_async(
            Bot.objects.visible_to(principal).filter(**key).first, thread_sensitive=False
        )
        found: Bot | None = await read()
        return found


def _is_own_address(user_id: str, principal: Principal) -> bool:
    """Whether the path names the caller itself, by number or uuid."""
    if user_id.isdecimal():
        return int(user_id) == principal.user_id
    try:
        return uuid.UUID(user_id) == principal.user_uuid
    except ValueError:
        return False


def _event_frame(event: Event) -> Frame:
    return {"type": "event", **_body(event)}


def _bot_frame(bot_id: str, event: Event) -> Frame:
    return {"type": "bot_update", "bot_id": bot_id, **_body(event)}


def _body(event: Event) -> Frame:
    return {
        "event_id": event.seq,
        "event": event.kind,
        "data": event.payload,
        "timestamp": iso(event.created_at),
    }
