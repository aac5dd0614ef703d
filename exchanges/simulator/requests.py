"""One request as the handlers see it: parameters, key, clock and the faults that bend it."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from exchanges.matching import FillPlan, Market, MatchingCore
from exchanges.simulator import errors
from exchanges.simulator.engine import Engine
from exchanges.simulator.faults import Fault
from exchanges.simulator.keys import ApiKey

NUMBER = re.compile(r"\d{1,20}(\.\d{1,20})?")


@dataclass(slots=True)
class Ask:
    """A request's content. ``clock_ms`` is ``now_ms`` as a skewed exchange clock shows it."""

    params: dict[str, str]
    now_ms: int
    clock_ms: int
    key: ApiKey | None = None
    entry: dict[str, Any] = field(default_factory=dict)
    plan: FillPlan = field(default_factory=FillPlan)
    blind_ms: int = 0
    is_futures: bool = False
    aftermath: list[Fault] = field(default_factory=list)

    @property
    def account(self) -> str:
        """The account of the key; signed routes always have one."""
        if self.key is None:
            raise errors.malformed_key()
        return self.key.name

    @property
    def knows_client_ids(self) -> bool:
        """Whether the exchange keeps this key's client order ids."""
        return self.key is None or self.key.knows_client_ids

    @property
    def horizon_ms(self) -> int:
        """The newest moment the answer knows of."""
        return self.now_ms - self.blind_ms

    def text(self, name: str) -> str:
        """A mandatory parameter. Raises ``ApiError`` -1102 when it is absent."""
        value = self.params.get(name, "")
        if not value:
            raise errors.missing(name)
        return value

    def integer(self, name: str, default: int) -> int:
        """A whole number. Raises ``ApiError`` -1100 when it is none."""
        value = self.params.get(name)
        if value is None:
            return default
        if not value.isdigit():
            raise errors.ApiError(-1100, f"Illegal characters found in parameter '{name}'.")
        return int(value)

    def number(self, name: str) -> Decimal | None:
        """A decimal, plain digits only. Raises ``ApiError`` -1100 when it is none."""
        value = self.params.get(name)
        if value is None:
            return None
        if not NUMBER.fullmatch(value):
            raise errors.ApiError(-1100, f"Illegal characters found in parameter '{name}'.")
        return Decimal(value)

    def flag(self, name: str) -> bool:
        """Whether a parameter says true."""
        return self.params.get(name, "").lower() == "true"

    def core(self, engine: Engine) -> MatchingCore:
        """The core of the market type the request is about."""
        return engine.futures if self.is_futures else engine.core

    def market(self, engine: Engine) -> Market:
        """The market of the parameter ``symbol``. Raises ``ApiError`` -1121 when unknown."""
        known = engine.by_contract_id if self.is_futures else engine.by_market_id
        market = known.get(self.text("symbol"))
        if market is None:
            raise errors.ApiError(-1121, "Invalid symbol.")
        return market
