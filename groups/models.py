"""Groups of accounts."""

from decimal import Decimal

from django.db import models
from django.db.models.functions import Lower
from simple_history.models import HistoricalRecords

from accounts.models import Account
from common.money import MoneyField
from common.principal import Principal


class GroupQuerySet(models.QuerySet["Group"]):
    """Which groups may be seen."""

    def visible_to(self, principal: Principal) -> "GroupQuerySet":
        """Groups of the principal's organisation, limited to those with an account it may read."""
        rows = self.filter(organisation_id=principal.organisation_id)
        if principal.account_ids is not None:
            rows = rows.filter(memberships__account__in=principal.account_ids).distinct()
        return rows


class Group(models.Model):
    """Accounts that trade together. The three settings are percentages (25 means 25 %).

    ``risk_limit`` is the largest share of equity that one trade may put at risk.
    """

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+"
    )
    name = models.CharField(max_length=32)
    description = models.TextField(blank=True, default="")
    max_drawdown = MoneyField(default=Decimal(25))
    target_monthly_roi = MoneyField(default=Decimal(5))
    risk_limit = MoneyField(default=Decimal(5))
    accounts = models.ManyToManyField(Account, through="Membership", related_name="groups")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = GroupQuerySet.as_manager()
    history = HistoricalRecords(related_name="+")

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                "organisation", Lower("name"), name="group_name_unique_in_organisation"
            ),
            models.CheckConstraint(
                condition=models.Q(risk_limit__gt=0), name="group_risk_limit_positive"
            ),
        )

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One account in one group."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("group", "account"), name="account_once_per_group"),
        )

    def __str__(self) -> str:
        return f"account {self.account_id} in group {self.group_id}"
