"""The rules of the house hold for the project."""

import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import FloatField

from tests.architecture import rules
from tests.architecture.accessors import accessors_used_too_early, declared_accessors
from tests.architecture.source import app_of, source_files

Rule = Callable[[Path, list[str]], list[str]]
ARCHITECTURE = [
    "events",
    "monitoring",
    "users",
    "exchanges",
    "marketdata",
    "accounts",
    "groups",
    "riskmgmt",
    "trading",
    "strategies",
    "bots",
    "webhooks",
    "reports",
    "surfaces.command",
    "surfaces.management",
    "surfaces.envelope",
    "surfaces.server",
    "surfaces.terminal",
    "surfaces.dashboard",
    "surfaces.console",
    "tradingplatform",
]


def test_apps_are_listed_in_the_order_of_the_architecture() -> None:
    assert settings.LOCAL_APPS == ARCHITECTURE


def test_every_app_has_files_to_look_at(root: Path, order: list[str]) -> None:
    seen = {app_of(file, order) for file in source_files(root, order)}
    assert seen == set(order)


@pytest.mark.parametrize(
    "rule",
    [
        rules.backward_imports,
        rules.surface_crossings,
        rules.import_circles,
        rules.hidden_imports,
        rules.foreign_ccxt,
        rules.float_fields,
        rules.oversize,
        rules.vague_names,
    ],
    ids=lambda rule: rule.__name__,
)
def test_rule_holds(rule: Rule, root: Path, order: list[str]) -> None:
    assert rule(root, order) == []


def test_no_column_is_a_binary_float(order: list[str]) -> None:
    ours = {app.rpartition(".")[2] for app in order}
    floats = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        if model._meta.app_label in ours
        for field in model._meta.get_fields()
        if isinstance(field, FloatField)
    ]
    assert floats == []


def test_no_code_walks_to_a_later_app_over_a_reverse_accessor(root: Path, order: list[str]) -> None:
    accessors = declared_accessors(order)
    assert accessors_used_too_early(root, order, accessors) == []


def test_sizes_stay_near_the_habit(
    root: Path, order: list[str], record_property: Callable[[str, object], None]
) -> None:
    """Medians and 95th percentiles, told in the report; the medians are a budget."""
    files = [file for file in source_files(root, order) if not rules.is_migration(file)]
    lines = [len(file.text.splitlines()) for file in files if file.text.strip()]
    lengths = [rules.length(function) for file in files for function in file.functions()]
    report = {
        "files": len(lines),
        "lines per file, median": statistics.median(lines),
        "lines per file, 95th percentile": statistics.quantiles(lines, n=20)[-1],
        "lines per function, median": statistics.median(lengths),
        "lines per function, 95th percentile": statistics.quantiles(lengths, n=20)[-1],
    }
    for name, value in report.items():
        record_property(name, value)
    print(report)
    assert report["lines per file, median"] <= 150
    assert report["lines per function, median"] <= 12
