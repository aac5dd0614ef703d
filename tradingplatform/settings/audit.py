"""The audit trail outside the database: where its files lie, what signs its anchors."""

import hmac
from hashlib import sha256

from tradingplatform.settings import environment
from tradingplatform.settings.backends import DATA_DIR

# Signs sessions and forms; the anchor key is derived from it where none is given.
SECRET_KEY = environment.signing_key("SECRET_KEY")
OMS_AUDIT_DIR = environment.directory("OMS_AUDIT_DIR", DATA_DIR / "audit")


def _anchor_key() -> str:
    if environment.text("AUDIT_ANCHOR_KEY"):
        return environment.signing_key("AUDIT_ANCHOR_KEY")
    return hmac.new(SECRET_KEY.encode(), b"audit anchors", sha256).hexdigest()


AUDIT_ANCHOR_KEY = _anchor_key()
