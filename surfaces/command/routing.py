"""The socket address of 000."""

from django.urls import re_path

from surfaces.command.socket import CommandSocket

websocket_urlpatterns = [re_path(r"^ws/?$", CommandSocket.as_asgi())]
