"""A rehearsal exchange: the matching core behind the Binance spot REST and WebSocket dialect."""
