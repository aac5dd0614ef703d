"""Who is asking: one value that every surface builds and every queryset understands."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime

ADMIN, TRADER, EXPORTER, VIEWER = "admin", "trader", "exporter", "viewer"
READ, TRADE, RISK, LIVE = "read", "trade", "risk", "live"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller within one organisation.

    ``account_ids`` is None for "all accounts of the organisation". ``key`` names the caller in
    idempotency keys and audit records (``user:3``, ``key:8``, ``bot:5``, ``system``). ``grants``
    maps an account id to its rights (read, trade, risk, live). ``scopes`` limits a machine's
    credential to some rights and permissions; None limits nothing. ``expires_at`` is when a key
    ends; None for one that does not, and for people.
    """

    organisation_id: int
    role: str
    key: str
    user_id: int | None = None
    user_uuid: uuid.UUID | None = None
    username: str = ""
    session_id: uuid.UUID | None = None
    account_ids: frozenset[int] | None = None
    grants: dict[int, frozenset[str]] = field(default_factory=dict)
    is_superuser: bool = False
    address: str = ""
    scopes: frozenset[str] | None = None
    expires_at: datetime | None = None

    @property
    def is_admin(self) -> bool:
        """Whether the caller administers its organisation."""
        return self.role == ADMIN or self.is_superuser

    def may(self, right: str, account_id: int) -> bool:
        """Whether a right (read, trade, risk, live) is held on an account of the own
        organisation.
        """
        if self.account_ids is not None and account_id not in self.account_ids:
            return False
        if self.scopes is not None and right not in self.scopes:
            return False
        if self.is_admin:
            return True
        if right in self.grants.get(account_id, frozenset()):
            return True
        if right == READ:
            return True
        return right == TRADE and self.role == TRADER


def system_principal(organisation_id: int, key: str = "system") -> Principal:
    """The platform itself acting within an organisation (recovery, bots, bootstrap)."""
    return Principal(organisation_id=organisation_id, role=ADMIN, key=key, username=key)


@dataclass(frozen=True, slots=True)
class OutsideKey:
    """A key that the settings give, without the key itself: whom it stands for and as what.

    ``name`` is the beginning of its SHA-256 and marks its acts; an empty ``user_id`` means the
    oldest superuser. Ids are numbers or uuids.
    """

    name: str
    user_id: str
    organisation_id: str
    role: str
    label: str
