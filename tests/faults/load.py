"""What the callers ask for: a seeded mixture of sends, cancels and closes."""

import contextlib
import random
import threading
from collections import deque
from decimal import ROUND_DOWN, Decimal
from typing import Any

import httpx

from tests.faults.doors import Caller, Outcome, Record, Request, sign_in
from tests.faults.stage import Stage

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
AMOUNTS = {"BTC/USDT": ("0.001", "0.02"), "ETH/USDT": ("0.01", "0.3"), "SOL/USDT": ("0.2", "5")}
STEPS = {"BTC/USDT": "0.00001", "ETH/USDT": "0.0001", "SOL/USDT": "0.001"}
TICK = Decimal("0.01")
WEIGHTS = {
    "signal": 20, "limit": 22, "exit": 6, "group_buy": 5, "group_sell": 3, "close": 10,
    "cancel": 16, "terminate": 2, "bracket": 14, "change": 10, "pair": 14, "outside": 6,
}  # fmt: skip
# Near enough to be reached within a run.
LEVELS = ("0.2%", "0.4%", "1.5%")
RESTING_KEPT = 400
PAUSE = (0.0, 0.25)


class Resting:
    """Limit orders that somebody may cancel, by organisation; shared by the callers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: dict[int, deque[tuple[str, int]]] = {}

    def add(self, house: int, outcome: Outcome) -> None:
        """Remember the orders of an outcome."""
        with self._lock:
            kept = self._orders.setdefault(house, deque(maxlen=RESTING_KEPT))
            kept.extend(
                (str(leg["order_id"]), int(leg["account_id"]))
                for leg in outcome.legs
                if leg.get("order_id")
            )

    def take(self, house: int, chance: random.Random) -> str | None:
        """One of them; it is then forgotten."""
        with self._lock:
            kept = self._orders.get(house)
            if not kept:
                return None
            kept.rotate(chance.randrange(len(kept)))
            return kept.popleft()[0]

    def account(self, house: int, chance: random.Random) -> int | None:
        """An account where one of them may rest."""
        with self._lock:
            kept = self._orders.get(house)
            return chance.choice(kept)[1] if kept else None


class Client:
    """One caller of one organisation; its plan follows from the seed and its number."""

    def __init__(
        self, stage: Stage, house: dict[str, Any], number: int, seed: int, record: Record
    ) -> None:
        self.house = house
        self.number = number
        self.chance = random.Random(f"{seed}:client:{number}")
        self._stage = stage
        self._count = 0
        headers = {"x-api-key": house["api_key"]}
        self.api = Caller(stage.url, record, self.chance, headers)
        self.dashboard = Caller(stage.url, record, self.chance, {})

    def sign_in(self) -> None:
        """Open the dashboard session that cancels need; before anything is killed."""
        self._form_token = sign_in(self.dashboard, self.house["username"], self.house["password"])

    def act(self, resting: Resting) -> None:
        """One command of the plan."""
        self._count += 1
        house = self.house["accounts"][0]["id"]
        kinds = list(WEIGHTS)
        kind = self.chance.choices(kinds, [WEIGHTS[each] for each in kinds])[0]
        symbol = self.chance.choice(SYMBOLS)
        if kind == "cancel":
            taken = resting.take(house, self.chance)
            if taken is not None:
                self._cancel(taken)
                return
            kind = "limit"
        if kind == "outside":
            self._outside(symbol)
            return
        if kind == "change":
            account = resting.account(house, self.chance)
            self.api.send(self._limit(symbol) if account is None else self._change(symbol, account))
            return
        outcome = self.api.send(getattr(self, f"_{kind}")(symbol))
        if kind == "limit":
            resting.add(house, outcome)

    def _key(self) -> str:
        return f"c{self.number}-{self._count}"

    def _amount(self, symbol: str) -> str:
        least, most = AMOUNTS[symbol]
        value = Decimal(str(self.chance.uniform(float(least), float(most))))
        return str(value.quantize(Decimal(STEPS[symbol]), ROUND_DOWN))

    def _alert(self, symbol: str, **fields: str) -> Request:
        bot = self.chance.choice(self.house["bots"])
        body = {
            "botname": bot["name"],
            "alert_id": self._key(),
            "symbol": symbol,
            "side": "buy",
            "order_type": "market",
            **fields,
        }
        return Request("signal", "POST", f"/api/v1/webhook/tradingview/{bot['token']}", body=body)

    def _signal(self, symbol: str) -> Request:
        size = f"{self._amount(symbol)} {symbol.split('/')[0]}"
        target = {"takeprofit": "0.4%"} if self.chance.random() < 0.2 else {}
        return self._alert(symbol, size=size, **target)

    def _limit(self, symbol: str) -> Request:
        size = f"{self._amount(symbol)} {symbol.split('/')[0]}"
        below = Decimal(str(self.chance.uniform(0.0005, 0.02)))
        price = (self._price(symbol) * (1 - below)).quantize(TICK, ROUND_DOWN)
        return self._alert(symbol, size=size, order_type="limit", price=str(price))

    def _exit(self, symbol: str) -> Request:
        return self._alert(symbol, side="close")

    def _group_buy(self, symbol: str) -> Request:
        return self._group(symbol, "buy")

    def _group_sell(self, symbol: str) -> Request:
        return self._group(symbol, "sell")

    def _group(self, symbol: str, side: str) -> Request:
        group = self.chance.choice(self.house["groups"])
        body = {"symbol": symbol, "side": side, "order_type": "market", "risk_percentage": "0.05"}
        path = f"/api/v1/trading/group/{group['id']}/execute"
        return Request("group", "POST", path, self._key(), body)

    def _close(self, symbol: str) -> Request:
        path = f"/api/v1/trading/close-position/{self._account()['id']}"
        return Request("close", "POST", path, self._key(), {"symbol": symbol})

    def _terminate(self, _: str) -> Request:
        return Request("terminate", "POST", f"/api/v1/trading/terminate/{self._account()['id']}")

    def _command(self, name: str, account: Any, **payload: Any) -> Request:
        """One command of 000, under a request id of its own."""
        body = {
            "command": name,
            "account_id": account,
            "request_id": self._key(),
            "payload": payload,
        }
        return Request("command", "POST", "/position/commands", self._key(), body, act=name)

    def _bracket(self, symbol: str) -> Request:
        """An entry with a stop, a target or a trailing stop behind it."""
        levels = {
            name: self.chance.choice(LEVELS)
            for name in ("stop_loss", "take_profit", "trailing_stop")
            if self.chance.random() < 0.6
        }
        return self._command(
            "send_order", self._account()["id"], symbol=symbol, side="buy", order_type="market",
            qty=self._amount(symbol), magic_id=self.chance.randrange(3), **levels,
        )  # fmt: skip

    def _change(self, symbol: str, account: int) -> Request:
        """Another quantity or price for a resting entry; another entry where none rests."""
        rows = self._rows("orders", account, side="buy")
        resting = [row for row in rows if row["state"] in ("OPEN", "PARTIAL") and row["price"]]
        if not resting:
            return self._limit(symbol)
        order = self.chance.choice(resting)
        price = Decimal(order["price"]) * Decimal(str(self.chance.uniform(0.99, 1.003)))
        wishes = {
            "new_qty": self._amount(order["symbol"]),
            "new_price": str(price.quantize(TICK, ROUND_DOWN)),
        }
        chosen = self.chance.choice((["new_qty"], ["new_price"], ["new_qty", "new_price"]))
        asked = {name: wishes[name] for name in chosen}
        return self._command("change_order", account, order_id=order["id"], **asked)

    def _pair(self, symbol: str) -> Request:
        """In the hedging account: end two opposite positions by each other, in whatever symbol
        there are two, or open another.
        """
        account = self.house["hedging"]["id"]
        by_side: dict[str, dict[str, int]] = {}
        for row in self._rows("positions", account):
            if row["reconciled"]:
                by_side.setdefault(row["symbol"], {})[row["side"]] = row["id"]
        for ids in by_side.values():
            if len(ids) == len(("buy", "sell")):
                pair = {"position_id_a": ids["buy"], "position_id_b": ids["sell"]}
                return self._command("close_by", account, **pair)
        side = "sell" if "buy" in by_side.get(symbol, {}) else "buy"
        return self._command(
            "send_order", account, symbol=symbol, side=side, order_type="market",
            qty=self._amount(symbol),
        )  # fmt: skip

    def _rows(self, kind: str, account: int, **query: str) -> list[dict[str, Any]]:
        """The account's open orders or positions; none while the platform does not answer."""
        asked = {"account_id": account, **query}
        try:
            answer = self.api.http.get(f"/position/{kind}/open", params=asked)
            rows: list[dict[str, Any]] = answer.json()["items"]
        except (httpx.TransportError, ValueError, KeyError):
            return []
        return rows

    def _outside(self, symbol: str) -> None:
        """Somebody trades at the exchange itself, past the platform."""
        with contextlib.suppress(httpx.HTTPError):
            self._stage.exchange_call(
                "POST",
                "/_external",
                {
                    "api_key": self._account()["key"], "symbol": symbol, "side": "buy",
                    "quantity": self._amount(symbol), "type": "MARKET", "reason": "manual",
                },
            )  # fmt: skip
            self.api.record.add_outside()

    def _cancel(self, order: str) -> None:
        form = {
            "request_id": f"{self.chance.getrandbits(128):032x}",
            "csrfmiddlewaretoken": self._form_token,
        }
        request = Request("cancel", "POST", f"/dashboard/orders/{order}/cancel/", body=form)
        outcome = self.dashboard.send(request)
        outcome.key, outcome.target = form["request_id"], order

    def _account(self) -> dict[str, Any]:
        return dict(self.chance.choice(self.house["accounts"]))

    def _price(self, symbol: str) -> Decimal:
        """The exchange's price now; a fixed one while it does not answer."""
        try:
            answer = httpx.get(
                f"{self._stage.exchange.url}/api/v3/ticker/price",
                params={"symbol": symbol.replace("/", "")},
                timeout=2,
            )
            return Decimal(str(answer.json()["price"]))
        except (httpx.TransportError, ValueError, KeyError):
            return {"BTC/USDT": Decimal(46_000), "ETH/USDT": Decimal(3_700)}.get(
                symbol, Decimal(170)
            )


class Load:
    """All clients at work, each in its own thread."""

    def __init__(self, stage: Stage, furniture: dict[str, Any], seed: int) -> None:
        self.record = Record()
        houses = furniture["organisations"]
        self._resting = Resting()
        self._over = threading.Event()
        self._clients = [
            Client(stage, houses[number % len(houses)], number, seed, self.record)
            for number in range(stage.size.clients)
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(client,), daemon=True)
            for client in self._clients
        ]

    def start(self) -> None:
        """Sign in, then begin."""
        for client in self._clients:
            client.sign_in()
        for thread in self._threads:
            thread.start()

    def no_more(self) -> None:
        """No new commands."""
        self._over.set()

    def finish(self) -> None:
        """Returns once every running command has its answer or gave up."""
        self.no_more()
        for thread in self._threads:
            thread.join()

    def _run(self, client: Client) -> None:
        while not self._over.wait(client.chance.uniform(*PAUSE)):
            client.act(self._resting)
