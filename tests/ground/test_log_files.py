"""With LOG_DIR every domain has a file of its own in each process."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

PROBE = """
import logging, logging.config, os
import tradingplatform.settings as s
logging.config.dictConfig(s.LOGGING)
logging.getLogger("surfaces.errors").error("a call with x-api-key: marker0123456789")
logging.getLogger("exchanges.gateway").error("an exchange")
logging.getLogger("trading.services.execution").error("an order")
print(os.getpid())
"""


def test_each_domain_is_written_to_its_file_without_credentials(tmp_path: Path) -> None:
    environment = {**os.environ, "LOG_DIR": str(tmp_path / "logs"), "LOG_JSON": "true"}
    pid = subprocess.check_output(
        [sys.executable, "-c", PROBE], cwd=settings.BASE_DIR, env=environment, text=True
    ).strip()
    lines = {file.name: file.read_text().splitlines() for file in (tmp_path / "logs").iterdir()}
    assert set(lines) == {f"api-{pid}.log", f"ccxt-{pid}.log", f"position-{pid}.log"}
    assert [len(each) for each in lines.values()] == [1, 1, 1]
    assert "marker" not in lines[f"api-{pid}.log"][0]
    assert '"an exchange"' in lines[f"ccxt-{pid}.log"][0]
    assert '"an order"' in lines[f"position-{pid}.log"][0]
