"""``manage.py simulator``: the rehearsal exchange as a process of its own."""

import asyncio
import json
import signal
from argparse import ArgumentParser
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchanges.simulator.candles import SAMPLE, cut_sample
from exchanges.simulator.config import PRICE_MODES, SimulatorConfig
from exchanges.simulator.fault_kinds import PROFILES
from exchanges.simulator.keys import BY_BINANCE, CLIENT_ID_MODES
from exchanges.simulator.server import SimulatorServer


class Command(BaseCommand):
    """Runs a simulator until SIGTERM or SIGINT; prints its address in one line once it listens."""

    help = "Run a rehearsal exchange that speaks the Binance spot and USD-M APIs."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=9001, help="0 picks a free one")
        parser.add_argument("--data", type=Path, help="directory of journal and snapshot")
        parser.add_argument("--candles", type=Path, default=SAMPLE, help="candle CSV for BTC/USDT")
        parser.add_argument("--acceleration", type=float, default=60)
        parser.add_argument("--tick-ms", type=int, default=250)
        parser.add_argument("--price-mode", choices=PRICE_MODES, default="candles")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--closed", action="store_true", help="refuse unregistered API keys")
        parser.add_argument("--fee", default="0.001", help="a fraction: 0.001 is 0.1 %%")
        parser.add_argument(
            "--balance", action="append", metavar="CUR=AMOUNT", help="of newly enrolled keys"
        )
        parser.add_argument("--latency-ms", type=int, default=0)
        parser.add_argument("--weight-limit", type=int, default=0, help="per minute; 0 is none")
        parser.add_argument(
            "--client-ids", choices=CLIENT_ID_MODES, default=BY_BINANCE,
            help="of newly enrolled keys: none is a venue without client order ids, "
            "no_window one that accepts a request however late",
        )  # fmt: skip
        parser.add_argument("--faults", default="{}", help="JSON as for POST /_fault, or soak")
        parser.add_argument(
            "--cut-sample", type=Path, metavar="SRC", help="write the shipped candles anew and end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, or cut the sample."""
        if options["cut_sample"]:
            rows = cut_sample(options["cut_sample"])
            self.stdout.write(f"{rows} candles in {SAMPLE.name}")
            return
        try:
            server = SimulatorServer(_config(options))
        except (ValueError, TypeError, InvalidOperation) as error:
            raise CommandError(f"wrong option: {error}") from error
        asyncio.run(self._serve(server))

    async def _serve(self, server: SimulatorServer) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        try:
            await server.start()
        except (OSError, ValueError) as error:
            raise CommandError(f"cannot start: {error}") from error
        self.stdout.write(f"simulator ready at {server.url}")
        if server.config.faults:
            self.stdout.write(f"faults seeded with {server.engine.faults.seed}")
        self.stdout.flush()
        await stopped.wait()
        await server.stop()


def _faults(text: str, seed: int) -> dict[str, Any]:
    """The body of ``POST /_fault`` meant by the option, seeded."""
    body = {"profile": text} if text in PROFILES else json.loads(text)
    return {"seed": seed, **body} if body else body


def _config(options: dict[str, Any]) -> SimulatorConfig:
    balances = options["balance"] or ["USDT=10000"]
    return SimulatorConfig(
        host=options["host"],
        port=options["port"],
        data=options["data"],
        candles=options["candles"],
        acceleration=options["acceleration"],
        tick_ms=options["tick_ms"],
        price_mode=options["price_mode"],
        seed=options["seed"],
        closed=options["closed"],
        fee=Decimal(options["fee"]),
        balances={c: Decimal(a) for c, _, a in (text.partition("=") for text in balances)},
        latency_ms=options["latency_ms"],
        weight_limit=options["weight_limit"],
        client_ids=options["client_ids"],
        faults=_faults(options["faults"], options["seed"]),
    )
