"""How large a campaign is and how often each fault strikes."""

from dataclasses import dataclass

# Shorter than the exchange hangs, so that a hanging answer is a lost one.
VENUE_TIMEOUT_MS = 1_500

# The rates of table 3.1 of the design, which ship with the exchange as a profile.
PROFILE = "soak"
# An exchange's ordinary ways, and a wrong clock, which fires at every request of its window: they
# are told by kind, and not counted as faults.
ORDINARY = frozenset({"partial_parts", "slow_ack", "clock_skew"})


@dataclass(frozen=True, slots=True)
class Quota:
    """What a campaign must have seen before it may end.

    ``change_order`` and ``close_by`` are commands among the others, ``outside`` what somebody
    traded at the exchange itself.
    """

    commands: int
    faults: int
    change_order: int
    close_by: int
    outside: int
    worker: int = 0
    web: int = 0
    redis: int = 0
    postgres: int = 0
    server: int = 0


@dataclass(frozen=True, slots=True)
class Size:
    """One size: its quotas by mode, the accounts, the longest time of load in seconds.

    ``every`` gives the seconds between kills by role, least and most.
    """

    distributed: Quota
    embedded: Quota
    organisations: int
    accounts: int
    clients: int
    workers: int
    longest: float
    every: dict[str, tuple[float, float]]

    def quota(self, mode: str) -> Quota:
        """What must have been seen in this mode."""
        return self.embedded if mode == "embedded" else self.distributed


EVERY = {
    "worker": (0.3, 1.2), "web": (3, 6), "redis": (18, 22), "postgres": (28, 32),
    "server": (6, 10), "stop_worker": (40, 60), "stop_exchange": (25, 45), "revoke": (30, 60),
}  # fmt: skip
SMALL_EVERY = EVERY | {
    "redis": (8, 12), "postgres": (12, 16), "server": (5, 8),
    "stop_worker": (10, 15), "stop_exchange": (15, 20), "revoke": (15, 25),
}  # fmt: skip

SIZES = {
    "small": Size(
        distributed=Quota(300, 60, 1, 1, 1, worker=12, web=4, redis=2, postgres=1),
        embedded=Quota(300, 60, 1, 1, 1, server=6),
        organisations=1, accounts=24, clients=6, workers=3, longest=200, every=SMALL_EVERY,
    ),
    "gate": Size(
        distributed=Quota(2_000, 500, 20, 20, 50, worker=100, web=10, redis=10, postgres=5),
        embedded=Quota(2_000, 500, 20, 20, 50, server=30),
        organisations=2, accounts=24, clients=8, workers=4, longest=1_500, every=EVERY,
    ),
    "long": Size(
        distributed=Quota(
            50_000, 12_000, 500, 500, 1_000, worker=2_000, web=300, redis=100, postgres=60
        ),
        embedded=Quota(20_000, 5_000, 200, 200, 500, server=300),
        organisations=3, accounts=24, clients=8, workers=4, longest=9_000, every=EVERY,
    ),
}  # fmt: skip
