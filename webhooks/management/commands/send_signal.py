"""Posts a signed alert, as TradingView would send it, to a running server and shows what came of
it.
"""

import json
import time
from argparse import ArgumentParser
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from django.conf import settings

from bots.models import Bot
from common.clock import iso, now
from common.crypto import SealError
from common.ids import new_correlation_id
from common.terminal import FAILED, NOT_READY, PARTLY, REFUSED, UNKNOWN, USAGE, TerminalCommand
from webhooks.authentication import SIGNATURE_HEADER, sign
from webhooks.models import Signal
from webhooks.services import answer

COLUMNS = ("account", "status", "side", "symbol", "qty", "filled", "price", "order", "reason")
RISK_PREFIX = "denied_"


class Command(TerminalCommand):
    """``send_signal demo --symbol BTCUSDT --side buy --size 2``"""

    help = (
        "Post a signed alert to a running server and print one line per account. "
        "Examples: send_signal demo --side buy --size 2 | send_signal demo --side close --json"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "bot", nargs="?", default="demo", help="name of the bot (default: demo)"
        )
        parser.add_argument("--symbol", default="BTCUSDT")
        parser.add_argument("--side", default="buy", help="buy, sell, long, short, close or flat")
        parser.add_argument("--size", default="2", help="2 (%% of equity), 100 USDT or 0.01 BTC")
        parser.add_argument("--order-type", default="market")
        parser.add_argument("--price", default="", help="price of a limit order")
        parser.add_argument("--leverage", default="0")
        parser.add_argument("--takeprofit", default="", help="3%% of the fill price, or a price")
        parser.add_argument(
            "--alert-id", default="", help="repeat one to send the same alert again"
        )
        parser.add_argument(
            "--organisation", default="", help="where several have a bot of this name"
        )
        parser.add_argument("--url", default="", help="base address of the server")
        parser.add_argument("--wait", type=float, default=30.0, help="seconds to wait for all legs")
        parser.add_argument(
            "--dry-run", action="store_true", help="print the request and send nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Sign, post, wait, print."""
        bot = self._bot(options)
        body = self._alert(bot, options)
        address = (options["url"] or f"http://127.0.0.1:{settings.PORT}").rstrip("/")
        url = f"{address}/api/v1/webhook/tradingview"
        if options["dry_run"]:
            self.stdout.write(json.dumps({"url": url, "body": json.loads(body)}, indent=2))
            return
        status, told = self._post(url, body, sign(self._secret(bot), body))
        data = told.get("data") or {}
        if status != 200:
            raise self.fail(
                f"The server answered {status}: {told.get('error_code')}: {told.get('detail')}"
            )
        data = self._until_known(data, options["wait"])
        self._print(told, data, options)
        self._leave(data)

    def _bot(self, options: dict[str, Any]) -> Bot:
        rows = Bot.objects.filter(name__iexact=options["bot"])
        if options["organisation"]:
            rows = rows.filter(organisation__name__iexact=options["organisation"])
        found = list(rows[:2])
        if not found:
            raise self.fail(f"There is no bot named {options['bot']}.", USAGE)
        if len(found) > 1:
            raise self.fail(
                "Several organisations have a bot of this name: say --organisation.", USAGE
            )
        return found[0]

    def _secret(self, bot: Bot) -> str:
        try:
            secret = bot.open_hmac_secret()
        except SealError as error:
            raise self.fail(f"The bot's secret cannot be opened: {error}.", NOT_READY) from error
        if not secret:
            raise self.fail("The bot has no HMAC secret; send to its path token instead.", USAGE)
        return secret

    def _alert(self, bot: Bot, options: dict[str, Any]) -> bytes:
        alert = {
            "order_type": options["order_type"],
            "symbol": options["symbol"],
            "botname": bot.name,
            "side": options["side"],
            "size": options["size"],
            "leverage": options["leverage"],
            "takeprofit": options["takeprofit"],
            "price": options["price"],
            "alert_id": options["alert_id"] or new_correlation_id(),
            "timenow": iso(now()),
        }
        return json.dumps({name: value for name, value in alert.items() if value}).encode()

    def _post(self, url: str, body: bytes, signature: str) -> tuple[int, dict[str, Any]]:
        request = Request(url, data=body, method="POST")
        request.add_header("Content-Type", "application/json")
        request.add_header(SIGNATURE_HEADER, signature)
        try:
            with urlopen(request, timeout=10) as answered:
                return answered.status, json.load(answered)
        except HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")
        except (URLError, OSError) as error:
            raise self.fail(
                f"No server answers at {url}. Is it running? (make run)", NOT_READY
            ) from error

    def _until_known(self, data: dict[str, Any], wait: float) -> dict[str, Any]:
        """Follow the signal in the database until no leg is pending or unknown."""
        signal = Signal.objects.get(correlation_id=data["correlation_id"])
        deadline = time.monotonic() + wait
        latest = answer(signal)
        while latest["pending"] and time.monotonic() < deadline:
            time.sleep(0.1)
            latest = answer(signal)
        return {**latest, "duplicate": data.get("duplicate", False)}

    def _print(self, told: dict[str, Any], data: dict[str, Any], options: dict[str, Any]) -> None:
        rows = [
            (
                leg["account"],
                leg["status"],
                leg["side"],
                leg["symbol"],
                leg["qty"],
                leg["filled_quantity"],
                leg["average_price"],
                leg["order_id"],
                leg["reason"],
            )
            for leg in data["results"]
        ]
        self.show(COLUMNS, rows, options, document=data)
        repeated = " (this alert was known already)" if data["duplicate"] else ""
        refused = (
            f" Refused: {data['reason_code']}. {data['message']}" if data["reason_code"] else ""
        )
        self.say(
            f"Signal {data['correlation_id']}{repeated}: {data['success_count']} placed, "
            f"{data['error_count']} not.{refused}",
            options,
        )

    def _leave(self, data: dict[str, Any]) -> None:
        """The exit code of the result."""
        statuses = [leg["status"] for leg in data["results"]]
        if data["pending"]:
            raise SystemExit(UNKNOWN)
        if data["reason_code"]:
            raise SystemExit(REFUSED)
        if data["error_count"] and data["success_count"]:
            raise SystemExit(PARTLY)
        if data["error_count"] or not statuses:
            reasons = [leg["reason"] for leg in data["results"]]
            is_risk = bool(reasons) and all(reason.startswith(RISK_PREFIX) for reason in reasons)
            raise SystemExit(REFUSED if is_risk else FAILED)
