"""Who a page's session belongs to, for Django's own session machinery."""

from typing import Any

from django.contrib.auth.backends import ModelBackend


class SessionBackend(ModelBackend):
    """Reads users of sessions. Passwords are checked by ``users.proof`` alone, with throttle."""

    def authenticate(self, request: Any, **credentials: Any) -> None:
        """Nobody: there is one way in, and it is not this one."""
        return

    def user_can_authenticate(self, user: Any) -> bool:
        """Whether sessions of the user hold: not when disabled or told to set a new password."""
        return super().user_can_authenticate(user) and not user.must_reset_password
