"""How often the APIs may be called in a minute; 0 switches a limit off."""

from tradingplatform.settings import environment

MOST = 10_000_000

USER_RATE_LIMIT_PER_MIN = environment.whole("USER_RATE_LIMIT_PER_MIN", 6_000, 0, MOST)
ADDRESS_RATE_LIMIT_PER_MIN = environment.whole("ADDRESS_RATE_LIMIT_PER_MIN", 12_000, 0, MOST)
ORG_RATE_LIMIT_PER_MIN = environment.whole("ORG_RATE_LIMIT_PER_MIN", 30_000, 0, MOST)
# Closing, cancelling and stopping count apart, so that they work when all else is used up.
SAFETY_RATE_LIMIT_PER_MIN = environment.whole("SAFETY_RATE_LIMIT_PER_MIN", 6_000, 0, MOST)
# Alerts that are not authentic, by address; those that are, are never refused for their number.
WEBHOOK_FAILURES_PER_MIN = environment.whole("WEBHOOK_FAILURES_PER_MIN", 60, 0, MOST)
# More of them for one bot within a minute raise an alert.
WEBHOOK_FAILURE_BURST = environment.whole("WEBHOOK_FAILURE_BURST", 10, 0, MOST)
STREAM_RATE_LIMIT_PER_MIN = environment.whole("STREAM_RATE_LIMIT_PER_MIN", 600, 0, MOST)
