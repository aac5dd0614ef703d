"""Triggers: an audit record is never deleted, and changes once, when it gets its place."""

from django.db import migrations

FACTS = (
    "organisation_id", "actor", "action", "target", "address", "before", "after", "created_at",
)  # fmt: skip

POSTGRESQL = """
CREATE FUNCTION audit_record_guard() RETURNS trigger AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.seq IS NULL AND {same} THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'audit records are append-only';
END
$$ LANGUAGE plpgsql;
CREATE TRIGGER audit_record_append_only BEFORE UPDATE OR DELETE ON events_auditrecord
FOR EACH ROW EXECUTE FUNCTION audit_record_guard();
"""
SQLITE = (
    """
CREATE TRIGGER audit_record_no_change BEFORE UPDATE ON events_auditrecord
WHEN NOT (OLD.seq IS NULL AND {same})
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END
""",
    """
CREATE TRIGGER audit_record_no_delete BEFORE DELETE ON events_auditrecord
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END
""",
)


def guard(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        same = " AND ".join(f'OLD."{name}" IS NOT DISTINCT FROM NEW."{name}"' for name in FACTS)
        schema_editor.execute(POSTGRESQL.format(same=same), None)
        return
    same = " AND ".join(f'OLD."{name}" IS NEW."{name}"' for name in FACTS)
    for statement in SQLITE:
        schema_editor.execute(statement.format(same=same), None)


def lift(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER audit_record_append_only ON events_auditrecord")
        schema_editor.execute("DROP FUNCTION audit_record_guard()")
        return
    schema_editor.execute("DROP TRIGGER audit_record_no_change")
    schema_editor.execute("DROP TRIGGER audit_record_no_delete")


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]
    operations = [migrations.RunPython(guard, lift)]
