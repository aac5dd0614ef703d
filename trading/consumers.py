"""The ledger's durable consumers."""

from events.consumers import register

from .services.aftermath import after_change, with_an_aftermath
from .services.follow_ups import expect, of_shadow
from .services.group_drawdown import judge, of_groups


def register_consumers() -> None:
    """Called once per process when the app is ready."""
    kinds = ("order.updated", "position.updated")
    register("trading.aftermath", kinds, after_change, with_an_aftermath)
    register("trading.follow_ups", ("deal.created",), expect, of_shadow)
    register("trading.group_drawdown", ("account.synced",), judge, of_groups)
