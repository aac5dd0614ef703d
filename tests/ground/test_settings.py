"""A wrong setting stops the start with one line that names it and hides its value."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.waiting import PATIENCE

MARKER = "s3cret-marker-value"
GOOD_KEYS = {
    "SECRET_KEY": "k" * 40,
    "JWT_SIGNING_KEY": "j" * 40,
    "CREDENTIAL_KEYS": "dGVzdHMtb25seS1mZXJuZXQta2V5LTAxMjM0NTY3ODk=",
}


def load_settings(folder: Path, **values: str) -> subprocess.CompletedProcess[str]:
    """Import the settings in a fresh process whose environment is this and nothing else."""
    environment = {
        "PATH": os.environ["PATH"],
        "DOTENV_PATH": str(folder / ".env"),
        "DATA_DIR": str(folder),
        **GOOD_KEYS,
        **values,
    }
    return subprocess.run(
        [sys.executable, "-c", "import tradingplatform.settings as s; print(s.PORT, s.EMBEDDED)"],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", MARKER),
        ("PORT", "70000"),
        ("PORT", "0"),
        ("DATABASE_URL", MARKER),
        ("DATABASE_URL", f"mysql://root:{MARKER}@127.0.0.1/x"),
        ("DATABASE_URL", f"postgres://root:{MARKER}@127.0.0.1"),
        ("REDIS_URL", f"http://{MARKER}"),
        ("REDIS_URL", f"redis://:{MARKER}@127.0.0.1:port/0"),
        ("REDIS_URL", f"redis://127.0.0.1:6379/{MARKER}"),
        ("EXCHANGE_VENUES", f"{{{MARKER}"),
        ("EXCHANGE_VENUES", f'["{MARKER}"]'),
        ("SECRET_KEY", MARKER),
        ("JWT_SIGNING_KEY", MARKER),
        ("CREDENTIAL_KEYS", MARKER),
        ("CREDENTIAL_KEYS", f"{GOOD_KEYS['CREDENTIAL_KEYS']},{MARKER}"),
        ("LOG_LEVEL", MARKER),
        ("DEBUG", MARKER),
        ("DATA_DIR", f"/proc/{MARKER}"),
        ("WEBHOOK_WAIT_SECONDS", "nan"),
        ("WEBHOOK_WAIT_SECONDS", "inf"),
        ("CRASH_AT", f"{MARKER}:none"),
        ("JWT_SECRET", MARKER),
        ("JWT_SECRET", GOOD_KEYS["JWT_SIGNING_KEY"]),
        ("API_KEYS", f"{MARKER}:1:1:admin"),
        ("API_KEYS", f"{MARKER * 2}:1:admin"),
        ("API_KEYS", f"{MARKER * 2}:1:1:god"),
        ("API_KEYS", f"{MARKER * 2}:me:1:admin"),
        ("API_KEYS", f"{MARKER * 2}:1:1:admin,{MARKER * 2}:2:1:viewer"),
        ("API_KEYS", f"{'ab' * 20}:1:1:admin"),
        ("API_KEY", MARKER),
    ],
)
def test_wrong_value_stops_the_start_and_is_not_shown(
    tmp_path: Path, name: str, value: str
) -> None:
    outcome = load_settings(tmp_path, **{name: value})
    assert outcome.returncode == 2
    assert outcome.stderr.startswith(f"Setting {name} ")
    assert outcome.stderr.count("\n") == 1
    assert MARKER not in outcome.stderr + outcome.stdout


@pytest.mark.parametrize(("name", "value"), [("API_ROLE", "god"), ("API_USER_ID", "me")])
def test_what_goes_with_the_single_key_is_checked_by_its_name(
    tmp_path: Path, name: str, value: str
) -> None:
    outcome = load_settings(tmp_path, API_KEY=MARKER * 2, **{name: value})
    assert outcome.returncode == 2
    assert outcome.stderr.startswith(f"Setting {name} ")


def test_keys_are_held_by_their_hash_and_a_label_may_have_colons(tmp_path: Path) -> None:
    probe = "import tradingplatform.settings as s; print(list(s.OUTSIDE_KEYS.items()))"
    environment = {"PATH": os.environ["PATH"], "DOTENV_PATH": str(tmp_path / ".env"), **GOOD_KEYS}
    environment["API_KEYS"] = f" {MARKER * 2} : 7 : 3 : Trader : desk:two "
    environment["DATA_DIR"] = str(tmp_path)
    printed = subprocess.check_output(
        [sys.executable, "-c", probe], cwd=settings.BASE_DIR, env=environment, text=True
    )
    key_hash = hashlib.sha256((MARKER * 2).encode()).hexdigest()
    assert printed.strip() == (
        f"[('{key_hash}', OutsideKey(name='{key_hash[:12]}', user_id='7', organisation_id='3',"
        " role='trader', label='desk:two'))]"
    )


@pytest.mark.parametrize("name", list(GOOD_KEYS))
def test_missing_key_stops_the_start(tmp_path: Path, name: str) -> None:
    outcome = load_settings(tmp_path, **{name: ""})
    assert outcome.returncode == 2
    assert outcome.stderr == f"Setting {name} is missing: the first `make run` writes it to .env\n"


def test_broken_line_in_dotenv_is_named_by_number_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"PORT=23456\n{MARKER}\n")
    outcome = load_settings(tmp_path)
    assert outcome.returncode == 2
    assert outcome.stderr == "Setting file .env, line 2, is not of the form NAME=value\n"


def test_environment_wins_over_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=23456\nREDIS_URL=redis://127.0.0.1:6379/0\n")
    assert load_settings(tmp_path).stdout == "23456 False\n"
    assert load_settings(tmp_path, PORT="23457").stdout == "23457 False\n"


def test_parallel_test_workers_get_a_redis_database_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = "import tradingplatform.settings as s; print(s.REDIS_URL)"
    seen = []
    for worker in ("gw0", "gw1"):
        environment = {**os.environ, **GOOD_KEYS, "REDIS_URL": "redis://127.0.0.1:6379/8"}
        environment["PYTEST_XDIST_WORKER"] = worker
        seen.append(
            subprocess.check_output(
                [sys.executable, "-c", probe], cwd=settings.BASE_DIR, env=environment, text=True
            ).strip()
        )
    assert seen == ["redis://127.0.0.1:6379/9", "redis://127.0.0.1:6379/10"]
