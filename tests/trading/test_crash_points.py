"""The page of the crash points and the tests of the guards say the same."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

PAGE = Path("docs/decisions/crash-points.md")
ROW = re.compile(r"^\| (\d+) \|")
REFERENCE = re.compile(r"`((?:processes|trading)/test_\w+\.py)::(\w+)(?:\[([\w, ]+)\])?`")
GUARD_FILES = ("test_guards.py", "test_recovery_guards.py", "test_ledger_guards.py")
PROVEN, WITHOUT = 3, 5


def root() -> Path:
    """The project's folder."""
    return Path(settings.BASE_DIR)


def rows() -> dict[int, list[str]]:
    """The table's rows by number, as cells; the first cell is the number."""
    lines = (root() / PAGE).read_text().splitlines()
    found = [line.split("|") for line in lines if ROW.match(line)]
    return {int(cells[1]): cells for cells in found}


def functions(file: Path) -> dict[str, ast.FunctionDef]:
    """The test functions of a file by name."""
    tree = ast.parse(file.read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def takes_a_guard_out(function: ast.FunctionDef) -> bool:
    """Whether it runs with and without its guard."""
    return any(
        isinstance(each, ast.Name) and each.id == "GUARD" for each in function.decorator_list
    )


def test_there_are_fourteen_rows_each_proven_and_each_checked_without_its_guard() -> None:
    assert list(rows()) == list(range(1, 15))
    for number, cells in rows().items():
        assert REFERENCE.search(cells[PROVEN]), number
        assert REFERENCE.search(cells[WITHOUT]), number


@pytest.mark.parametrize("number", range(1, 15))
def test_what_a_row_names_exists(number: int) -> None:
    for file, name, cases in REFERENCE.findall("|".join(rows()[number])):
        path = root() / "tests" / file
        assert name in functions(path), (file, name)
        known = path.read_text()
        assert [case for case in cases.split(", ") if case and f'"{case}"' not in known] == []


@pytest.mark.parametrize("number", range(1, 15))
def test_the_checks_of_a_row_take_a_guard_out(number: int) -> None:
    for file, name, _ in REFERENCE.findall(rows()[number][WITHOUT]):
        function = functions(root() / "tests" / file)[name]
        assert takes_a_guard_out(function) or name.startswith("test_without_"), (file, name)


def test_every_guard_that_is_taken_out_stands_on_the_page() -> None:
    named = {name for _, name, _ in REFERENCE.findall((root() / PAGE).read_text())}
    checks = {
        name
        for file in GUARD_FILES
        for name, function in functions(root() / "tests" / "trading" / file).items()
        if takes_a_guard_out(function)
    }
    assert checks - named == set()
