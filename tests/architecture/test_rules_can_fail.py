"""Each rule finds its violation in a made-up tree, and leaves the lawful neighbour alone."""

from pathlib import Path

from tests.architecture import rules
from tests.architecture.accessors import Accessor, accessors_used_too_early
from tests.architecture.conftest import Build

ORDER = ["common", "events", "exchanges", "trading", "surfaces", "surfaces.one", "surfaces.two"]


def test_import_of_a_later_app_is_found_in_every_form(build: Build) -> None:
    root = build(
        {
            "events/log.py": "import trading.models\n",
            "events/sub/deep.py": "from trading import services\n",
            "common/clock.py": "from events.log import publish\n",
            "surfaces/errors.py": "from surfaces.one import views\n",
            "trading/models.py": "from events.log import publish\nfrom .states import OPEN\n",
            "surfaces/one/views.py": "from surfaces.errors import handler\n",
        }
    )
    assert rules.backward_imports(root, ORDER) == [
        "common/clock.py:1 common imports events",
        "events/log.py:1 events imports trading",
        "events/sub/deep.py:1 events imports trading",
        "surfaces/errors.py:1 surfaces imports surfaces.one",
    ]


def test_relative_import_that_leaves_its_app_is_found(build: Build) -> None:
    root = build(
        {
            "surfaces/one/views.py": "from ..two import urls\nfrom ..errors import handler\n",
            "surfaces/two/urls.py": "from .views import page\n",
        }
    )
    assert rules.backward_imports(root, ORDER) == [
        "surfaces/one/views.py:1 surfaces.one imports surfaces.two"
    ]


def test_import_for_type_checking_only_counts(build: Build) -> None:
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from trading import models\n"
    root = build({"events/log.py": source})
    assert rules.backward_imports(root, ORDER) == ["events/log.py:3 events imports trading"]


def test_surface_that_imports_another_is_found_in_both_directions(build: Build) -> None:
    root = build(
        {
            "surfaces/two/views.py": "from surfaces.one.serializers import Order\n",
            "surfaces/one/views.py": "import surfaces.two\nfrom surfaces.errors import handler\n",
        }
    )
    assert rules.surface_crossings(root, ORDER) == [
        "surfaces/one/views.py:1 surfaces.one imports surfaces.two",
        "surfaces/two/views.py:1 surfaces.two imports surfaces.one",
    ]


def test_circle_over_three_apps_is_found(build: Build) -> None:
    root = build(
        {
            "events/a.py": "import trading\n",
            "trading/b.py": "import exchanges\n",
            "exchanges/c.py": "import events\n",
            "common/d.py": "import json\n",
        }
    )
    assert rules.import_circles(root, ORDER) == [
        "events reaches itself through its imports",
        "exchanges reaches itself through its imports",
        "trading reaches itself through its imports",
    ]


def test_import_in_a_function_and_from_a_string_is_found(build: Build) -> None:
    root = build(
        {
            "events/a.py": "def f():\n    import json\n    return json\n",
            "events/b.py": "async def f():\n    def g():\n        from os import path\n",
            "events/c.py": "import importlib\nm = importlib.import_module('trading')\n",
            "events/d.py": "import json\nclass C:\n    import os\n",
            "events/apps.py": "import_module('events.consumers').register()\n",
            "exchanges/apps.py": "import_module('trading.consumers')\nimport_module(name)\n",
        }
    )
    assert rules.hidden_imports(root, ORDER) == [
        "events/a.py:2 imports json inside a function",
        "events/b.py:3 imports os.path inside a function",
        "events/c.py:2 imports from a string",
        "exchanges/apps.py:1 imports from a string",
        "exchanges/apps.py:2 imports from a string",
    ]


def test_ccxt_outside_exchanges_is_found(build: Build) -> None:
    root = build(
        {
            "trading/a.py": "import ccxt.async_support as ccxt\n",
            "trading/b.py": "from ccxt import NetworkError\nimport ccxtlike\n",
            "exchanges/gateway.py": "import ccxt.pro\n",
        }
    )
    assert rules.foreign_ccxt(root, ORDER) == [
        "trading/a.py:1 imports ccxt.async_support",
        "trading/b.py:1 imports ccxt.NetworkError",
    ]


def test_float_column_is_found_and_float_serializer_is_not(build: Build) -> None:
    root = build(
        {
            "trading/models.py": "from django.db import models\nprice = models.FloatField()\n",
            "trading/more.py": "from django.db.models import FloatField\n",
            "surfaces/one/serializers.py": (
                "from rest_framework import serializers\nprice = serializers.FloatField()\n"
            ),
        }
    )
    assert rules.float_fields(root, ORDER) == [
        "trading/models.py:2 uses models.FloatField",
        "trading/more.py:1 imports django.db.models.FloatField",
    ]


def test_file_of_501_lines_and_function_of_61_are_found(build: Build) -> None:
    body = "    x = 1\n"
    root = build(
        {
            "trading/long.py": "x = 1\n" * 501,
            "trading/limit.py": "x = 1\n" * 500,
            "trading/migrations/0001_initial.py": "x = 1\n" * 501,
            "trading/functions.py": f"def f():\n{body * 60}def g():\n{body * 59}",
        }
    )
    assert rules.oversize(root, ORDER) == [
        "trading/functions.py:1 f has 61 lines",
        "trading/long.py has 501 lines",
    ]


def test_names_that_say_nothing_are_found(build: Build) -> None:
    root = build(
        {
            "trading/utils.py": "",
            "trading/helpers/prices.py": "",
            "trading/management/commands/run.py": "",
            "manage.py": "",
        }
    )
    assert rules.vague_names(root, ORDER) == [
        "trading/helpers/prices.py is called helpers",
        "trading/utils.py is called utils",
    ]


def test_reverse_accessor_used_before_its_app_is_found(build: Build) -> None:
    root: Path = build(
        {
            "events/a.py": "def f(event):\n    return event.orders.all()\n",
            "events/b.py": "def f(events):\n    return events.filter(orders__state='open')\n",
            "exchanges/c.py": "def f(events):\n    return events.prefetch_related('orders')\n",
            "common/d.py": "def f(thing):\n    return thing.orders\n",
            "trading/e.py": "def f(event):\n    return event.orders.all()\n",
        }
    )
    accessors = {Accessor(declared_in="trading", target="events", name="orders")}
    assert accessors_used_too_early(root, ORDER, accessors) == [
        "events/a.py:2 reaches trading over orders",
        "events/b.py:2 reaches trading over orders",
        "exchanges/c.py:2 reaches trading over orders",
    ]
