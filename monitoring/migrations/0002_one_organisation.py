"""A channel stays with its organisation and tells of no other's events."""

from django.db import migrations

from common.organisation_links import Link, keep_apart, keep_in_place


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0001_initial")]
    operations = [
        keep_in_place("monitoring_notificationchannel"),
        keep_apart(
            Link(
                "monitoring_outgoingmessage",
                ("channel_id", "monitoring_notificationchannel"),
                ("event_id", "events_event"),
            ),
        ),
    ]
