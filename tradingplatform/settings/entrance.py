"""How people enter the pages: sessions, the console's demands, the record of log-ins."""

from tradingplatform.settings import environment

AUTHENTICATION_BACKENDS = ["users.backends.SessionBackend"]
# Whoever has not opened a page for so long signs in anew before the console opens.
ADMIN_IDLE_MINUTES = environment.whole("ADMIN_IDLE_MINUTES", 30, 1, 1440)
# Whether people without a second factor are kept out of the console until they enrol one.
ADMIN_MFA_REQUIRED = environment.flag("ADMIN_MFA_REQUIRED")

# django-axes records; it decides nothing, so it needs neither its backend nor its middleware.
AXES_HANDLER = "surfaces.dashboard.login_record.RecordingHandler"
AXES_CLIENT_IP_CALLABLE = "surfaces.authentication.request_address"
AXES_LOCK_OUT_AT_FAILURE = False
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
SILENCED_SYSTEM_CHECKS = ["axes.W002", "axes.W003"]
