"""What the platform calls beside exchanges: channels, and a service that tells its own address."""

from tradingplatform.settings import environment

# Whether channels may lead into the network this machine stands in. Whoever administers an
# organisation could then make it call whatever listens there.
NOTIFY_PRIVATE_ADDRESSES = environment.flag("NOTIFY_PRIVATE_ADDRESSES")
# Answers a GET with the caller's address as plain text; `doctor` asks it, nothing else does.
OUTGOING_ADDRESS_URL = environment.url("OUTGOING_ADDRESS_URL", ("http", "https"))
