"""Child processes that take orders: one JSON object a line in, one out."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.bench.process import Child

ROOT = Path(__file__).resolve().parents[2]


def serve_lines(commands: Mapping[str, Callable[..., Any]]) -> None:
    """In the child: run what is asked for until the input ends. Whatever else prints goes to
    stderr.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        result = commands[request["do"]](**request["with"])
        print(json.dumps(result), file=answers, flush=True)


class LineChild(Child):
    """In the parent: a child started with :func:`serve_lines`."""

    def __init__(self, module: str, *words: str, environment: Mapping[str, str] | None = None):
        self._child = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            env=dict(environment or os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        super().__init__(module.rsplit(".", 1)[-1], self._child)
        self._read()

    def ask(self, command: str, **values: Any) -> Any:
        """Let the child run a command; its result. Raises RuntimeError when the child is gone."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"do": command, "with": values}) + "\n")
        self._child.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with exit code {self._child.wait(10)}")
        return json.loads(line)
