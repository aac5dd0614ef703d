"""Forgery protection of callers that are known by a cookie: a signed token in a header.

Only a cookie is sent by a browser on its own, so only a caller whose credential was the cookie has
to show one. The token is bound to the session and good for an hour; no row is kept.
"""

from django.core.signing import BadSignature, SignatureExpired, TimestampSigner

from common.errors import Denied

HEADER = "X-CSRF-Token"
LIFE_SECONDS = 3600
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_SIGNER = TimestampSigner(salt="api-csrf")


def new_token(session: object) -> str:
    """A token for the session of this id; for nobody's when it is None."""
    return _SIGNER.sign(_subject(session))


def demand_token(token: str, session: object) -> None:
    """Raise Denied csrf_missing, csrf_expired or csrf_invalid unless the token is the session's."""
    if not token:
        raise Denied(f"This request needs the header {HEADER}.", code="csrf_missing")
    try:
        subject = _SIGNER.unsign(token, max_age=LIFE_SECONDS)
    except SignatureExpired as error:
        raise Denied("The forgery token has expired.", code="csrf_expired") from error
    except BadSignature as error:
        raise Denied("The forgery token is wrong.", code="csrf_invalid") from error
    if subject != _subject(session) or session is None:
        raise Denied("The forgery token is another session's.", code="csrf_invalid")


def _subject(session: object) -> str:
    return f"session:{session or 'none'}"
