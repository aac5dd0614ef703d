"""What a view demands of its caller. Every view declares a policy; one without is closed."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated
from rest_framework.permissions import BasePermission

from common.errors import Denied
from common.principal import Principal
from users import permissions

View = TypeVar("View", bound=Callable[..., Any])


class Policy(Enum):
    """Who may call: everybody, whoever is authenticated, or holders of a permission.

    Every role may read; only a key can be limited to something else.
    """

    PUBLIC = "public"
    AUTHENTICATED = "authenticated"
    TRADE = permissions.TRADE
    MANAGE = permissions.MANAGE
    RISK = permissions.RISK
    EXPORT = permissions.EXPORT_DATA
    USERS = permissions.USERS
    PLATFORM = permissions.PLATFORM
    # The right is one on an account, which the view finds before it asks for the right.
    ACCOUNT_TRADE = "trade on the account"

    @property
    def needs_caller(self) -> bool:
        """Whether an anonymous caller is refused with 401."""
        return self is not Policy.PUBLIC

    def check(self, principal: Principal) -> None:
        """Raise Denied where the caller's role lacks what the policy asks for."""
        if self in (Policy.AUTHENTICATED, Policy.ACCOUNT_TRADE):
            permissions.demand(principal, permissions.READ_DATA)
        elif self is not Policy.PUBLIC:
            permissions.demand(principal, self.value)


Declared = Policy | dict[str, Policy]


def declares(policy: dict[str, Policy]) -> Callable[[View], View]:
    """Decorator: declare the policy of a function view, which then enforces it itself.

    ``policy`` names the methods that the view takes.
    """

    def mark(view: View) -> View:
        view.policy = policy  # type: ignore[attr-defined]
        return view

    return mark


def policy_of(view: Any, method: str) -> Policy | None:
    """A view's policy for a method; ``policy`` may be one policy or a mapping by method."""
    declared = getattr(view, "policy", None)
    if isinstance(declared, dict):
        return declared.get("GET" if method == "HEAD" else method)
    return declared


def declaration_of(view: Any) -> Declared | None:
    """What a routed view declares, looked for in its class and through its decorators."""
    while view is not None:
        owner = getattr(view, "cls", None) or getattr(view, "view_class", None) or view
        declared: Declared | None = getattr(view, "policy", None) or getattr(owner, "policy", None)
        if declared is not None:
            return declared
        view = getattr(view, "__wrapped__", None)
    return None


class PolicyPermission(BasePermission):
    """Enforces the policy a view declares, before anything of the request's body is read."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """True, or raises NotAuthenticated, Denied or MethodNotAllowed."""
        policy = policy_of(view, request.method)
        if policy is None and isinstance(getattr(view, "policy", None), dict):
            if not isinstance(request.auth, Principal):
                raise NotAuthenticated
            raise MethodNotAllowed(request.method)
        if policy is None:
            raise Denied("This address is closed.")
        if not policy.needs_caller:
            return True
        if not isinstance(request.auth, Principal):
            raise NotAuthenticated
        policy.check(request.auth)
        return True
