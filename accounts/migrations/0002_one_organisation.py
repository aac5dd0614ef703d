"""Rows of two organisations cannot be joined here, and none changes its organisation."""

from django.db import migrations

from common.organisation_links import Link, keep_apart, keep_in_place


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("users", "0001_initial")]
    operations = [
        keep_in_place("accounts_account"),
        keep_apart(
            Link(
                "accounts_accountgrant",
                ("account_id", "accounts_account"),
                ("user_id", "users_user"),
            ),
        ),
    ]
