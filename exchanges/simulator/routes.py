"""Which handler answers which method and path."""

from exchanges.simulator import market_data, replacing, trading
from exchanges.simulator.futures.routes import FUTURES_ROUTES
from exchanges.simulator.route import Route

ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/api/v3/ping"): Route(market_data.ping),
    ("GET", "/api/v3/time"): Route(market_data.server_time),
    ("GET", "/api/v3/exchangeInfo"): Route(market_data.exchange_info, weight=20),
    ("GET", "/api/v3/ticker/24hr"): Route(market_data.ticker_24h, weight=2),
    ("GET", "/api/v3/ticker/price"): Route(market_data.ticker_price, weight=2),
    ("GET", "/api/v3/ticker/bookTicker"): Route(market_data.book_ticker, weight=2),
    ("GET", "/api/v3/depth"): Route(market_data.depth, weight=5),
    ("GET", "/api/v3/trades"): Route(market_data.trades, weight=25),
    ("GET", "/api/v3/klines"): Route(market_data.klines, weight=2),
    ("GET", "/dapi/v1/exchangeInfo"): Route(market_data.no_markets),
    ("GET", "/eapi/v1/exchangeInfo"): Route(market_data.no_markets),
    ("GET", "/sapi/v1/margin/allPairs"): Route(market_data.nothing),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(market_data.nothing),
    ("GET", "/sapi/v1/capital/config/getall"): Route(market_data.nothing),
    ("GET", "/sapi/v1/capital/deposit/hisrec"): Route(market_data.nothing, signed=True),
    ("GET", "/sapi/v1/capital/withdraw/history"): Route(market_data.nothing, signed=True),
    ("GET", "/sapi/v1/account/apiRestrictions"): Route(trading.key_restrictions, signed=True),
    ("POST", "/api/v3/order"): Route(trading.place, signed=True, writes=True),
    ("POST", "/api/v3/order/cancelReplace"): Route(replacing.replace, signed=True, writes=True),
    ("POST", "/api/v3/order/test"): Route(trading.test_order, signed=True),
    ("GET", "/api/v3/order"): Route(trading.query, signed=True, weight=4),
    ("DELETE", "/api/v3/order"): Route(trading.cancel, signed=True, writes=True),
    ("DELETE", "/api/v3/openOrders"): Route(trading.cancel_all, signed=True, writes=True),
    ("GET", "/api/v3/openOrders"): Route(trading.open_orders, signed=True, weight=6),
    ("GET", "/api/v3/allOrders"): Route(trading.all_orders, signed=True, weight=20),
    ("GET", "/api/v3/account"): Route(trading.account, signed=True, weight=20),
    ("GET", "/api/v3/myTrades"): Route(trading.own_trades, signed=True, weight=20),
    **FUTURES_ROUTES,
}
