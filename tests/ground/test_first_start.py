"""The first start writes the file of generated settings."""

import json
import stat
from pathlib import Path

import environ
import pytest
from cryptography.fernet import Fernet

from tradingplatform.dotenv import KEY_NAMES, write_missing


@pytest.fixture
def dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file's place in an environment that knows no setting yet."""
    for name in (*KEY_NAMES, "EXCHANGE_VENUES", "PORT", "REHEARSAL_PORT"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "installation" / ".env"
    monkeypatch.setenv("DOTENV_PATH", str(path))
    return path


def values(path: Path) -> dict[str, str]:
    """What the settings will read from the file."""
    reader = environ.Env
    before, reader.ENVIRON = reader.ENVIRON, {}
    try:
        reader.read_env(path)
        return dict(reader.ENVIRON)
    finally:
        reader.ENVIRON = before


def test_keys_and_rehearsal_venue_are_written_for_the_owner_alone(
    dotenv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "23100")
    assert write_missing()
    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
    written = values(dotenv)
    assert len(written["SECRET_KEY"]) >= 32
    assert len(written["JWT_SIGNING_KEY"]) >= 32
    assert written["SECRET_KEY"] != written["JWT_SIGNING_KEY"]
    Fernet(written["CREDENTIAL_KEYS"])
    port = int(written["REHEARSAL_PORT"])
    assert 24101 <= port < 24151
    assert json.loads(written["EXCHANGE_VENUES"]) == {
        "rehearsal": {"ccxt": "binance", "base_url": f"http://127.0.0.1:{port}"}
    }


def test_second_start_changes_nothing(dotenv: Path) -> None:
    write_missing()
    before = dotenv.read_bytes()
    assert not write_missing()
    assert dotenv.read_bytes() == before


def test_settings_written_by_hand_are_kept(dotenv: Path) -> None:
    dotenv.parent.mkdir()
    dotenv.write_text("PORT=23200")
    dotenv.chmod(0o644)
    assert write_missing()
    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
    written = values(dotenv)
    assert written["PORT"] == "23200"
    assert 24201 <= int(written["REHEARSAL_PORT"]) < 24251


@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_chosen_rehearsal_port_is_the_venue_s(
    dotenv: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == "file":
        dotenv.parent.mkdir()
        dotenv.write_text("REHEARSAL_PORT=23999\n")
    else:
        monkeypatch.setenv("REHEARSAL_PORT", "23999")
    write_missing()
    text = dotenv.read_text()
    assert text.count("REHEARSAL_PORT=23999") == text.count("REHEARSAL_PORT") == 1
    venues = json.loads(values(dotenv)["EXCHANGE_VENUES"])
    assert venues["rehearsal"]["base_url"] == "http://127.0.0.1:23999"


def test_lost_key_is_not_replaced_by_a_new_one(dotenv: Path) -> None:
    write_missing()
    rest = [line for line in dotenv.read_text().splitlines() if "CREDENTIAL_KEYS" not in line]
    dotenv.write_text("\n".join(rest))
    assert not write_missing()
    assert "CREDENTIAL_KEYS" not in values(dotenv)


def test_keys_in_the_environment_need_no_file(
    dotenv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIAL_KEYS", Fernet.generate_key().decode())
    assert not write_missing()
    assert not dotenv.exists()
