"""Lanes: which process may send for which accounts, kept by leases in the database."""

from django.db import models


class LaneWorker(models.Model):
    """A process that takes part in sharing the lanes; alive until ``expires_at``."""

    owner = models.CharField(max_length=120, unique=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("owner",)

    def __str__(self) -> str:
        return self.owner


class LaneLease(models.Model):
    """One lane and who holds it until ``expires_at`` by the database's clock.

    ``fence`` rises with each change of owner: a claim made in the belief of an older number finds
    nothing.
    """

    lane = models.PositiveSmallIntegerField(primary_key=True)
    owner = models.CharField(max_length=120, blank=True, default="")
    fence = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("lane",)

    def __str__(self) -> str:
        return f"lane {self.lane}: {self.owner or 'nobody'} ({self.fence})"
