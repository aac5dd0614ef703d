"""A client of ``/v1/stream`` that reads event by event."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from django.test import AsyncClient

from tests.waiting import PATIENCE

PATH = "/v1/stream"


class Events:
    """An open stream; ``last_id`` is what a browser would come back with."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.comments = 0
        self.last_id = ""
        self._texts: AsyncIterator[Any] = aiter(response)
        self._waiting: list[str] = []

    async def next(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """The next event: its name, id and data; comments are counted and passed over."""
        async with asyncio.timeout(seconds):
            while True:
                event = read_block(await self._block())
                if event is not None:
                    self.last_id = str(event["id"])
                    return event
                self.comments += 1

    async def next_comment(self) -> None:
        """Until the next comment, which must come before any event."""
        async with asyncio.timeout(PATIENCE):
            assert read_block(await self._block()) is None
        self.comments += 1

    async def _block(self) -> str:
        if not self._waiting:
            text = (await anext(self._texts)).decode()
            self._waiting = [each for each in text.split("\n\n") if each]
        return self._waiting.pop(0)

    async def close(self) -> None:
        """Leave, as a client whose connection ends."""
        async with aclosing(self._texts):  # type: ignore[type-var]
            pass
        self.response.close()


def read_block(text: str) -> dict[str, Any] | None:
    """A block of the stream as name, id and data; None for a comment."""
    if text.startswith(":"):
        return None
    fields = dict(line.split(": ", 1) for line in text.splitlines())
    return {
        "name": fields["event"],
        "id": int(fields["id"]),
        "data": json.loads(fields["data"]),
    }


async def asked(query: str = "", **headers: str) -> Any:
    """The response to an opening."""
    client = AsyncClient()
    client.cookies.load(headers.pop("cookie", ""))
    return await client.get(f"{PATH}{query}", headers=headers)


@asynccontextmanager
async def opened(query: str = "", **headers: str) -> AsyncIterator[Events]:
    """A stream that was let in."""
    response = await asked(query, **headers)
    assert response.status_code == 200, response.content
    events = Events(response)
    try:
        yield events
    finally:
        await events.close()
