"""What a dialect may say of its own about a live socket; each method has the usual answer."""

from typing import Any

from common.principal import Principal
from users.permissions import READ_DATA, may

from .feed import Frame
from .handshake import Handshake, number_of
from .refusals import BAD_REQUEST, FOREIGN, NOT_AUTHENTICATED, Refused


class SocketDialect:
    """The part of a socket that differs from specification to specification."""

    handshake: Handshake

    def start_of(self, oldest: int, current: int) -> int | None:
        """From which number the client resumes, None for now; raises Refused."""
        text = self.handshake.after_id
        if text is None:
            return None
        number = number_of(text)
        if number is None or number > current:
            raise Refused(BAD_REQUEST, "after_id is not a number of this log")
        return number

    def admit(self, principal: Principal) -> None:
        """Refuse somebody whom this address is not for; raises Refused."""
        if not may(principal, READ_DATA):
            raise Refused(FOREIGN)

    async def entered(self, current: int) -> None:
        """The caller is known and the stream is ready; runs in the writer."""

    def accepts(self, message: Any) -> bool:
        """Whether a frame's JSON is of the kind that :meth:`act` takes."""
        return isinstance(message, dict)

    async def act(self, message: Any) -> None:
        """One frame of a caller who is known."""

    def error_frame(self, code: str, message: str) -> Frame:
        """How the dialect says that something was wrong."""
        return {"type": "error", "code": code, "message": message}

    def ping_frame(self) -> Frame | None:
        """What keeps the line alive; None leaves that to the protocol's own pings."""
        return {"type": "ping"}

    def gap_frame(self, oldest: int, current: int) -> Frame:
        """Says that events between the client's last number and ``oldest`` are not kept."""
        return {"type": "resync_required", "oldest_id": oldest, "event_id": current}

    async def expired(self) -> None:
        """The access token has run out."""
        raise Refused(NOT_AUTHENTICATED)

    def is_streaming(self) -> bool:
        """Whether the client may be given events now."""
        return True

    async def write_more(self) -> None:
        """Send what the dialect has beside the log; runs in the writer."""
