"""Rows of two organisations cannot be joined here, and none changes its organisation."""

from django.db import migrations

from common.organisation_links import Link, keep_apart, keep_in_place


class Migration(migrations.Migration):
    dependencies = [("users", "0001_initial")]
    operations = [
        keep_in_place("users_user"),
        keep_apart(Link("users_apikey", ("user_id", "users_user"))),
    ]
