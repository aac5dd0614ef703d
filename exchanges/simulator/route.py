"""What answers a method and path."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exchanges.simulator.engine import Engine
from exchanges.simulator.requests import Ask

Handler = Callable[[Engine, Ask], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """``signed`` routes need a key and its signature, ``keyed`` ones a key alone; ``writes`` waits
    for the disk.
    """

    handler: Handler
    signed: bool = False
    keyed: bool = False
    writes: bool = False
    weight: int = 1
