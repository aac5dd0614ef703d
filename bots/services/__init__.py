"""Making bots and changing them: their status, what they reach, what authenticates their alerts."""

from .connections import connect_account, disconnect_account, set_connections, targets
from .creating import create_bot
from .ending import ACCOUNT_SCOPE, SCOPES, Ending, preview_termination, terminate
from .secrets import renew_path_token
from .statuses import set_status

__all__ = [
    "ACCOUNT_SCOPE",
    "SCOPES",
    "Ending",
    "connect_account",
    "create_bot",
    "disconnect_account",
    "preview_termination",
    "renew_path_token",
    "set_connections",
    "set_status",
    "targets",
    "terminate",
]
