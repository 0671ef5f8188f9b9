"""The database itself refuses to change or delete an entry of the ledger, whoever asks."""

from django.db import migrations

SQLITE = """
CREATE TRIGGER billing_ledger_refuses_{verb} BEFORE {verb} ON billing_ledgerentry
BEGIN SELECT RAISE(ABORT, 'The ledger is append-only: correct an entry with a further entry.'); END
"""
POSTGRESQL_REFUSE = """
CREATE FUNCTION billing_ledger_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The ledger is append-only: correct an entry with a further entry.'
        USING ERRCODE = 'restrict_violation';
END $$
"""
POSTGRESQL = """
CREATE TRIGGER billing_ledger_refuses_{verb} BEFORE {verb} ON billing_ledgerentry
FOR EACH ROW EXECUTE FUNCTION billing_ledger_refuses()
"""
VERBS = ("UPDATE", "DELETE")


def refuse_changes(apps, schema_editor):
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    if on_postgresql:
        schema_editor.execute(POSTGRESQL_REFUSE)
    for verb in VERBS:
        schema_editor.execute((POSTGRESQL if on_postgresql else SQLITE).format(verb=verb))


def allow_changes(apps, schema_editor):
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    for verb in VERBS:
        table = " ON billing_ledgerentry" if on_postgresql else ""
        schema_editor.execute(f"DROP TRIGGER billing_ledger_refuses_{verb}{table}")
    if on_postgresql:
        schema_editor.execute("DROP FUNCTION billing_ledger_refuses")


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunPython(refuse_changes, allow_changes)]
