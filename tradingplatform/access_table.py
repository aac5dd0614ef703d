"""Who may call what: one table of all routes, read from what the views declare."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admindocs.views import simplify_regex
from django.urls import URLResolver, get_resolver

from surfaces.policy import Policy, declaration_of
from tradingplatform.asgi import websocket_routes
from tradingplatform.console_table import CONSOLE, PAGES, console_acts, console_pages
from users.models import Role

UNKNOWN, SOCKET = "?", "socket"
_WORDS = {
    Policy.PUBLIC: "everybody",
    Policy.AUTHENTICATED: "whoever is signed in",
    Policy.ACCOUNT_TRADE: "whoever may trade on the account",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one address; ``policy`` is None where nobody declared one."""

    path: str
    method: str
    policy: Policy | None
    view: Any


def routes() -> list[Route]:
    """Every address but the pages of the console's models, sockets too, by path and method."""
    found = [
        Route(path, method, policy, view)
        for path, view in addresses(get_resolver().url_patterns)
        if not path.startswith(CONSOLE) or declaration_of(view) is not None
        for method, policy in _declared(view)
    ]
    for pattern in websocket_routes:
        consumer = _consumer_of(pattern.callback)
        policy = getattr(consumer, "policy", None)
        found.append(Route(_readable(str(pattern.pattern)), SOCKET, policy, consumer))
    return sorted(found, key=lambda route: (route.path, route.method))


def addresses(patterns: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every address below some patterns, readable (``/a/<id>/``), and its view."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, path)
        else:
            yield _readable(path), pattern.callback


def written() -> str:
    """The table as a Markdown page; made new by ``manage.py access_table``."""
    lines = [
        "# Who may call what",
        "",
        "Made from what the views declare by `manage.py access_table > docs/access.md`; a test",
        "compares. Rows of another organisation answer as missing ones do, whoever asks.",
        "",
        "| Address | Method | Open to |",
        "|---|---|---|",
    ]
    lines += [f"| `{each.path}` | {each.method} | {_word(each.policy)} |" for each in routes()]
    return "\n".join([*lines, "", *_console_lines()]) + "\n"


def _console_lines() -> list[str]:
    lines = [
        "## The console",
        "",
        "All pages stand below `/admin/` and are for users with console rights; the table says",
        "which of them. Rows are those of the own organisation, for a superuser all.",
        "",
        f"| Model | {' | '.join(PAGES)} |",
        f"|---|{'---|' * len(PAGES)}",
    ]
    by_model: dict[str, dict[str, tuple[str, ...]]] = {}
    for each in console_pages():
        by_model.setdefault(each.model, {})[each.page] = each.roles
    for model, pages in by_model.items():
        cells = [_weakest(pages[page]) if page in pages else "no page" for page in PAGES]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    lines += [
        "",
        "Acts on rows, chosen in a list or on a page of their own. An act on an account also asks",
        "for the right on that account.",
        "",
        "| Model | Act | Open to |",
        "|---|---|---|",
    ]
    lines += [f"| {act.model} | {act.name} | {_weakest(act.roles)} |" for act in console_acts()]
    return lines


def _declared(view: Any) -> list[tuple[str, Policy | None]]:
    """Methods and policies of a view.

    A REST view takes the methods it has functions for; any other says by a mapping what it takes.
    """
    declared = declaration_of(view)
    owner = getattr(view, "cls", None)
    if owner is None:
        return list(declared.items()) if isinstance(declared, dict) else [(UNKNOWN, None)]
    methods = [name for name in owner.http_method_names if name not in ("options", "head")]
    taken = [name.upper() for name in methods if hasattr(owner, name)]
    if isinstance(declared, dict):
        return [(name, declared.get(name)) for name in taken]
    return [(name, declared) for name in taken]


def _consumer_of(application: Any) -> Any:
    """The consumer class of a socket route, looked for through its wrappers."""
    while not hasattr(application, "consumer_class"):
        application = application.inner
    return application.consumer_class


def _readable(pattern: str) -> str:
    """A pattern without regular expressions, converters and the optional slash."""
    is_optional = pattern.rstrip("$").endswith("/?")
    path = re.sub(r"<\w+:(\w+)>", r"<\1>", simplify_regex(pattern))
    return path.rstrip("/") if is_optional else path


def _word(policy: Policy | None) -> str:
    if policy is None:
        return "**nobody: no policy**"
    return _WORDS.get(policy, f"holders of `{policy.value}`")


def _weakest(roles: tuple[str, ...]) -> str:
    if not roles:
        return "nobody"
    return "all" if Role.VIEWER in roles else ", ".join(roles)
