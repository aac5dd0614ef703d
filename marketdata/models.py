"""Markets and last prices, one row per venue and symbol, written by whichever process asked the
venue.
"""

from decimal import Decimal

from django.db import models

from common.clock import now
from common.money import MoneyField
from exchanges.protocol import MarketRules


class Market(models.Model):
    """What a venue demands of orders in one market; steps and minima in the units of
    MarketRules.
    """

    venue = models.CharField(max_length=60)
    symbol = models.CharField(max_length=60)
    base = models.CharField(max_length=30)
    quote = models.CharField(max_length=30)
    market_type = models.CharField(max_length=10, default="spot")
    amount_step = MoneyField()
    price_step = MoneyField()
    min_amount = MoneyField(null=True)
    max_amount = MoneyField(null=True)
    min_cost = MoneyField(null=True)
    contract_size = MoneyField(default=Decimal(1))
    max_leverage = MoneyField(null=True)
    is_active = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("venue", "symbol"), name="market_once_per_venue"),
            models.CheckConstraint(
                condition=models.Q(amount_step__gt=0), name="market_amount_step_positive"
            ),
        )

    def __str__(self) -> str:
        return f"{self.symbol} at {self.venue}"

    def rules(self) -> MarketRules:
        """The row as the value that sizing and checks work with."""
        return MarketRules(
            symbol=self.symbol,
            base=self.base,
            quote=self.quote,
            market_type=self.market_type,
            amount_step=self.amount_step,
            price_step=self.price_step,
            min_amount=self.min_amount,
            max_amount=self.max_amount,
            min_cost=self.min_cost,
            contract_size=self.contract_size,
            active=self.is_active,
            max_leverage=self.max_leverage,
        )


class PriceWish(models.Model):
    """Somebody asked for a price that was never known: of a coin held or charged as a fee. Kept
    while it is asked for again within the hour (``marketdata.tasks``).

    ``unlisted_at`` is when the venue last said that it has no such market.
    """

    venue = models.CharField(max_length=60)
    symbol = models.CharField(max_length=60)
    wanted_at = models.DateTimeField(default=now)
    unlisted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("venue", "symbol"), name="price_wish_once_per_venue"),
        )

    def __str__(self) -> str:
        return f"price of {self.symbol} at {self.venue}"


class LastPrice(models.Model):
    """The newest known price of a market, in its quote currency, with the moment it was taken.

    ``volume`` is a day's, in the base currency.
    """

    venue = models.CharField(max_length=60)
    symbol = models.CharField(max_length=60)
    price = MoneyField()
    bid = MoneyField(null=True)
    ask = MoneyField(null=True)
    volume = MoneyField(null=True)
    at = models.DateTimeField()
    wanted_at = models.DateTimeField(
        default=now, help_text="When somebody last asked for this price."
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("venue", "symbol"), name="last_price_once_per_venue"),
        )

    def __str__(self) -> str:
        return f"{self.symbol} {self.price} at {self.venue}"
