"""What is installed, in the order in which code may import."""

# An app imports only apps that stand before it; tests/architecture reads this list.
LOCAL_APPS = [
    "events",
    "monitoring",
    "users",
    "exchanges",
    "marketdata",
    "accounts",
    "groups",
    "riskmgmt",
    "trading",
    "strategies",
    "bots",
    "webhooks",
    "reports",
    "surfaces.command",
    "surfaces.management",
    "surfaces.envelope",
    "surfaces.server",
    "surfaces.terminal",
    "surfaces.dashboard",
    "surfaces.console",
    "tradingplatform",
]

# unfold replaces templates of the admin, so it stands before it; daphne before staticfiles.
THIRD_PARTY_APPS = [
    "daphne",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_celery_beat",
    "simple_history",
    "import_export",
    "django_htmx",
    "csp",
    "axes",
]

INSTALLED_APPS = THIRD_PARTY_APPS + LOCAL_APPS
