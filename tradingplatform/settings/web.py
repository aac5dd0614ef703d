"""Requests and answers: middleware, templates, static files, content policy, cookies."""

from typing import Any

from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE

from tradingplatform.settings import environment
from tradingplatform.settings.environment import BASE_DIR
from tradingplatform.settings.mail import PUBLIC_URL

# The classic middleware works on pages only (see tradingplatform.middleware): each of its hooks
# costs an asynchronous request a change of thread, and the APIs need none of it.
MIDDLEWARE = [
    "tradingplatform.middleware.request_context",
    "tradingplatform.middleware.PageSecurity",
    "tradingplatform.middleware.PageCompression",
    "tradingplatform.middleware.PageContentPolicy",
    "tradingplatform.middleware.PageSessions",
    "tradingplatform.middleware.PageForgeryGuard",
    "tradingplatform.middleware.PageAuthentication",
    "tradingplatform.middleware.PageMessages",
    "tradingplatform.page_gate.PageGate",
    # These two are asynchronous by nature.
    "simple_history.middleware.HistoryRequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
# Addresses and networks of proxies whose X-Forwarded-For is believed.
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES")
# The header in which they name the client certificate that they have verified.
WEBHOOK_CLIENT_CERT_HEADER = environment.header("WEBHOOK_CLIENT_CERT_HEADER")
PAGE_PREFIXES = ("/admin/", "/dashboard/", "/api/docs/", "/api/schema/")

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ]
        },
    }
]

STATIC_URL = "/static/"
# Front-end libraries, put there by `manage.py assets`.
STATICFILES_DIRS = [folder for folder in (BASE_DIR / "static",) if folder.is_dir()]

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        # unfold and the chart libraries set sizes and colours in style attributes.
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# The console's Alpine.js compiles its attributes; nothing else may.
CONSOLE_SCRIPT_SOURCES = [SELF, NONCE, UNSAFE_EVAL]
# Answers outside the pages: API answers need nothing, the browsable API its own files.
API_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

UNFOLD = {
    "SITE_TITLE": "Trading platform",
    "SITE_HEADER": "Trading platform",
    "SITE_URL": "/dashboard/",
    "SHOW_HISTORY": True,
    # The theme's label for a kind of installation; here it names the time zone.
    "ENVIRONMENT": "surfaces.console.zone.shown_zone",
}

X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
# People reach the platform over TLS, be it that of a proxy in front of it.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
