"""The rules of the house; each returns its violations as sentences."""

import ast
from pathlib import Path

from tests.architecture.source import SHARED_SURFACE, SourceFile, app_of, owner, source_files

FILE_LIMIT = 500
FUNCTION_LIMIT = 60
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "misc"}
HIDDEN_IMPORTERS = {"import_module", "__import__", "import_string"}


def backward_imports(root: Path, order: list[str]) -> list[str]:
    """An app imports only apps that stand before it."""
    found = []
    for file in source_files(root, order):
        importer = app_of(file, order)
        for entry in file.imports():
            imported = owner(entry.module, order)
            if importer is None or imported is None or imported == importer:
                continue
            if order.index(imported) > order.index(importer):
                found.append(f"{file.name}:{entry.line} {importer} imports {imported}")
    return found


def surface_crossings(root: Path, order: list[str]) -> list[str]:
    """A surface imports no other surface, in whichever direction."""
    found = []
    for file in source_files(root, order):
        importer = app_of(file, order) or ""
        if not importer.startswith(f"{SHARED_SURFACE}."):
            continue
        for entry in file.imports():
            imported = owner(entry.module, order) or ""
            if imported.startswith(f"{SHARED_SURFACE}.") and imported != importer:
                found.append(f"{file.name}:{entry.line} {importer} imports {imported}")
    return found


def import_circles(root: Path, order: list[str]) -> list[str]:
    """No two apps import each other, directly or through others."""
    graph: dict[str, set[str]] = {app: set() for app in order}
    for file in source_files(root, order):
        importer = app_of(file, order)
        targets = {owner(entry.module, order) for entry in file.imports()}
        if importer is not None:
            graph[importer] |= {app for app in targets if app not in (None, importer)}  # type: ignore[misc]
    reach = {app: _reachable(graph, app) for app in order}
    return [f"{app} reaches itself through its imports" for app in order if app in reach[app]]


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        app = waiting.pop()
        if app not in seen:
            seen.add(app)
            waiting.extend(graph[app])
    return seen


def hidden_imports(root: Path, order: list[str]) -> list[str]:
    """No import stands in a function, and none is made from a string.

    One thing is no hiding: an app's `apps.py` naming a module of its own app by a plain string. It
    registers what needs the models, which Django has not loaded when it reads `apps.py`.
    """
    found = []
    for file in source_files(root, order):
        found += [
            f"{file.name}:{entry.line} imports {entry.module} inside a function"
            for entry in file.imports()
            if entry.inside_function
        ]
        found += [
            f"{file.name}:{node.lineno} imports from a string"
            for node in ast.walk(file.tree)
            if isinstance(node, ast.Call)
            and _called_name(node) in HIDDEN_IMPORTERS
            and not _registers_own_module(file, node, order)
        ]
    return found


def _registers_own_module(file: SourceFile, node: ast.Call, order: list[str]) -> bool:
    argument = node.args[0] if len(node.args) == 1 else None
    return (
        file.path.name == "apps.py"
        and isinstance(argument, ast.Constant)
        and owner(str(argument.value), order) == app_of(file, order)
    )


def _called_name(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def foreign_ccxt(root: Path, order: list[str]) -> list[str]:
    """ccxt is imported in `exchanges` alone."""
    return [
        f"{file.name}:{entry.line} imports {entry.module}"
        for file in source_files(root, order)
        if app_of(file, order) != "exchanges"
        for entry in file.imports()
        if entry.module.partition(".")[0] == "ccxt"
    ]


def float_fields(root: Path, order: list[str]) -> list[str]:
    """No model field is a binary float; serializer fields of the same name are another thing."""
    found = []
    for file in source_files(root, order):
        for node in ast.walk(file.tree):
            is_model_field = (
                isinstance(node, ast.Attribute)
                and node.attr == "FloatField"
                and isinstance(node.value, ast.Name)
                and node.value.id == "models"
            )
            if is_model_field:
                found.append(f"{file.name}:{node.lineno} uses models.FloatField")  # type: ignore[attr-defined]
        found += [
            f"{file.name}:{entry.line} imports {entry.module}"
            for entry in file.imports()
            if entry.module.startswith("django.db.models") and entry.module.endswith(".FloatField")
        ]
    return found


def oversize(root: Path, order: list[str]) -> list[str]:
    """No file is longer than 500 lines, no function longer than 60."""
    found = []
    for file in source_files(root, order):
        lines = len(file.text.splitlines())
        if lines > FILE_LIMIT and not is_migration(file):
            found.append(f"{file.name} has {lines} lines")
        found += [
            f"{file.name}:{function.lineno} {function.name} has {length(function)} lines"
            for function in file.functions()
            if length(function) > FUNCTION_LIMIT
        ]
    return found


def is_migration(file: SourceFile) -> bool:
    """Migrations are written by a command and read by nobody."""
    return "migrations" in file.path.parts


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the last one."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def vague_names(root: Path, order: list[str]) -> list[str]:
    """No file or folder has a name that says nothing."""
    found = []
    for file in source_files(root, order):
        parts = [*file.path.relative_to(root).parent.parts, file.path.stem]
        found += [f"{file.name} is called {part}" for part in parts if part in FORBIDDEN_NAMES]
    return found
