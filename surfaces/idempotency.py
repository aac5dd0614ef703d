"""The Idempotency-Key header: one key, one act, however often it is sent."""

import re

from rest_framework.request import Request

from common.errors import Invalid

MAX_KEY_LENGTH = 100
REPLAYED = "Idempotent-Replayed"
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,100}\Z")


def idempotency_key(request: Request) -> str:
    """The Idempotency-Key header, empty without one; raises Invalid for an unusable one."""
    key = request.headers.get("Idempotency-Key", "")
    if key and not _IDEMPOTENCY_KEY.match(key):
        raise Invalid(
            "The Idempotency-Key is not usable.",
            fields={"Idempotency-Key": f"1 to {MAX_KEY_LENGTH} visible ASCII characters"},
        )
    return key


def replayed(*, is_repeat: bool) -> dict[str, str]:
    """The header that tells a repeat, whose body is the first answer's."""
    return {REPLAYED: "true"} if is_repeat else {}
