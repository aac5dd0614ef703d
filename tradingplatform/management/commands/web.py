"""`manage.py web`: one web process of the distributed mode."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from tradingplatform.asgi import application
from tradingplatform.backends import check_distributed, not_ready
from tradingplatform.embedded.server import DrainingServer


class Command(BaseCommand):
    """Serve HTTP and WebSockets; any number may run behind a load balancer."""

    help = (
        "Serve HTTP and WebSockets on HOST and PORT; needs DATABASE_URL and REDIS_URL. "
        "Examples: `manage.py web`; `HOST=0.0.0.0 PORT=8080 manage.py web`."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until a signal; running requests are answered before the end."""
        check_distributed()
        server = DrainingServer(application, settings.HOST, settings.PORT)
        server.serve()
        if server.failed_to_listen:
            not_ready(f"port {settings.PORT} of setting PORT cannot be opened")
