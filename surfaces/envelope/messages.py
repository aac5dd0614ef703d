"""The messages of 002 on ``/ws/v1``."""

from common.errors import Unavailable
from surfaces.ws import Message, SharedSocket, takes

# What they ask for, strategies, sessions and results, does not exist yet.
TO_COME = (
    "session_start",
    "session_stop",
    "session_status",
    "get_strategies",
    "get_strategy_status",
    "activate_strategy",
    "deactivate_strategy",
    "validate_strategy_config",
    "upsert_strategy",
    "results_request",
)


def register_messages() -> None:
    """Called once per process when the app is ready."""
    for kind in TO_COME:
        takes(kind, _not_available)


async def _not_available(socket: SharedSocket, message: Message) -> None:
    raise Unavailable("This message is known and cannot be answered yet.", code="not_available")
