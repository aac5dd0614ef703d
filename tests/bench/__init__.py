"""`make bench`: what the platform costs beside bare ccxt, measured in one run on one machine."""
