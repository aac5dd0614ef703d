"""The ASGI application: static files, HTTP and WebSockets."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingplatform.settings")
http_application = get_asgi_application()

# Models are loaded above; the consumers need them.
from surfaces.command.routing import websocket_urlpatterns as command_sockets  # noqa: E402
from surfaces.dashboard.routing import websocket_urlpatterns as dashboard_sockets  # noqa: E402
from surfaces.management.routing import websocket_urlpatterns as management_sockets  # noqa: E402
from surfaces.ws import websocket_urlpatterns as shared_sockets  # noqa: E402
from tradingplatform.request_life import to_its_end  # noqa: E402
from tradingplatform.static_files import serve_static  # noqa: E402


async def refuse_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Close a socket that was opened at an unknown path; the handshake answers 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


websocket_routes = [*command_sockets, *shared_sockets, *management_sockets, *dashboard_sockets]
NO_SUCH_SOCKET = re_path(r"", refuse_socket)

application = ProtocolTypeRouter(
    {
        "http": to_its_end(serve_static(http_application)),
        "websocket": URLRouter([*websocket_routes, NO_SUCH_SOCKET]),
    }
)
