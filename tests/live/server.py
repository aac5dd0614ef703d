"""The platform's own server on a test's database, looking at the log often."""

import sys

import django

django.setup()

from surfaces.live import feed  # noqa: E402
from tradingplatform.asgi import application  # noqa: E402
from tradingplatform.embedded.server import DrainingServer  # noqa: E402

if __name__ == "__main__":
    # Nobody announces across processes in embedded mode.
    feed.LOOK_SECONDS = 0.05
    DrainingServer(application, "127.0.0.1", int(sys.argv[1])).serve()
