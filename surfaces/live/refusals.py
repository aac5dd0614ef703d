"""Why a connection ends: the close codes, and the refusal that carries one."""

# Codes of the standard (RFC 6455), sent by the server itself.
REFUSED_HEADERS, TOO_BIG, BROKEN, SLOW = 1008, 1009, 1011, 1013
# Our own.
BAD_REQUEST, NOT_AUTHENTICATED, FOREIGN, TOO_FAST = 4400, 4401, 4403, 4429


class Refused(Exception):  # noqa: N818 - a refusal with a close code, not a fault of ours
    """Ends the connection with a close code; ``message`` goes out as an error frame before."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
