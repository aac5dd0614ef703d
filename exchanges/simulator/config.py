"""The settings of one simulator."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from exchanges.matching import DEFAULT_CONTRACTS, DEFAULT_MARKETS, Market
from exchanges.simulator.candles import SAMPLE
from exchanges.simulator.keys import BY_BINANCE, CLIENT_ID_MODES

PRICE_MODES = ("candles", "walk", "fixed")


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """How a simulator runs. Port 0 picks a free one; without ``data`` nothing survives a restart.

    ``closed`` refuses API keys that were not registered; otherwise an unknown key is enrolled with
    ``balances``, of both its spot and its futures wallet. ``fee`` and ``futures_fee`` are
    fractions. ``faults`` is a body of ``POST /_fault``.
    ``client_ids`` is the ``CLIENT_ID_MODES`` of keys registered without one.
    ``weight_limit`` is the request weight per minute and key beyond which 429 is answered, 0 for
    no limit.
    """

    host: str = "127.0.0.1"
    port: int = 0
    data: Path | None = None
    candles: Path = SAMPLE
    acceleration: float = 1
    price_mode: str = "candles"
    seed: int = 1
    closed: bool = False
    fee: Decimal = Decimal("0.001")
    balances: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    latency_ms: int = 0
    tick_ms: int = 250
    weight_limit: int = 0
    client_ids: str = BY_BINANCE
    faults: dict[str, Any] = field(default_factory=dict)
    markets: tuple[Market, ...] = DEFAULT_MARKETS
    contracts: tuple[Market, ...] = DEFAULT_CONTRACTS
    futures_fee: Decimal = Decimal("0.0005")

    def __post_init__(self) -> None:
        if self.price_mode not in PRICE_MODES:
            raise ValueError(f"price mode must be one of {', '.join(PRICE_MODES)}")
        if self.client_ids not in CLIENT_ID_MODES:
            raise ValueError(f"client ids must be one of {', '.join(CLIENT_ID_MODES)}")
        if self.acceleration <= 0 or self.tick_ms <= 0:
            raise ValueError("acceleration and tick length must be above zero")
