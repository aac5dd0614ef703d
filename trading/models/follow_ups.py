"""What the market did after a fill that was only ours."""

from django.db import models

from common.money import MoneyField

from .deals import Deal


class FollowUp(models.Model):
    """The price of a shadow deal's symbol so many seconds after it; one row for each horizon.

    ``price`` is None until it was looked up, and for ever where that came too late (``missed``);
    ``at`` is when the venue told it.
    """

    deal = models.ForeignKey(Deal, on_delete=models.CASCADE, related_name="follow_ups")
    seconds = models.PositiveIntegerField()
    due_at = models.DateTimeField()
    price = MoneyField(null=True)
    at = models.DateTimeField(null=True)
    missed = models.BooleanField(default=False)

    class Meta:
        ordering = ("deal_id", "seconds")
        constraints = (
            models.UniqueConstraint(
                fields=("deal", "seconds"), name="one_follow_up_per_deal_and_horizon"
            ),
        )
        indexes = (
            models.Index(
                fields=("due_at",),
                name="follow_up_due",
                condition=models.Q(price=None, missed=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.seconds} s after deal {self.deal_id}"
