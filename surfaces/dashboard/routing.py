"""WebSocket routes of the dashboard."""

from channels.sessions import CookieMiddleware
from django.urls import path

from .consumer import LiveConsumer

websocket_urlpatterns = [path("dashboard/ws", CookieMiddleware(LiveConsumer.as_asgi()))]
