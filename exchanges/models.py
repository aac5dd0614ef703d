"""The paper venue's books: one row per account and book, its matching state as JSON."""

from django.db import models


class PaperBook(models.Model):
    """The state of one account's paper or shadow book; the account is a plain id."""

    account_id = models.BigIntegerField()
    book = models.CharField(max_length=10, default="paper")
    state = models.JSONField(default=dict)
    version = models.PositiveBigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("account_id", "book"), name="one_book_per_account"),
        )

    def __str__(self) -> str:
        return f"{self.book} book of account {self.account_id}"
