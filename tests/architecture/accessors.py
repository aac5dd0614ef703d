"""Finds code that walks from an earlier app to a later one over a reverse accessor."""

import ast
from dataclasses import dataclass
from pathlib import Path

from django.apps import apps
from django.db.models import Field

from tests.architecture.source import app_of, source_files


@dataclass(frozen=True)
class Accessor:
    """A reverse accessor that a model of `declared_in` puts on a model of `target`."""

    declared_in: str
    target: str
    name: str


def declared_accessors(order: list[str]) -> set[Accessor]:
    """The visible reverse accessors of relations between two of our apps."""
    found = set()
    for model in apps.get_models():
        declared_in = _our_app(model.__module__, order)
        for field in model._meta.get_fields():
            if not isinstance(field, Field) or not field.is_relation or declared_in is None:
                continue
            target = _our_app(getattr(field.related_model, "__module__", ""), order)
            name = field.remote_field.get_accessor_name()  # type: ignore[union-attr]
            if target is not None and target != declared_in and name and field.model is model:
                found.add(Accessor(declared_in, target, name))
    return found


def _our_app(module: str, order: list[str]) -> str | None:
    owners = [app for app in order if module == app or module.startswith(f"{app}.")]
    return max(owners, key=len, default=None)


def accessors_used_too_early(root: Path, order: list[str], accessors: set[Accessor]) -> list[str]:
    """Uses of an accessor in an app that stands before the one that declares it.

    Only apps from the accessor's target on are looked at: earlier code cannot hold the object.
    A chain like `account.orders` counts, and so do look-ups like `filter(orders__state=...)` and
    `prefetch_related("orders")`.
    """
    found = []
    for file in source_files(root, order):
        app = app_of(file, order)
        if app is None:
            continue
        place = order.index(app)
        watched = {
            accessor.name: accessor
            for accessor in accessors
            if order.index(accessor.target) <= place < order.index(accessor.declared_in)
        }
        for node in ast.walk(file.tree):
            for name in _names(node) & set(watched):
                line = getattr(node, "lineno", 0)
                later = watched[name].declared_in
                found.append(f"{file.name}:{line} reaches {later} over {name}")
    return found


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Attribute):
        return {node.attr}
    if isinstance(node, ast.keyword) and node.arg and "__" in node.arg:
        return {node.arg.partition("__")[0]}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        wide = {"prefetch_related", "values", "values_list", "order_by", "Count", "Max", "Min"}
        if node.func.attr in wide:
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            return {str(text).lstrip("-").partition("__")[0] for text in texts}
    return set()
