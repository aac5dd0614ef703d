"""Rows of two organisations cannot be joined here, and none changes its organisation."""

from django.db import migrations

from common.organisation_links import Link, keep_apart


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0001_initial"),
        ("bots", "0001_initial"),
        ("trading", "0001_initial"),
    ]
    operations = [
        keep_apart(
            Link("webhooks_signal", ("bot_id", "bots_bot")),
            Link("webhooks_signal", ("execution_id", "trading_execution")),
        ),
    ]
