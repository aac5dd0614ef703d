"""What somebody who owns the database can do to the audit."""

from django.db import connection


def take_guard_away() -> None:
    """Drop or disable the triggers that keep audit records as they were written."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE events_auditrecord DISABLE TRIGGER USER")
        else:
            cursor.execute("DROP TRIGGER audit_record_no_change")
