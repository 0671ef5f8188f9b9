"""The database itself refuses overlaps, whoever writes: a service, a bulk insert, raw SQL.

PostgreSQL has exclusion constraints for it. SQLite gets triggers; a later migration that makes
SQLite rebuild the table (AlterField, AddConstraint …) drops them and must install them again: the
tests in tests/appointments/test_overlaps.py fail until it does.
"""

from django.db import migrations

ACTIVE = "('booked', 'confirmed', 'arrived')"

RULES = {
    "a_provider_sees_one_patient_at_a_time": ("provider_id", "busy_from", "busy_until"),
    "a_patient_is_in_one_place_at_a_time": ("patient_id", "starts_at", "ends_at"),
}


def install(apps, schema_editor):
    for name, (whose, start, end) in RULES.items():
        statements = {"postgresql": _constraint, "sqlite": _triggers}[schema_editor.connection.vendor]
        for statement in statements(name, whose, start, end):
            schema_editor.execute(statement)


def remove(apps, schema_editor):
    for name in RULES:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"ALTER TABLE appointments_appointment DROP CONSTRAINT {name}")
            continue
        for event in ("insert", "update"):
            schema_editor.execute(f"DROP TRIGGER {name}_{event}")


def _constraint(name, whose, start, end):
    yield "CREATE EXTENSION IF NOT EXISTS btree_gist"
    yield f"""
        ALTER TABLE appointments_appointment ADD CONSTRAINT {name}
        EXCLUDE USING gist ({whose} WITH =, tstzrange({start}, {end}) WITH &&)
        WHERE (state IN {ACTIVE})
    """


def _triggers(name, whose, start, end):
    watched = f"UPDATE OF state, {whose}, {start}, {end}"
    for event, itself in (("INSERT", "NEW"), (watched, "OLD")):
        yield f"""
            CREATE TRIGGER {name}_{event.split()[0].lower()} BEFORE {event} ON appointments_appointment
            WHEN NEW.state IN {ACTIVE}
            BEGIN
                SELECT RAISE(ABORT, '{name}') WHERE EXISTS (
                    SELECT 1 FROM appointments_appointment
                    WHERE {whose} = NEW.{whose} AND id <> {itself}.id AND state IN {ACTIVE}
                    AND {start} < NEW.{end} AND {end} > NEW.{start}
                );
            END
        """


class Migration(migrations.Migration):
    dependencies = [("appointments", "0001_initial")]

    operations = [migrations.RunPython(install, remove, elidable=False)]
