"""Markets and prices: read-only, of the whole platform."""

from django.contrib import admin

from marketdata.models import LastPrice, Market, PriceWish

from .base import ReadOnlyAdmin


@admin.register(Market)
class MarketAdmin(ReadOnlyAdmin):
    """What venues demand of orders."""

    organisation_path = None
    list_display = (
        "symbol",
        "venue",
        "amount_step",
        "price_step",
        "min_amount",
        "min_cost",
        "is_active",
        "updated_at",
    )
    list_filter = ("venue", "is_active")
    search_fields = ("symbol",)
    ordering = ("venue", "symbol")


@admin.register(LastPrice)
class LastPriceAdmin(ReadOnlyAdmin):
    """The newest known prices."""

    organisation_path = None
    list_display = ("symbol", "venue", "price", "bid", "ask", "at")
    list_filter = ("venue",)
    search_fields = ("symbol",)
    ordering = ("venue", "symbol")


@admin.register(PriceWish)
class PriceWishAdmin(ReadOnlyAdmin):
    """Prices asked for that were never known."""

    organisation_path = None
    list_display = ("symbol", "venue", "wanted_at", "unlisted_at")
    list_filter = ("venue",)
    search_fields = ("symbol",)
    ordering = ("venue", "symbol")
