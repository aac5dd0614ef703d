"""Rows of two organisations cannot be joined here, and none changes its organisation."""

from django.db import migrations

from common.organisation_links import Link, keep_apart, keep_in_place


class Migration(migrations.Migration):
    dependencies = [("groups", "0001_initial"), ("accounts", "0001_initial")]
    operations = [
        keep_in_place("groups_group"),
        keep_apart(
            Link(
                "groups_membership",
                ("group_id", "groups_group"),
                ("account_id", "accounts_account"),
            ),
        ),
    ]
