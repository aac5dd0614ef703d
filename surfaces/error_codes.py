"""Every code a caller can meet, read from the code that raises it.

Three kinds: refusals of a request (an HTTP status belongs to each), reasons why one order of a
request was not made or not sent (stored with its decision), and what an exchange's answer came to.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.apps import apps

from common import errors
from common.errors import DomainError
from riskmgmt.sentences import SENTENCES
from surfaces.errors import framework_codes, status_of

REQUEST, ORDER, EXCHANGE = "request", "order", "exchange"
SECTIONS = {
    REQUEST: "Refusals of a request",
    ORDER: "Why an order was not made or not sent",
    EXCHANGE: "What came of an exchange's answer",
}
_KINDS: dict[str, type[DomainError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, DomainError)
}
_CHECK = "denied_"


@dataclass(frozen=True, slots=True, order=True)
class ErrorCode:
    """One code: its section, the status a request gets (0 where none belongs to it), a sentence.

    Words in braces stand for what the code or sentence is made with.
    """

    section: str
    code: str
    status: int
    sentence: str


@lru_cache(maxsize=1)
def error_codes() -> tuple[ErrorCode, ...]:
    """All of them, by section and code; the first sentence found stands for a code's others."""
    found: dict[tuple[str, str, int], ErrorCode] = {}
    for row in (*_framework(), *_scanned()):
        found.setdefault((row.section, row.code, row.status), row)
    return tuple(sorted(found.values(), key=lambda row: (list(SECTIONS).index(row.section), row)))


def _framework() -> Iterator[ErrorCode]:
    for status, (code, sentence) in framework_codes().items():
        yield ErrorCode(REQUEST, code, status, sentence)


def _scanned() -> Iterator[ErrorCode]:
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield from _of_call(node)


def _sources() -> list[Path]:
    root = Path(errors.__file__).resolve().parent.parent
    own = [Path(app.path) for app in apps.get_app_configs() if Path(app.path).is_relative_to(root)]
    folders = sorted({root / "common", *own, root / "surfaces"})
    files = {file for folder in folders for file in folder.rglob("*.py")}
    unwanted = {"migrations", "tests", "simulator", "matching"}
    return sorted(
        file
        for file in files
        if not unwanted & set(file.relative_to(root).parts) and ".venv" not in file.parts
    )


def _of_call(node: ast.Call) -> Iterator[ErrorCode]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    words = {each.arg: _text(each.value) for each in node.keywords if each.arg}
    first = _text(node.args[0]) if node.args else ""
    second = _text(node.args[1]) if len(node.args) > 1 else ""
    if name in _KINDS and (first or words.get("code")):
        kind = _KINDS[name]
        code = words.get("code") or kind.code
        yield ErrorCode(REQUEST, code, _status(kind, code), first)
    elif name in ("LegRefused", "ModeRefused") and first:
        yield ErrorCode(ORDER, first, 0, second)
    elif name == "_check" and first:
        yield ErrorCode(ORDER, f"{_CHECK}{first}", 0, SENTENCES[first])
    elif name == "VenueError" and words.get("code"):
        yield ErrorCode(EXCHANGE, words["code"], 0, words.get("message", ""))
    elif words.get("error_code"):
        yield ErrorCode(ORDER, words["error_code"], 0, "")


def _status(kind: type[DomainError], code: str) -> int:
    if code == "internal_error":
        return 500
    error = DomainError.__new__(kind)
    error.code = code
    return status_of(error, "/api/v1/")


def _text(node: ast.AST) -> str:
    """A text as written, with ``{word}`` where it is made with a value; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value)
            if isinstance(part, ast.Constant)
            else "{" + ast.unparse(part.value).rpartition(".")[2] + "}"  # type: ignore[attr-defined]
            for part in node.values
        )
    return ""


def by_section() -> list[tuple[str, list[ErrorCode]]]:
    """The sections' titles, each with its rows."""
    rows = error_codes()
    return [
        (title, [row for row in rows if row.section == section])
        for section, title in SECTIONS.items()
    ]


def as_markdown() -> str:
    """The page ``docs/error-codes.md``."""
    lines = [
        "# Error codes",
        "",
        "Made from the code by `manage.py error_codes --write`; a test compares. A code is stable",
        "and lower case (`error.code` of specification 004 shows it in capitals). Where a field is",
        "at fault, `errors` names it; a 422 is a 400 under root, `/api` and `/v1`. Codes of",
        "exchanges and of ccxt beyond these are passed on as the exchange's own.",
    ]
    for title, rows in by_section():
        has_status = title == SECTIONS[REQUEST]
        lines += ["", f"## {title}", ""]
        lines += ["| code | status | what it says |", "|---|---|---|"] if has_status else []
        lines += [] if has_status else ["| code | what it says |", "|---|---|"]
        for row in rows:
            status = f" {row.status} |" if has_status else ""
            lines.append(f"| `{row.code}` |{status} {row.sentence.replace('|', '/')} |")
    return "\n".join(lines) + "\n"
