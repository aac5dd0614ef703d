"""How the engine behaves: ages, budgets, waits, venues."""

from tradingplatform.settings import environment
from tradingplatform.settings.backends import EMBEDDED

# JSON as in `{"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9001"}}`.
EXCHANGE_VENUES = environment.json_object("EXCHANGE_VENUES")
EXCHANGE_TIMEOUT_MS = environment.whole("EXCHANGE_TIMEOUT_MS", 10_000, 100, 120_000)
# The HTTP session under ccxt: aiohttp's own, or a leaner one for the plain case.
EXCHANGE_TRANSPORT = environment.choice("EXCHANGE_TRANSPORT", "STOCK", ("STOCK", "LEAN"))
EXECUTION_SEND_BUDGET_MS = environment.whole("EXECUTION_SEND_BUDGET_MS", 2_000, 50, 60_000)
# Accounts are spread over this many lanes, each sent for by one worker at a time; the same number
# for all processes. Another worker takes a dead one's lanes over after the lease.
EXECUTION_LANES = environment.whole("EXECUTION_LANES", 1 if EMBEDDED else 8, 1, 256)
LANE_LEASE_SECONDS = environment.whole("LANE_LEASE_SECONDS", 5, 1, 600)
WEBHOOK_WAIT_SECONDS = environment.seconds("WEBHOOK_WAIT_SECONDS", 2.0, 0.0, 2.5)
# How long the answer to a lone order waits for its venue.
ORDER_WAIT_SECONDS = environment.seconds("ORDER_WAIT_SECONDS", 5.0, 0.0, 30.0)
BALANCE_MAX_AGE_SECONDS = environment.whole("BALANCE_MAX_AGE_SECONDS", 60, 1, 86_400)
QUOTE_MAX_AGE_SECONDS = environment.whole("QUOTE_MAX_AGE_SECONDS", 10, 1, 86_400)
# Private streams tell fills at once; a silent one is dialled anew. While an account's stream is
# healthy, the poll that checks on it may be rarer.
STREAMS = environment.flag("STREAMS", True)
STREAM_SILENCE_SECONDS = environment.seconds("STREAM_SILENCE_SECONDS", 15.0, 0.5, 300.0)
STREAMED_RECONCILE_SECONDS = environment.whole("STREAMED_RECONCILE_SECONDS", 30, 1, 86_400)
RECONCILE_SECONDS = environment.whole("RECONCILE_SECONDS", 10, 1, 86_400)
# The first start makes an organisation, its admin and, with `DEMO`, something to try things on.
DB_BOOTSTRAP_ORG_NAME = environment.text("DB_BOOTSTRAP_ORG_NAME", "Main")
DB_BOOTSTRAP_ADMIN_EMAIL = environment.text("DB_BOOTSTRAP_ADMIN_EMAIL", "admin@example.com")
DB_BOOTSTRAP_ADMIN_PASSWORD = environment.text("DB_BOOTSTRAP_ADMIN_PASSWORD")
DB_BOOTSTRAP_API_KEY = environment.text("DB_BOOTSTRAP_API_KEY")
DEMO = environment.flag("DEMO", True)
# The port of the rehearsal exchange that `run` starts; 0 = the platform's port + 1001.
REHEARSAL_PORT = environment.whole("REHEARSAL_PORT", 0, 0, 65_535)
# Points at which a process kills itself, with the passage that does it; for tests of recovery.
CRASH_AT = environment.passages("CRASH_AT")
