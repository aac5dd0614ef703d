"""One account at a real (or declared) venue, spoken to through unmodified ccxt."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from common.clock import now_ms

from .answers import (
    venue_balances,
    venue_deposit,
    venue_funding,
    venue_order,
    venue_position,
    venue_trade,
    venue_wallet_transfer,
    venue_withdrawal,
)
from .arguments import as_limit, needs_price, order_amount, order_arguments
from .connection import VenueConnection
from .outcomes import NOT_SENT, UNKNOWN, VenueError, Wire
from .protocol import (
    OrderRequest,
    VenueBalance,
    VenueFunding,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    VenueTransfer,
)
from .quirks import AS_ID, AS_LIMIT, FETCH, FILTER, HEDGE_UNKNOWN
from .trade_pages import TradeWalk, can_name_end

SCAN_LIMIT = 100


class CcxtClient:
    """Implements ``VenueClient`` over one ccxt object that shares the venue's session and
    markets.
    """

    def __init__(self, connection: VenueConnection, exchange: Any) -> None:
        self._connection = connection
        self._exchange = exchange

    async def _call(
        self, method: Callable[..., Any], *arguments: Any, wire: Wire | None = None
    ) -> Any:
        """Call one of the exchange's methods with the venue's present markets and clock."""
        self._connection.prepare(self._exchange)
        return await self._connection.call(method(*arguments), wire=wire)

    async def _read(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """As ``_call``, for what is there: an answer that ccxt could not read is no empty list."""
        wire = Wire()
        answer = await self._call(method, *arguments, wire=wire)
        if not wire.is_readable:
            raise _unclear("the answer could not be read")
        return answer

    async def read(self, function: str, *arguments: Any) -> Any:
        """Call one of ccxt's reading functions by name; the caller has checked it."""
        return await self._read(getattr(self._exchange, function), *arguments)

    async def place(self, request: OrderRequest) -> VenueOrder:
        """Send one order, one wire attempt; an answer without an id counts as unknown."""
        wire, quirks = Wire(), self._connection.quirks
        if request.is_triggered and self._connection.market_type not in quirks.triggers:
            raise _not_supported("the venue keeps triggered orders where they cannot be followed")
        order_arguments(request, quirks)  # raises what no price could mend, before asking for one
        sent, reference = await self._priced(request)
        type_, price, params = order_arguments(sent, quirks, reference)
        if quirks.expiry and quirks.request_window_ms:
            venue_ms = now_ms() - self._connection.clock_offset_ms
            params.update(quirks.expiry(venue_ms + quirks.request_window_ms))
        answer = await self._call(
            self._exchange.create_order,
            sent.symbol,
            type_,
            sent.side,
            order_amount(sent, quirks),
            price,
            params,
            wire=wire,
        )
        if not isinstance(answer, dict) or not answer.get("id"):
            raise VenueError(
                outcome=UNKNOWN,
                code="no_id",
                message="the answer named no order",
                wire_at=wire.sent_at,
            )
        return venue_order(answer, request)

    async def _priced(self, request: OrderRequest) -> tuple[OrderRequest, Decimal | None]:
        """The request as it has to leave, and the price that ccxt needs to send it; raises
        VenueError (NOT_SENT) where there is none.
        """
        need = needs_price(request, self._connection.quirks)
        if not need:
            return request, None
        if request.stop_price is not None:
            return request, request.stop_price
        try:
            quote = await self._connection.quote(request.symbol, self._exchange)
        except VenueError as error:
            raise error.before_sending() from error
        last = (quote.ask if request.side == "buy" else quote.bid) or quote.price
        return (as_limit(request, last), None) if need == AS_LIMIT else (request, last)

    async def cancel(self, symbol: str, client_order_id: str, exchange_order_id: str) -> None:
        """Ask for the cancel, by the venue's id where it is known; where the venue takes no other
        the order is looked up first (UNKNOWN, ``order_not_found`` when it is not there).
        """
        param = self._connection.quirks.cancel_id_param
        order_id: str | None = exchange_order_id or None
        params: dict[str, Any] = {}
        if order_id is None and param == AS_ID:
            order_id = client_order_id
        elif order_id is None and param:
            params = {param: client_order_id}
        elif order_id is None:
            order_id = await self._id_of(symbol, client_order_id)
        await self._call(self._exchange.cancel_order, order_id, symbol, params)

    async def _id_of(self, symbol: str, client_order_id: str) -> str:
        found = await self.find_order(symbol, client_order_id, "")
        if found is None:
            raise VenueError(outcome=UNKNOWN, code="order_not_found", message="no such order")
        return found.exchange_order_id

    async def find_order(
        self, symbol: str, client_order_id: str, exchange_order_id: str
    ) -> VenueOrder | None:
        """By the venue's id, else by ours, else through its lists of orders."""
        quirks = self._connection.quirks
        if exchange_order_id:
            return await self._fetch(symbol, exchange_order_id, quirks.fetch_params)
        if quirks.lookup == FETCH:
            params = quirks.fetch_params | {quirks.fetch_id_param: client_order_id}
            return await self._fetch(symbol, "", params)
        filters = {quirks.fetch_id_param: client_order_id} if quirks.lookup == FILTER else {}
        return await self._scan(symbol, client_order_id, filters)

    async def _fetch(self, symbol: str, order_id: str, params: dict[str, Any]) -> VenueOrder | None:
        try:
            answer = await self._read(self._exchange.fetch_order, order_id, symbol, params)
        except VenueError as error:
            if error.code == "order_not_found":
                return None
            raise
        if answer.get("id"):
            return venue_order(answer)
        if self._connection.quirks.absent_is_empty:
            return None
        raise _unclear("the answer named no order")

    async def _scan(
        self, symbol: str, client_order_id: str, filters: dict[str, Any]
    ) -> VenueOrder | None:
        """Through open orders first, then finished ones, so that none slips between the two."""
        for fetch in self._lists():
            for row in await self._read(fetch, symbol, None, SCAN_LIMIT, filters):
                if row.get("clientOrderId") == client_order_id:
                    return venue_order(row)
        return None

    def _lists(self) -> list[Callable[..., Any]]:
        """The venue's lists of orders. A list of closed orders alone lacks the cancelled ones."""
        exchange, has = self._exchange, self._exchange.has
        lists = [exchange.fetch_open_orders] if has.get("fetchOpenOrders") else []
        if has.get("fetchOrders") is True:
            return [*lists, exchange.fetch_orders]
        if has.get("fetchCanceledAndClosedOrders") is True:
            return [*lists, exchange.fetch_canceled_and_closed_orders]
        if has.get("fetchClosedOrders"):
            lists.append(exchange.fetch_closed_orders)
        if has.get("fetchCanceledOrders") is True:
            lists.append(exchange.fetch_canceled_orders)
        return lists

    async def open_orders(self, symbol: str) -> list[VenueOrder]:
        """Working orders of one symbol."""
        rows = await self._read(self._exchange.fetch_open_orders, symbol)
        return [venue_order(row) for row in rows]

    async def trades(self, symbol: str, since_ms: int | None) -> list[VenueTrade]:
        """Own executions from ``since_ms`` on, walked through in the venue's windows and pages;
        raises VenueError, ``trade_page_overflow`` where some could not be seen.
        """
        quirks, exchange = self._connection.quirks, self._exchange
        asked = None if quirks.trades_of_all_symbols else symbol

        async def fetch(since: int | None, until: int | None) -> list[dict[str, Any]]:
            params = {} if until is None else {"until": until}
            return list(
                await self._read(exchange.fetch_my_trades, asked, since, quirks.trade_page, params)
            )

        walk = TradeWalk(
            fetch, quirks, can_name_end(exchange, quirks, self._connection.market_type)
        )
        trades = [
            venue_trade(row)
            for row in await walk.rows(since_ms, now_ms())
            if row.get("symbol") == symbol
        ]
        found = {trade.trade_id: trade for trade in trades if trade.executed_ms >= (since_ms or 0)}
        return sorted(found.values(), key=lambda trade: (trade.executed_ms, trade.trade_id))

    async def balances(self) -> dict[str, VenueBalance]:
        """Non-zero balances by currency."""
        return venue_balances(await self._read(self._exchange.fetch_balance))

    async def edit(self, exchange_order_id: str, request: OrderRequest) -> None:
        """Change a limit order in place, one wire attempt."""
        if self._connection.market_type not in self._connection.quirks.edits:
            raise _not_supported("the venue cannot change an order in place")
        price = f"{request.price:f}" if request.price is not None else None
        await self._call(
            self._exchange.edit_order,
            exchange_order_id,
            request.symbol,
            request.type,
            request.side,
            order_amount(request, self._connection.quirks),
            price,
        )

    async def positions(self, symbols: Sequence[str]) -> list[VenuePosition]:
        """Open positions of these symbols; always empty on spot."""
        if self._is_spot or not symbols:
            return []
        rows = await self._read(self._exchange.fetch_positions, list(symbols))
        found = [venue_position(row) for row in rows if row.get("symbol") in symbols]
        return [position for position in found if position is not None]

    async def funding(self, symbol: str, since_ms: int) -> list[VenueFunding]:
        """One page of payments, oldest first; who asks again from the last one's time sees the
        rest.
        """
        if self._is_spot or not self._exchange.has.get("fetchFundingHistory"):
            return []
        rows = await self._call(self._exchange.fetch_funding_history, symbol, since_ms, None)
        found = [venue_funding(row) for row in rows if row.get("symbol") == symbol]
        return sorted(found, key=lambda each: each.at_ms)

    async def transfers(self, since_ms: int) -> list[VenueTransfer]:
        """One page of each kind the venue has; who asks again from the last one's time sees the
        rest.
        """
        exchange = self._exchange
        lists = [
            ("fetchDeposits", "fetch_deposits", venue_deposit),
            ("fetchWithdrawals", "fetch_withdrawals", venue_withdrawal),
        ]
        if not self._is_spot:
            lists = [("fetchLedger", "fetch_ledger", venue_wallet_transfer)]
        found = []
        for name, method, read in lists:
            if exchange.has.get(name):
                rows = await self._call(getattr(exchange, method), None, since_ms)
                found += [read(row) for row in rows]
        told = [each for each in found if each is not None and each.at_ms >= since_ms]
        return sorted(told, key=lambda each: (each.at_ms, each.transfer_id))

    async def may_trade(self) -> bool | None:
        """By a word of the account's own answer, where the venue has one."""
        if not self._connection.quirks.trade_right:
            return None
        told = (await self._read(self._exchange.fetch_balance)).get("info") or {}
        right = told.get(self._connection.quirks.trade_right)
        return right if isinstance(right, bool) else None

    async def may_withdraw(self) -> bool | None:
        """By the venue's own question about keys, where it has one."""
        question = self._connection.quirks.key_question
        if question is None:
            return None
        return question.may_withdraw(await self._read(getattr(self._exchange, question.method)))

    async def identity(self) -> str:
        """Whose the key is, by the venue's number of the account; empty where none is told."""
        question = self._connection.quirks.identity_question
        if question is None:
            return ""
        return question.identity(await self._read(getattr(self._exchange, question.method)))

    async def is_hedged(self, symbol: str = "") -> bool:
        """As the venue's position mode says; where ccxt cannot ask for it, as the rows of its
        positions say (empty ones too: Bybit tells the mode per symbol in them).
        """
        if self._connection.quirks.hedge == HEDGE_UNKNOWN or self._is_spot:
            return False
        if self._exchange.has.get("fetchPositionMode"):
            mode = await self._read(self._exchange.fetch_position_mode, symbol or None)
            return mode.get("hedged") is True
        rows = await self._read(self._exchange.fetch_positions, [symbol] if symbol else None)
        return any(row.get("hedged") is True for row in rows)

    async def count_down(self, symbol: str, seconds: int) -> None:
        """Start or stop the venue's dead man's switch; success is the venue's readable word. It
        takes no part of the budget that orders may need (NOT_SENT ``budget_short``).
        """
        countdown = self._connection.quirks.countdown
        if countdown is None or self._connection.market_type not in countdown.markets:
            raise _not_supported("the venue has no countdown that cancels orders")
        if not self._connection.limiter.take_spare(countdown.weight - 1):
            raise VenueError(
                outcome=NOT_SENT,
                code="budget_short",
                message="the request budget is for orders now",
            )
        market_id = self._exchange.market_id(symbol) if countdown.per_symbol else ""
        name, arguments = countdown.call(market_id, seconds * 1000)
        await self._read(getattr(self._exchange, name), *arguments)

    async def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Set a symbol's leverage; a venue's word that nothing changed is success."""
        if self._is_spot or not self._exchange.has.get("setLeverage"):
            raise _not_supported("leverage cannot be set here")
        number = int(leverage) if leverage == int(leverage) else float(leverage)
        try:
            await self._call(self._exchange.set_leverage, number, symbol)
        except VenueError as error:
            if error.code != "unchanged":
                raise

    @property
    def _is_spot(self) -> bool:
        return self._connection.market_type == "spot"


def _not_supported(message: str) -> VenueError:
    return VenueError(outcome=NOT_SENT, code="not_supported", message=message)


def _unclear(message: str) -> VenueError:
    return VenueError(outcome=UNKNOWN, code="unclear_answer", message=message)
