"""Which handler answers which USD-M method and path."""

from exchanges.simulator import market_data
from exchanges.simulator.futures import account, algo, markets, orders
from exchanges.simulator.route import Handler, Route


def _read(handler: Handler, weight: int = 5) -> Route:
    return Route(handler, signed=True, weight=weight)


def _write(handler: Handler) -> Route:
    return Route(handler, signed=True, writes=True)


FUTURES_ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/fapi/v1/ping"): Route(market_data.ping),
    ("GET", "/fapi/v1/time"): Route(market_data.server_time),
    ("GET", "/fapi/v1/exchangeInfo"): Route(markets.exchange_info),
    ("GET", "/fapi/v1/ticker/24hr"): Route(market_data.ticker_24h),
    ("GET", "/fapi/v1/ticker/price"): Route(market_data.ticker_price),
    ("GET", "/fapi/v2/ticker/price"): Route(market_data.ticker_price),
    ("GET", "/fapi/v1/ticker/bookTicker"): Route(market_data.book_ticker),
    ("GET", "/fapi/v1/premiumIndex"): Route(markets.premium_index),
    ("GET", "/fapi/v1/fundingRate"): Route(markets.funding_rates),
    ("GET", "/fapi/v1/depth"): Route(market_data.depth, weight=5),
    ("GET", "/fapi/v1/trades"): Route(market_data.trades, weight=5),
    ("GET", "/fapi/v1/klines"): Route(market_data.klines, weight=5),
    ("POST", "/fapi/v1/order"): _write(orders.place),
    ("PUT", "/fapi/v1/order"): _write(orders.amend),
    ("GET", "/fapi/v1/order"): _read(orders.query, 1),
    ("DELETE", "/fapi/v1/order"): _write(orders.cancel),
    ("POST", "/fapi/v1/batchOrders"): _write(orders.place_many),
    ("DELETE", "/fapi/v1/allOpenOrders"): _write(orders.cancel_all),
    ("POST", "/fapi/v1/countdownCancelAll"): _write(orders.countdown),
    ("GET", "/fapi/v1/openOrders"): _read(orders.open_orders),
    ("GET", "/fapi/v1/allOrders"): _read(orders.all_orders),
    ("GET", "/fapi/v1/userTrades"): _read(orders.own_trades),
    ("POST", "/fapi/v1/algoOrder"): _write(algo.place),
    ("GET", "/fapi/v1/algoOrder"): _read(algo.query, 1),
    ("DELETE", "/fapi/v1/algoOrder"): _write(algo.cancel),
    ("DELETE", "/fapi/v1/algoOpenOrders"): _write(algo.cancel_all),
    ("GET", "/fapi/v1/openAlgoOrders"): _read(algo.open_orders),
    ("GET", "/fapi/v1/allAlgoOrders"): _read(algo.all_orders),
    ("GET", "/fapi/v2/account"): _read(account.account),
    ("GET", "/fapi/v3/account"): _read(account.account),
    ("GET", "/fapi/v2/balance"): _read(account.balance),
    ("GET", "/fapi/v3/balance"): _read(account.balance),
    ("GET", "/fapi/v2/positionRisk"): _read(account.position_risk),
    ("GET", "/fapi/v3/positionRisk"): _read(account.position_risk_held),
    ("GET", "/fapi/v1/leverageBracket"): _read(account.leverage_brackets, 1),
    ("GET", "/fapi/v1/symbolConfig"): _read(account.symbol_config),
    ("GET", "/fapi/v1/accountConfig"): _read(account.account_config),
    ("GET", "/fapi/v1/commissionRate"): _read(account.commission_rate),
    ("GET", "/fapi/v1/income"): _read(account.incomes, 30),
    ("GET", "/fapi/v1/positionSide/dual"): _read(account.position_mode),
    ("POST", "/fapi/v1/positionSide/dual"): _write(account.set_position_mode),
    ("POST", "/fapi/v1/leverage"): _write(account.set_leverage),
    ("POST", "/fapi/v1/marginType"): _write(account.set_margin_type),
    ("POST", "/fapi/v1/listenKey"): Route(account.listen_key, keyed=True),
    ("PUT", "/fapi/v1/listenKey"): Route(account.listen_key, keyed=True),
    ("DELETE", "/fapi/v1/listenKey"): Route(account.end_listen_key, keyed=True),
}
