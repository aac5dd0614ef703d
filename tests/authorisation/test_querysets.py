"""Surfaces reach rows through ``visible_to``; every other way is named here with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

MANAGERS = {"objects", "_default_manager", "_base_manager"}
SCOPED = {"visible_to", "live_of"}
# file → model → why its rows need no principal, or how the file scopes them itself.
ALLOWED = {
    "surfaces/page_sessions.py": {"AuthSession": "the session behind the cookie"},
    "surfaces/dashboard/figures.py": {
        "KillSwitch": "by the scope's id; global ones are for everybody",
        "EquityPoint": "callers give ids of visible accounts",
    },
    "surfaces/dashboard/login_record.py": {
        "AccessFailureLog": "the record of log-ins is written and cut here",
        "AccessLog": "the record of log-ins is written and cut here",
    },
    "surfaces/dashboard/tasks.py": {"Session": "ended sessions are swept"},
    "surfaces/dashboard/views/entrance.py": {"User": "nobody is signed in yet"},
    "surfaces/console/base.py": {"related": "models without pages of their own"},
    "surfaces/console/forms.py": {
        "Organisation": "scoped by the person in the form",
        "Account": "scoped by the person in the form",
        "Group": "scoped by the person in the form",
        "model": "scoped by the person in the form",
    },
    "surfaces/console/grants.py": {
        "Account": "those of the person's organisation",
        "AccountGrant": "the grant of the form",
        "User": "whose page it is",
    },
    "surfaces/console/people_forms.py": {
        "User": "scoped by the person in the form",
        "Account": "scoped by the person in the form",
    },
    "surfaces/console/riskmgmt.py": {"Account": "those of the limit's organisation"},
    "surfaces/console/templatetags/console.py": {
        "Deal": "those of the position whose page it is",
        "model": "scoped by the template's person",
        "KillSwitch": "scoped by the template's person",
    },
    "surfaces/console/users.py": {"Organisation": "the page's own get_queryset"},
}


def unscoped(text: str) -> Iterator[tuple[str, int]]:
    """Model and line of every use of a manager that does not begin with a scope."""
    tree = ast.parse(text)
    scoped = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in SCOPED
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in MANAGERS and id(node) not in scoped:
            yield ast.unparse(node.value), node.lineno


def found() -> dict[str, dict[str, list[int]]]:
    """Every unscoped use in the surfaces, by file and model."""
    uses: dict[str, dict[str, list[int]]] = {}
    root = Path(settings.BASE_DIR)
    for file in sorted((root / "surfaces").rglob("*.py")):
        for model, line in unscoped(file.read_text(encoding="utf-8")):
            name = file.relative_to(root).as_posix()
            uses.setdefault(name, {}).setdefault(model, []).append(line)
    return uses


def test_surfaces_reach_rows_through_visible_to() -> None:
    unknown = [
        f"{file}:{lines} {model}"
        for file, models in found().items()
        for model, lines in models.items()
        if model not in ALLOWED.get(file, {})
    ]
    assert unknown == []


def test_the_list_of_exceptions_names_nothing_that_is_gone() -> None:
    uses = found()
    assert [
        (file, model)
        for file, models in ALLOWED.items()
        for model in models
        if model not in uses.get(file, {})
    ] == []


def test_the_rule_can_fail() -> None:
    text = "Order.objects.filter(pk=1)\nOrder.objects.visible_to(who).filter(pk=1)"
    assert list(unscoped(text)) == [("Order", 1)]
