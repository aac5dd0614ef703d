"""The floor of a request: one Django view without middleware behind the same server program.

`python -m tests.bench.bare PORT` serves it.
"""

import subprocess
import sys

from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import path

from tests.bench.lines import ROOT
from tests.bench.process import Child
from tests.ground.ports import free_port


def view(request: HttpRequest) -> JsonResponse:
    """As many fields as the answer it is compared with."""
    return JsonResponse({"user_id": "1", "username": "bare", "role": "viewer", "permissions": []})


urlpatterns = [path("", view)]


class Bare(Child):
    """The server as a process that answers."""

    def __init__(self) -> None:
        self.port = str(free_port())
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bare", self.port],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        super().__init__("bare view", process)
        assert process.stdout is not None
        process.stdout.readline()


def main() -> None:
    """Serve until a signal."""
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[])
    from django.core.asgi import get_asgi_application

    Server(
        get_asgi_application(),
        endpoints=build_endpoint_description_strings(host="127.0.0.1", port=int(sys.argv[1])),
        ready_callable=lambda: print("ready", flush=True),
    ).run()


if __name__ == "__main__":
    main()
