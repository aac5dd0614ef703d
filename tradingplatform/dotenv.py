"""The file of generated settings: where it is, and how the first start writes it.

Works without settings, because it runs before they can be read.
"""

import base64
import json
import os
import secrets
import socket
from pathlib import Path

KEY_NAMES = ("SECRET_KEY", "JWT_SIGNING_KEY", "CREDENTIAL_KEYS")
REHEARSAL_OFFSET = 1001
DEFAULT_PORT = 8000
OWNER_ONLY = 0o600


def dotenv_path() -> Path:
    """Where the file lies; `DOTENV_PATH` moves it (a second installation, a test)."""
    default = Path(__file__).resolve().parent.parent / ".env"
    return Path(os.environ.get("DOTENV_PATH") or default)


def write_missing() -> bool:
    """Write generated keys and the rehearsal venue on the first start; true when it did.

    The first start is told by the absence of every key, in the environment and in the file. Where
    some of the keys are there, nothing is written: the settings then name the missing one.
    """
    path = dotenv_path()
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    known = {line.partition("=")[0].removeprefix("export ") for line in text.splitlines()}
    known |= {name for name, value in os.environ.items() if value.strip()}
    if known.intersection(KEY_NAMES):
        return False
    addition = "".join(f"{name}={value}\n" for name, value in _generated(known, text).items())
    separator = "" if not text or text.endswith("\n") else "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, OWNER_ONLY)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        os.fchmod(file.fileno(), OWNER_ONLY)
        file.write(separator + addition)
    return True


def _generated(known: set[str], text: str) -> dict[str, str]:
    values = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "JWT_SIGNING_KEY": secrets.token_urlsafe(48),
        "CREDENTIAL_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    if "EXCHANGE_VENUES" not in known:
        chosen = _chosen_port("REHEARSAL_PORT", text)
        port = chosen or _rehearsal_port(_chosen_port("PORT", text) or DEFAULT_PORT)
        venue = {"ccxt": "binance", "base_url": f"http://127.0.0.1:{port}"}
        # The address is pinned here, so the port has to be, too: a later start may not name it.
        if _last_value("REHEARSAL_PORT", text) != str(port):
            values["REHEARSAL_PORT"] = str(port)
        values["EXCHANGE_VENUES"] = f"'{json.dumps({'rehearsal': venue})}'"
    return values


def _chosen_port(name: str, text: str) -> int:
    """The port that the environment or the file gives, 0 where neither does."""
    chosen = os.environ.get(name) or _last_value(name, text)
    return int(chosen) if chosen.strip().isdecimal() else 0


def _last_value(name: str, text: str) -> str:
    lines = [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}=")]
    return lines[-1].strip() if lines else ""


def _rehearsal_port(platform_port: int) -> int:
    """The first free port from the platform's port + 1001 on, or any free one."""
    first = platform_port + REHEARSAL_OFFSET
    for port in [*range(first, min(first + 50, 65_536)), 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")
