"""How much a client of a socket may send."""

import time
from collections import deque

MAX_FRAME_BYTES, MAX_FIRST_FRAME_BYTES = 65_536, 4_096
MAX_FAULTS_PER_MINUTE, MAX_FRAMES_PER_SECOND = 10, 50


class FrameLimits:
    """Counts a connection's frames and faults."""

    def __init__(self) -> None:
        self._frames: deque[float] = deque(maxlen=MAX_FRAMES_PER_SECOND)
        self._faults: deque[float] = deque(maxlen=MAX_FAULTS_PER_MINUTE)

    def is_too_fast(self) -> bool:
        """Count a frame; whether it is one too many within a second."""
        moment = time.monotonic()
        if len(self._frames) == MAX_FRAMES_PER_SECOND and moment - self._frames[0] < 1:
            return True
        self._frames.append(moment)
        return False

    def is_too_faulty(self) -> bool:
        """Count a fault; whether it is the tenth within a minute."""
        self._faults.append(time.monotonic())
        full = len(self._faults) == MAX_FAULTS_PER_MINUTE
        return full and self._faults[-1] - self._faults[0] < 60


def is_too_big(text: str | None, binary: bytes | None, *, is_known: bool) -> bool:
    """Whether a frame exceeds the limit, which is lower before authentication."""
    limit = MAX_FRAME_BYTES if is_known else MAX_FIRST_FRAME_BYTES
    if binary is not None:
        return len(binary) > limit
    return len((text or "").encode("utf-8", "surrogatepass")) > limit
