"""Rows of two organisations cannot be joined here, and none changes its organisation."""

from django.db import migrations

from common.organisation_links import Link, keep_apart, keep_in_place

ACCOUNT = ("account_id", "accounts_account")
POSITION = ("position_id", "trading_position")


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_initial"), ("accounts", "0001_initial")]
    operations = [
        keep_in_place("trading_execution"),
        keep_in_place("trading_command"),
        keep_in_place("trading_order"),
        keep_in_place("trading_position"),
        keep_apart(
            Link("trading_command", ACCOUNT),
            Link("trading_command", ("execution_id", "trading_execution")),
            Link("trading_command", ("retry_of_id", "trading_command")),
            Link("trading_order", ACCOUNT),
            Link("trading_order", ("command_id", "trading_command")),
            Link("trading_order", POSITION),
            Link("trading_order", ("replaces_id", "trading_order")),
            Link("trading_order", ("change_id", "trading_command")),
            Link("trading_deal", ACCOUNT),
            Link("trading_deal", ("order_id", "trading_order")),
            Link("trading_deal", POSITION),
            Link("trading_position", ACCOUNT),
            Link("trading_cashflow", ACCOUNT),
            Link("trading_protection", POSITION, ("entry_id", "trading_order")),
        ),
    ]
