"""Mail: where it goes out, and the address under which people reach the platform."""

from typing import Any

import environ

from tradingplatform.settings import environment

PASSWORD_RESET_TOKEN_TTL_SECS = environment.whole("PASSWORD_RESET_TOKEN_TTL_SECS", 3600, 60, 86_400)
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "platform@localhost")
# The address that links in mails begin with.
PUBLIC_URL = (
    environment.url("PUBLIC_URL", ("http", "https"))
    or f"http://127.0.0.1:{environment.whole('PORT', 8000, 1, 65_535)}"
).rstrip("/")


def _mail() -> dict[str, Any]:
    """Django's mail settings of `EMAIL_URL`; without one, mails are printed to the log's stream."""
    schemes = ("smtp", "smtps", "smtp+tls", "smtp+ssl", "consolemail", "filemail", "memorymail")
    address = environment.text("EMAIL_URL", "consolemail://")
    if address.partition("://")[0] not in schemes:
        environment.refuse("EMAIL_URL", "must be an address like smtp+tls://user:password@host:587")
    return dict(environ.Env.email_url_config(address))


_FOUND = _mail()
EMAIL_BACKEND = _FOUND["EMAIL_BACKEND"]
EMAIL_HOST = _FOUND.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = _FOUND.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _FOUND.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _FOUND.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(_FOUND.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_FOUND.get("EMAIL_USE_SSL"))
EMAIL_FILE_PATH = _FOUND.get("EMAIL_FILE_PATH") or ""
EMAIL_TIMEOUT = 10
