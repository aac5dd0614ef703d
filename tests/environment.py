"""Sets the environment of a test run; loaded by pytest before it reads the settings.

Keys are fixed, the data folder is a fresh one per run (shared by the run's parallel workers), and
no `.env` of an installation is read. `DATABASE_URL` and `REDIS_URL` are taken as they are: without
them the run is embedded.
"""

import os
import tempfile

os.environ["DOTENV_PATH"] = os.devnull
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="platform-tests-"))
os.environ.update(
    SECRET_KEY="a-secret-key-for-tests-only-0123456789abcdef",
    JWT_SIGNING_KEY="a-signing-key-for-tests-only-0123456789abcd",
    CREDENTIAL_KEYS="dGVzdHMtb25seS1mZXJuZXQta2V5LTAxMjM0NTY3ODk=",
    ALLOWED_HOSTS="localhost,127.0.0.1,testserver",
    EXCHANGE_VENUES='{"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9001"}}',
)
# Threads that tests start may end without handing their connection back, which costs the pool a
# place each; there are enough of them. Child processes get a pool of the usual size.
os.environ["DATABASE_POOL_SIZE"] = "400"
for unwanted in ("EPHEMERAL_KEYS", "CRASH_AT", "DEBUG", "PORT", "LOG_LEVEL", "LOG_JSON", "LOG_DIR"):
    os.environ.pop(unwanted, None)
