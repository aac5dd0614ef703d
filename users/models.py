"""Organisations, their users, keys and sessions."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower

from common.clock import now
from common.principal import ADMIN, EXPORTER, TRADER, VIEWER, Principal


class OrganisationQuerySet(models.QuerySet["Organisation"]):
    """Which organisations may be seen."""

    def visible_to(self, principal: Principal) -> "OrganisationQuerySet":
        """The own one; all of them for a superuser."""
        return self if principal.is_superuser else self.filter(pk=principal.organisation_id)


class Organisation(models.Model):
    """A tenant: owns accounts, groups, bots, keys and events. ``base_currency`` values its
    equity.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=80, unique=True)
    base_currency = models.CharField(max_length=10, default="USDT")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrganisationQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a user may do in the organisation; grants per account come on top."""

    ADMIN = ADMIN
    TRADER = TRADER
    EXPORTER = EXPORTER
    VIEWER = VIEWER


class UserQuerySet(models.QuerySet["User"]):
    """Which people may be seen."""

    def visible_to(self, principal: Principal) -> "UserQuerySet":
        """The people of the own organisation; everybody for a superuser."""
        if principal.is_superuser:
            return self
        return self.filter(organisation_id=principal.organisation_id)


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Creates users; names and addresses are compared without regard to case."""

    def create_user(self, username: str, email: str, password: str | None, **fields: Any) -> "User":
        """A user with a hashed password (unusable when None)."""
        user = self.model(username=username, email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(
        self, username: str, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        """A platform superuser who may enter the console; needs an organisation."""
        return self.create_user(
            username,
            email,
            password,
            **{"is_staff": True, "is_superuser": True, "role": Role.ADMIN, **fields},
        )

    def get_by_natural_key(self, username: str | None) -> "User":
        """By user name in any case; login names are unique that way."""
        return self.get(username__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Belongs to one organisation; ``is_superuser`` stands above all of them."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="users")
    username = models.CharField(max_length=80, unique=True)
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May enter the operator console.")
    must_reset_password = models.BooleanField(
        default=False,
        help_text="Has to set a new password, with a reset token, before the next log-in.",
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text="IANA name; pages show times in it."
    )
    display_currency = models.CharField(
        max_length=10,
        blank=True,
        default="",
        help_text="Totals are shown in it, too, where a rate is known; empty: in their own alone.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email", "organisation"]

    class Meta:
        constraints = (
            models.UniqueConstraint(Lower("username"), name="user_name_unique_in_any_case"),
            models.UniqueConstraint(Lower("email"), name="user_email_unique_in_any_case"),
        )

    def __str__(self) -> str:
        return self.username


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Which keys may be seen."""

    def visible_to(self, principal: Principal) -> "ApiKeyQuerySet":
        """The keys of the own organisation; all of them for a superuser."""
        if principal.is_superuser:
            return self
        return self.filter(organisation_id=principal.organisation_id)


class ApiKey(models.Model):
    """A machine's credential. Only the SHA-256 of the key is stored; ``prefix`` is for recognising
    it. ``last_used_at`` is noted at most once a minute.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    label = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16)
    key_hash = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    account_ids = models.JSONField(
        null=True, blank=True, help_text="Account numbers the key is limited to; empty for all."
    )
    scopes = models.JSONField(
        null=True, blank=True, help_text="Rights the key is limited to; empty for all but users."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.label} ({self.prefix}…)"


class AuthSessionQuerySet(models.QuerySet["AuthSession"]):
    """Selections of sessions."""

    def live_of(self, user_id: int | None) -> "AuthSessionQuerySet":
        """The live sessions of a user."""
        return self.live().filter(user=user_id)

    def live(self) -> "AuthSessionQuerySet":
        """Those that have neither been ended nor run out."""
        return self.filter(revoked_at=None, expires_at__gt=now())


class AuthSession(models.Model):
    """A family of refresh tokens from one login.

    Tokens are numbered as they are issued: ``issued_generation`` is the newest, minted at
    ``successor_at`` with the id ``successor_jti``; ``used_generation`` is the highest one that has
    been refreshed with, and lower ones are refused. Access tokens name the session and die with it.
    """

    sid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    used_generation = models.PositiveIntegerField(default=0)
    issued_generation = models.PositiveIntegerField(default=1)
    successor_jti = models.CharField(max_length=32, blank=True, default="")
    successor_at = models.DateTimeField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True, default="")
    claimed_device = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=40, blank=True, default="")

    objects = AuthSessionQuerySet.as_manager()

    class Meta:
        indexes = (models.Index(fields=("user", "revoked_at"), name="session_user_live"),)

    def __str__(self) -> str:
        return str(self.sid)


class LoginThrottle(models.Model):
    """Failed log-ins of one (user, address) or of one address; see ``users.throttles``.

    ``pending`` attempts have been let in and not been judged yet; after ``failures`` reached the
    limit nobody is let in before ``blocked_until``.
    """

    key = models.CharField(max_length=80, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    pending = models.PositiveIntegerField(default=0)
    blocked_until = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("changed_at",), name="login_throttle_oldest"),)

    def __str__(self) -> str:
        return f"{self.failures} failures of {self.key}"


class TotpDevice(models.Model):
    """A user's second factor: codes of 30 seconds by RFC 6238.

    The secret is sealed and bound to the user. ``last_step`` is the time step of the last accepted
    code: it and earlier ones are refused.
    """

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE, related_name="+")
    secret_sealed = models.TextField(editable=False)
    last_step = models.BigIntegerField(default=0, editable=False)
    confirmed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"second factor of {self.user_id}"


class RecoveryCode(models.Model):
    """A code that stands in for the second factor once. Only its SHA-256 is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    code_hash = models.CharField(max_length=64, unique=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"recovery code of {self.user_id}"


class PasswordReset(models.Model):
    """A one-time permission to set a new password. Only the SHA-256 of the token is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    token_hash = models.CharField(max_length=64, unique=True)
    issued_by = models.CharField(max_length=120)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"password reset of {self.user_id}"
