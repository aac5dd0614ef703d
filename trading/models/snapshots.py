"""What a venue without client ids showed before an order was sent to it."""

from django.db import models

from .orders import Order


class Snapshot(models.Model):
    """The account's open orders, recent trades and balances just before the wire.

    Stored before the request leaves: a claim without its snapshot has sent nothing. ``balances``
    are free and locked amounts by currency, as text. ``empty_looks`` counts the looks since
    ``empty_since`` that found no candidate.
    """

    order = models.OneToOneField(
        Order, primary_key=True, on_delete=models.PROTECT, related_name="snapshot"
    )
    claim_token = models.UUIDField()
    taken_at = models.DateTimeField()
    order_ids = models.JSONField(default=list)
    trade_ids = models.JSONField(default=list)
    balances = models.JSONField(default=dict)
    empty_looks = models.PositiveSmallIntegerField(default=0)
    empty_since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"before order {self.order_id}"
