"""Making bots and changing them: their status, what they reach, what authenticates their alerts."""

from .connections import connect_account, disconnect_account, set_connections, targets
from .creating import create_bot
from .door import set_door
from .ending import ACCOUNT_SCOPE, SCOPES, Ending, preview_termination, terminate
from .secrets import Renewed, renew_secret, retire_secret
from .statuses import set_status

__all__ = [
    "ACCOUNT_SCOPE",
    "SCOPES",
    "Ending",
    "Renewed",
    "connect_account",
    "create_bot",
    "disconnect_account",
    "preview_termination",
    "renew_secret",
    "retire_secret",
    "set_connections",
    "set_door",
    "set_status",
    "targets",
    "terminate",
]
