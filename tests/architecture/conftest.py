"""The real tree and a workshop for made-up ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from tests.architecture.source import house_order

Build = Callable[[dict[str, str]], Path]


@pytest.fixture
def root() -> Path:
    """The project's folder."""
    return Path(settings.BASE_DIR)


@pytest.fixture
def order() -> list[str]:
    """The packages of the project in import order."""
    return house_order(settings.LOCAL_APPS)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Writes a made-up tree: path → text."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write
