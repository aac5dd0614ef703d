"""API keys of the simulated exchange and the check of signed requests."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from exchanges.simulator import errors

FUTURE_TOLERANCE_MS = 1000
LONGEST_WINDOW_MS = 60_000

# How a venue treats client order ids and request windows: as Binance does; without client ids
# (those sent are ignored, own ones shown, none can be looked up); or with no window enforced.
BY_BINANCE, WITHOUT_CLIENT_IDS, WITHOUT_WINDOW = "normal", "none", "no_window"
CLIENT_ID_MODES = (BY_BINANCE, WITHOUT_CLIENT_IDS, WITHOUT_WINDOW)


@dataclass(slots=True)
class ApiKey:
    """One key. Without a secret (an enrolled key) signatures are not checked.

    ``client_ids`` is one of ``CLIENT_ID_MODES``; ``owner`` is the number of the account that the
    key says it is of, 0 for one of its own.
    """

    name: str
    secret: str | None = None
    revoked: bool = False
    withdrawals: bool = False
    client_ids: str = BY_BINANCE
    owner: int = 0

    @property
    def uid(self) -> int:
        """The number of the account that the key belongs to: the owner's, else the key's own; 0 for
        an enrolled key, of which nobody knows whose it is.
        """
        if self.secret is None:
            return self.owner
        return self.owner or int(hashlib.sha256(self.name.encode()).hexdigest()[:8], 16)

    @property
    def knows_client_ids(self) -> bool:
        """Whether orders keep the client id they were sent with and are found by it."""
        return self.client_ids != WITHOUT_CLIENT_IDS

    @property
    def has_window(self) -> bool:
        """Whether a request is refused once its window is over."""
        return self.client_ids != WITHOUT_WINDOW

    def to_json(self) -> dict[str, Any]:
        """The key as stored in the journal; holds the secret."""
        return {
            "name": self.name,
            "secret": self.secret,
            "revoked": self.revoked,
            "withdrawals": self.withdrawals,
            "client_ids": self.client_ids,
            "owner": self.owner,
        }


def check_signature(key: ApiKey, payload: str, signature: str) -> None:
    """Raise ``ApiError`` -1022 unless ``signature`` is the HMAC-SHA256 of ``payload`` in hex."""
    if key.secret is None:
        return
    wanted = hmac.new(key.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, signature):
        raise errors.bad_signature()


def check_window(key: ApiKey, timestamp: str, window: str, now_ms: int) -> None:
    """Raise ``ApiError`` -1021 (-1102, -1131) unless the timestamp lies in its window.

    A key without a window is only held to the form of its timestamp.
    """
    if not timestamp.isdigit():
        raise errors.missing("timestamp")
    length = int(window) if window.isdigit() else 5000
    if length > LONGEST_WINDOW_MS:
        raise errors.ApiError(-1131, "recvWindow must be less than 60000")
    sent = int(timestamp)
    if not key.has_window:
        return
    if sent > now_ms + FUTURE_TOLERANCE_MS or now_ms - sent > length:
        raise errors.outside_window()
