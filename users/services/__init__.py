"""Making and changing organisations, users and keys."""

from users.passwords import issue_reset

from .keys import create_api_key, revoke_api_key
from .organisations import create_organisation
from .people import change_user, create_user, end_session, revoke_sessions

__all__ = [
    "change_user",
    "create_api_key",
    "create_organisation",
    "create_user",
    "end_session",
    "issue_reset",
    "revoke_api_key",
    "revoke_sessions",
]
