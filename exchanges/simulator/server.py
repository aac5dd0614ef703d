"""The simulator as a server: starts and stops in any event loop, or in a thread of its own."""

import asyncio
import logging
import threading
from collections.abc import Callable

from aiohttp import web

from exchanges.simulator.config import SimulatorConfig
from exchanges.simulator.control import Control
from exchanges.simulator.engine import Engine
from exchanges.simulator.incidents import Incidents
from exchanges.simulator.rest import RestApi
from exchanges.simulator.streams import StreamHub

logger = logging.getLogger(__name__)

MARKET_PUSH_S = 1.0
STOP_PATIENCE_S = 0.5


class SimulatorServer:
    """One rehearsal exchange on one address. Needs no database and no Django settings."""

    def __init__(self, config: SimulatorConfig | None = None) -> None:
        self.config = config or SimulatorConfig()
        self.engine = Engine(self.config)
        self.hub = StreamHub(self.engine)
        self.port = self.config.port
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """The base address, known once started."""
        return f"http://{self.config.host}:{self.port}"

    async def start(self) -> None:
        """Load the state and listen. Raises ``OSError`` when the port is taken."""
        self.engine.open()
        app, rest = web.Application(), RestApi(self.engine)
        app.add_routes(self.hub.routes())
        app.add_routes(Control(self.engine, self.hub, rest).routes())
        app.add_routes(Incidents(self.engine, self.hub).routes())
        app.router.add_route("*", "/{path:.*}", rest.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_PATIENCE_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.config.host, self.config.port, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._tasks = [
            asyncio.ensure_future(self._every(self.config.tick_ms / 1000, self._tick)),
            asyncio.ensure_future(self._every(MARKET_PUSH_S, self.hub.publish_prices)),
        ]

    async def stop(self) -> None:
        """Stop listening, drop what hangs, write the snapshot."""
        for task in self._tasks:
            task.cancel()
        await self.hub.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self.engine.close()

    def _tick(self) -> None:
        """Move the prices, and let the faults strike that come by the clock."""
        self.engine.walk()
        for fault in self.engine.faults.due(self.engine.now_ms()):
            self.hub.disturb_one(fault)

    async def _every(self, seconds: float, work: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                work()
            except Exception:
                logger.exception("the simulator's clockwork stumbled")


class SimulatorThread:
    """A simulator in a thread with a loop of its own, for callers that block theirs."""

    def __init__(self, config: SimulatorConfig | None = None) -> None:
        self.server = SimulatorServer(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """The base address, known once started."""
        return self.server.url

    def start(self) -> "SimulatorThread":
        """Start and wait until it listens."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self._loop).result(30)
        return self

    def stop(self) -> None:
        """Stop the server and end the thread."""
        asyncio.run_coroutine_threadsafe(self.server.stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def __enter__(self) -> "SimulatorThread":
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()
