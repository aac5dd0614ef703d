"""Rows of two organisations cannot be joined here, and none changes its organisation."""

from django.db import migrations

from common.organisation_links import Link, keep_apart, keep_in_place


class Migration(migrations.Migration):
    dependencies = [
        ("bots", "0001_initial"),
        ("groups", "0001_initial"),
        ("accounts", "0001_initial"),
    ]
    operations = [
        keep_in_place("bots_bot"),
        keep_apart(
            Link("bots_bot_accounts", ("bot_id", "bots_bot"), ("account_id", "accounts_account")),
            Link("bots_bot_groups", ("bot_id", "bots_bot"), ("group_id", "groups_group")),
        ),
    ]
