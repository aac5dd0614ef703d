"""The socket addresses of 001; a user id is digits or a uuid, so ``/ws/v1`` stays free."""

from django.urls import re_path

from surfaces.management.consumers import UserSocket

_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_USER = rf"(?P<user_id>[0-9]{{1,18}}|{_UUID})"

websocket_urlpatterns = [
    re_path(rf"^ws/{_USER}/?$", UserSocket.as_asgi()),
    re_path(rf"^api/v1/ws/{_USER}/?$", UserSocket.as_asgi()),
]
