"""The database itself refuses to change or delete a line of the log of promotions, whoever asks."""

from django.db import migrations

WORDS = "The log of promotions is append-only: promote or roll back again instead."
SQLITE = """
CREATE TRIGGER workshop_promotions_refuse_{verb} BEFORE {verb} ON workshop_promotion
BEGIN SELECT RAISE(ABORT, '{words}'); END
"""
POSTGRESQL_REFUSE = """
CREATE FUNCTION workshop_promotions_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '{words}' USING ERRCODE = 'restrict_violation';
END $$
"""
POSTGRESQL = """
CREATE TRIGGER workshop_promotions_refuse_{verb} BEFORE {verb} ON workshop_promotion
FOR EACH ROW EXECUTE FUNCTION workshop_promotions_refuse()
"""
VERBS = ("UPDATE", "DELETE")


def refuse_changes(apps, schema_editor):
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    if on_postgresql:
        schema_editor.execute(POSTGRESQL_REFUSE.format(words=WORDS))
    for verb in VERBS:
        statement = POSTGRESQL if on_postgresql else SQLITE
        schema_editor.execute(statement.format(verb=verb, words=WORDS))


def allow_changes(apps, schema_editor):
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    for verb in VERBS:
        table = " ON workshop_promotion" if on_postgresql else ""
        schema_editor.execute(f"DROP TRIGGER workshop_promotions_refuse_{verb}{table}")
    if on_postgresql:
        schema_editor.execute("DROP FUNCTION workshop_promotions_refuse")


class Migration(migrations.Migration):
    dependencies = [("workshop", "0001_initial")]
    operations = [migrations.RunPython(refuse_changes, allow_changes)]
