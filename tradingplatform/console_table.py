"""Which pages and acts of the console are open to whom, read from what the pages answer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from common.principal import Principal
from users.models import Role, User

CONSOLE = "/admin/"
PAGES = ("view", "add", "change", "delete", "export")
SUPERUSER = "superuser"
UNDECLARED = "?"
# What the framework makes for every model; rights to these pages are in ``PAGES``.
_USUAL = {"", "add", "change", "delete", "history", "export"}


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """The roles of console users that a kind of page of a model is open to, weakest first."""

    model: str
    page: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsoleAct:
    """An act on rows and the rights it asks for.

    ``address`` is that of its own page, empty for one chosen from a list; ``rights`` names nothing
    but ``?`` where the page declares none.
    """

    model: str
    name: str
    address: str
    rights: tuple[str, ...]
    roles: tuple[str, ...]


def console_pages() -> list[ConsolePage]:
    """What each model's pages ask of a console user."""
    return [
        ConsolePage(model._meta.label, page, _roles(owner, (page,)))
        for model, owner in _owners()
        for page in PAGES
        if hasattr(owner, f"has_{page}_permission")
    ]


def console_acts() -> list[ConsoleAct]:
    """What is done with chosen rows, or on a page of its own."""
    return [
        ConsoleAct(model._meta.label, name, address, rights, _roles(owner, ("view", *rights)))
        for model, owner in _owners()
        for name, address, rights in (*_chosen(owner), *_own_pages(owner))
    ]


def _owners() -> list[tuple[Any, Any]]:
    return sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label)


def _chosen(owner: Any) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Acts offered in the list; one that declares no right is for whoever sees the list."""
    for act in owner.actions or ():
        declared = getattr(act, "allowed_permissions", ())
        yield getattr(act, "__name__", str(act)), "", tuple(declared)


def _own_pages(owner: Any) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Pages beside those that every model has."""
    for pattern in owner.get_urls():
        address = str(pattern.pattern)
        name = address.strip("/").rpartition("/")[2]
        if name in _USUAL or ">" in name or not re.fullmatch(r"[a-z-]+", name):
            continue
        declared = getattr(pattern.callback, "allowed_permissions", (UNDECLARED,))
        yield name, address, tuple(declared)


def _roles(owner: Any, rights: tuple[str, ...]) -> tuple[str, ...]:
    people = {
        role.value: User(role=role, is_staff=True)
        for role in (Role.VIEWER, Role.EXPORTER, Role.TRADER, Role.ADMIN)
    }
    people[SUPERUSER] = User(role=Role.ADMIN, is_staff=True, is_superuser=True)
    return tuple(
        role
        for role, user in people.items()
        if all(_may(owner, right, user) for right in rights if right != UNDECLARED)
    )


def _may(owner: Any, right: str, user: User) -> bool:
    request: Any = HttpRequest()
    request.user = user
    # What the console would read for the person, without grants on single accounts.
    request.console_principal = Principal(
        organisation_id=0, role=user.role, key="", is_superuser=user.is_superuser
    )
    return bool(getattr(owner, f"has_{right}_permission")(request))
