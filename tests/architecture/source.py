"""Reads a source tree: which app a file belongs to and what it imports."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SHARED_SURFACE = "surfaces"


def house_order(local_apps: list[str]) -> list[str]:
    """All packages in import order: `common` first, what surfaces share before the surfaces."""
    first_surface = next(
        (place for place, app in enumerate(local_apps) if app.startswith("surfaces.")),
        len(local_apps),
    )
    return ["common", *local_apps[:first_surface], SHARED_SURFACE, *local_apps[first_surface:]]


@dataclass(frozen=True)
class Import:
    """One imported module, absolute, with the line it stands on."""

    module: str
    line: int
    inside_function: bool


@dataclass(frozen=True)
class SourceFile:
    """A parsed file of the tree."""

    root: Path
    path: Path

    @property
    def name(self) -> str:
        """The path from the root, for messages."""
        return self.path.relative_to(self.root).as_posix()

    @cached_property
    def text(self) -> str:
        """The file's text."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed module."""
        return ast.parse(self.text, filename=str(self.path))

    @property
    def package(self) -> list[str]:
        """The dotted package this module's relative imports start from."""
        return list(self.path.relative_to(self.root).parent.parts)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def imports(self) -> Iterator[Import]:
        """Every import wherever it stands, relative ones made absolute.

        `from package import name` counts as `package.name`, because the name may be a module.
        """
        inside = {
            id(node)
            for function in ast.walk(self.tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for node in ast.walk(function)
        }
        for node in ast.walk(self.tree):
            hidden = id(node) in inside
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, node.lineno, hidden)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                for alias in node.names:
                    yield Import(f"{base}.{alias.name}", node.lineno, hidden)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.package[: len(self.package) - node.level + 1]
        return ".".join([*package, *([node.module] if node.module else [])])


def owner(dotted: str, order: list[str]) -> str | None:
    """The package of the house that a dotted module belongs to; `None` for foreign code."""
    owners = [app for app in order if dotted == app or dotted.startswith(f"{app}.")]
    return max(owners, key=len, default=None)


def app_of(file: SourceFile, order: list[str]) -> str | None:
    """The package of the house a file lies in; `None` for tests and scripts."""
    module = file.path.relative_to(file.root).with_suffix("")
    return owner(".".join(module.parts), order)


def source_files(root: Path, order: list[str]) -> list[SourceFile]:
    """Every Python file of the house, migrations too."""
    folders = sorted({app.partition(".")[0] for app in order})
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    return [SourceFile(root, path) for path in paths]
