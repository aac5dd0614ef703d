"""What the first start puts into an empty database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from accounts.models import Account
from bots.models import Bot
from tradingplatform.embedded.bootstrap import (
    PENDING_FILE,
    Credentials,
    bootstrap_demo,
    bootstrap_installation,
)
from users.models import ApiKey, Organisation, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """A data folder of this test's own, and default settings."""
    settings.DATA_DIR = tmp_path
    settings.DB_BOOTSTRAP_ADMIN_PASSWORD = ""
    settings.DB_BOOTSTRAP_API_KEY = ""
    settings.DEMO = True
    return tmp_path


def test_random_password_is_told_once_and_kept_as_a_hash(folder: Path) -> None:
    credentials = bootstrap_installation()
    assert credentials is not None
    assert credentials.password is not None
    admin = User.objects.get()
    assert (admin.username, admin.role) == ("admin", "admin")
    assert admin.is_superuser
    assert check_password(credentials.password, admin.password)
    assert credentials.password not in admin.password
    assert bootstrap_installation() is None
    assert Organisation.objects.count() == User.objects.count() == 1


def test_chosen_login_is_used_and_not_repeated(settings: Settings) -> None:
    settings.DB_BOOTSTRAP_ORG_NAME = "Desk"
    settings.DB_BOOTSTRAP_ADMIN_EMAIL = "desk@example.org"
    settings.DB_BOOTSTRAP_ADMIN_PASSWORD = "correct horse battery"
    settings.DB_BOOTSTRAP_API_KEY = "tp_0123456789abcdef0123456789"
    assert bootstrap_installation() == Credentials("admin", "desk@example.org", None)
    assert Organisation.objects.get().name == "Desk"
    assert check_password("correct horse battery", User.objects.get().password)
    assert "tp_0123456789abcdef" not in ApiKey.objects.get().key_hash


def test_weak_bootstrap_key_leaves_nothing_behind(settings: Settings) -> None:
    settings.DB_BOOTSTRAP_API_KEY = "short"
    with pytest.raises(CommandError, match="DB_BOOTSTRAP_API_KEY"):
        call_command("bootstrap")
    assert not User.objects.exists()
    assert not Organisation.objects.exists()


def test_no_demo_without_a_rehearsal_exchange(folder: Path) -> None:
    bootstrap_installation()
    bootstrap_demo(rehearsal_port=None)
    assert not Bot.objects.exists()
    assert (folder / PENDING_FILE).exists()


def test_no_demo_where_none_is_wanted(settings: Settings, folder: Path) -> None:
    settings.DEMO = False
    bootstrap_installation()
    bootstrap_demo(rehearsal_port=1)
    assert not (folder / PENDING_FILE).exists()
    assert not Account.objects.exists()


def test_demo_that_could_not_be_made_is_made_by_the_next_start(folder: Path) -> None:
    bootstrap_installation()
    with pytest.raises(OSError, match="refused"):
        bootstrap_demo(rehearsal_port=1)
    assert not Account.objects.exists()
    assert (folder / PENDING_FILE).exists()
