"""The common name in the subject of a client certificate, as a proxy writes it (RFC 2253)."""

import re

_PART = r'(?:\\.|[^\\,+;"])*'
_SUBJECT = re.compile(rf"{_PART}(?:[,+]{_PART})*", re.DOTALL)
_PARTS = re.compile(r"(?:\\.|[^\\,+])+", re.DOTALL)
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_COMMON_NAME = ("CN", "2.5.4.3")


def common_name(subject: str) -> str:
    """The common name; empty for a text of another form, and where there is none or more than one.

    An escaped comma or plus sign parts nothing, so that no other attribute of a certificate can
    pass for its common name; a bare name is of another form for the same reason.
    """
    if not _SUBJECT.fullmatch(subject):
        return ""
    found = []
    for part in _PARTS.findall(subject):
        attribute, is_pair, value = part.partition("=")
        if not is_pair:
            return ""
        if attribute.strip().upper() in _COMMON_NAME:
            found.append(_plain(value))
    return found[0] if len(found) == 1 else ""


def _plain(value: str) -> str:
    """Without escapes; empty for what is written in hexadecimal as a whole."""
    if value.startswith("#"):
        return ""
    try:
        return _ESCAPED.sub(_meant, value.encode()).decode()
    except UnicodeError:
        return ""


def _meant(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    return bytes.fromhex(code.decode()) if len(code) == 2 else code
