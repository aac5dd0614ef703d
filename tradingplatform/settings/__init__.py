"""All settings; each reads the environment or `.env` and refuses a wrong value by its name."""

from tradingplatform.settings import environment
from tradingplatform.settings.api import (
    ACCESS_TTL_SECONDS,
    JWT_SIGNING_KEY,
    REFRESH_TTL_SECONDS,
    REST_FRAMEWORK,
    SIMPLE_JWT,
    SPECTACULAR_SETTINGS,
)
from tradingplatform.settings.apps import INSTALLED_APPS, LOCAL_APPS
from tradingplatform.settings.audit import AUDIT_ANCHOR_KEY, OMS_AUDIT_DIR, SECRET_KEY
from tradingplatform.settings.backends import (
    CACHES,
    CHANNEL_LAYERS,
    DATA_DIR,
    DATABASES,
    EMBEDDED,
    REDIS_URL,
)
from tradingplatform.settings.celery import (
    CELERY_ACCEPT_CONTENT,
    CELERY_BEAT_SCHEDULE,
    CELERY_BEAT_SCHEDULER,
    CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP,
    CELERY_BROKER_TRANSPORT_OPTIONS,
    CELERY_BROKER_URL,
    CELERY_ENABLE_UTC,
    CELERY_IMPORTS,
    CELERY_RESULT_EXPIRES,
    CELERY_RESULT_SERIALIZER,
    CELERY_TASK_CREATE_MISSING_QUEUES,
    CELERY_TASK_DEFAULT_QUEUE,
    CELERY_TASK_IGNORE_RESULT,
    CELERY_TASK_QUEUES,
    CELERY_TASK_ROUTES,
    CELERY_TASK_SERIALIZER,
    CELERY_TIMEZONE,
    CELERY_WORKER_HIJACK_ROOT_LOGGER,
    CELERY_WORKER_PREFETCH_MULTIPLIER,
)
from tradingplatform.settings.credentials import JWT_SECRET, OUTSIDE_KEYS
from tradingplatform.settings.entrance import (
    ADMIN_IDLE_MINUTES,
    ADMIN_MFA_REQUIRED,
    AUTHENTICATION_BACKENDS,
    AXES_CLIENT_IP_CALLABLE,
    AXES_ENABLE_ADMIN,
    AXES_HANDLER,
    AXES_LOCK_OUT_AT_FAILURE,
    AXES_LOCKOUT_PARAMETERS,
    AXES_VERBOSE,
    SILENCED_SYSTEM_CHECKS,
)
from tradingplatform.settings.environment import BASE_DIR
from tradingplatform.settings.limits import (
    ADDRESS_RATE_LIMIT_PER_MIN,
    ORG_RATE_LIMIT_PER_MIN,
    SAFETY_RATE_LIMIT_PER_MIN,
    STREAM_RATE_LIMIT_PER_MIN,
    USER_RATE_LIMIT_PER_MIN,
    WEBHOOK_FAILURE_BURST,
    WEBHOOK_FAILURES_PER_MIN,
)
from tradingplatform.settings.logs import ACCESS_LOG, LOG_DIR, LOG_JSON, LOG_LEVEL, LOGGING
from tradingplatform.settings.mail import (
    DEFAULT_FROM_EMAIL,
    EMAIL_BACKEND,
    EMAIL_FILE_PATH,
    EMAIL_HOST,
    EMAIL_HOST_PASSWORD,
    EMAIL_HOST_USER,
    EMAIL_PORT,
    EMAIL_TIMEOUT,
    EMAIL_USE_SSL,
    EMAIL_USE_TLS,
    PASSWORD_RESET_TOKEN_TTL_SECS,
    PUBLIC_URL,
)
from tradingplatform.settings.outward import NOTIFY_PRIVATE_ADDRESSES, OUTGOING_ADDRESS_URL
from tradingplatform.settings.trading import (
    BALANCE_MAX_AGE_SECONDS,
    CRASH_AT,
    DB_BOOTSTRAP_ADMIN_EMAIL,
    DB_BOOTSTRAP_ADMIN_PASSWORD,
    DB_BOOTSTRAP_API_KEY,
    DB_BOOTSTRAP_ORG_NAME,
    DEMO,
    EXCHANGE_TIMEOUT_MS,
    EXCHANGE_TRANSPORT,
    EXCHANGE_VENUES,
    EXECUTION_LANES,
    EXECUTION_SEND_BUDGET_MS,
    LANE_LEASE_SECONDS,
    ORDER_WAIT_SECONDS,
    QUOTE_MAX_AGE_SECONDS,
    RECONCILE_SECONDS,
    REHEARSAL_PORT,
    STREAM_SILENCE_SECONDS,
    STREAMED_RECONCILE_SECONDS,
    STREAMS,
    WEBHOOK_WAIT_SECONDS,
)
from tradingplatform.settings.web import (
    API_CONTENT_POLICY,
    CONSOLE_SCRIPT_SOURCES,
    CONTENT_SECURITY_POLICY,
    CSRF_COOKIE_SAMESITE,
    CSRF_COOKIE_SECURE,
    MIDDLEWARE,
    PAGE_PREFIXES,
    SECURE_CONTENT_TYPE_NOSNIFF,
    SECURE_REFERRER_POLICY,
    SESSION_COOKIE_HTTPONLY,
    SESSION_COOKIE_SAMESITE,
    SESSION_COOKIE_SECURE,
    STATIC_URL,
    STATICFILES_DIRS,
    TEMPLATES,
    TRUSTED_PROXIES,
    UNFOLD,
    WEBHOOK_CLIENT_CERT_HEADER,
    X_FRAME_OPTIONS,
)

CREDENTIAL_KEYS = environment.fernet_keys("CREDENTIAL_KEYS")
DEBUG = environment.flag("DEBUG")
PORT = environment.whole("PORT", 8000, 1, 65_535)
HOST = environment.text("HOST", "127.0.0.1")
ALLOWED_HOSTS = environment.listing("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = [*environment.listing("CSRF_TRUSTED_ORIGINS", []), PUBLIC_URL]

ROOT_URLCONF = "tradingplatform.urls"
ASGI_APPLICATION = "tradingplatform.asgi.application"
AUTH_USER_MODEL = "users.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = [
    "users.hashers.PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/dashboard/login/"
SIMPLE_HISTORY_REVERT_DISABLED = True
LOGIN_REDIRECT_URL = "/admin/"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
APPEND_SLASH = False
