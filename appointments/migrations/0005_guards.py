"""The database itself refuses overlaps and keeps the diary's stamps, whoever writes.

PostgreSQL has exclusion constraints for the overlaps; SQLite gets triggers. Holds count as visits do:
one whose time has run out has to be given back before its time is taken. A hold of the time that a
visit is to move to may overlap the visit itself, so rows of one lineage do not exclude each other.

A later migration that makes SQLite rebuild one of these tables (AlterField, AddConstraint …) drops its
triggers: call `install` again, for that table. tests/appointments/test_overlaps.py fails until then.
"""

import uuid

from django.db import migrations, models

OCCUPYING = "('held', 'booked', 'confirmed', 'arrived', 'in_exam')"
VISITS, USES, STAMPS = (
    "appointments_appointment",
    "appointments_resourcebooking",
    "appointments_diarystamp",
)

RULES = {
    "a_provider_sees_one_patient_at_a_time": (VISITS, "provider_id", "busy_from", "busy_until"),
    "a_patient_is_in_one_place_at_a_time": (VISITS, "patient_id", "starts_at", "ends_at"),
    "a_resource_serves_one_visit_at_a_time": (USES, "resource_id", "busy_from", "busy_until"),
}
TAKES_TIME = {VISITS: "{row}state IN " + OCCUPYING, USES: "{row}is_active"}
WATCHED = {VISITS: "state", USES: "is_active"}

SCHEDULES = [
    "appointments_weeklyhours",
    "appointments_scheduleexception",
    "appointments_urgentblock",
    "appointments_visittype",
    "appointments_visittype_providers",
    "appointments_visittype_locations",
    "appointments_visittype_needs",
    "appointments_resource",
    "practice_practice",
    "practice_provider",
    "practice_location",
]
"""What a search for free times reads besides the appointments."""


def install(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    for statement in {"postgresql": _postgresql, "sqlite": _sqlite}[vendor]():
        schema_editor.execute(statement)


def leave_old_rules(apps, schema_editor):
    """Drop what 0002 installed: it knew neither holds nor lineages."""
    for name in list(RULES)[:2]:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"ALTER TABLE {VISITS} DROP CONSTRAINT IF EXISTS {name}")
            continue
        for event in ("insert", "update"):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}_{event}")


def _postgresql():
    for name, (table, whose, start, end) in RULES.items():
        yield f"""
            ALTER TABLE {table} ADD CONSTRAINT {name}
            EXCLUDE USING gist ({whose} WITH =, lineage WITH <>, tstzrange({start}, {end}) WITH &&)
            WHERE ({TAKES_TIME[table].format(row="")})
        """
    yield f"CREATE TABLE {STAMPS} (provider_id bigint PRIMARY KEY, stamp bigint NOT NULL)"
    yield f"""
        CREATE FUNCTION eyecare_stamp_diary() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE whose bigint := 0;
        BEGIN
            IF TG_TABLE_NAME = '{VISITS}' THEN whose := NEW.provider_id; END IF;
            INSERT INTO {STAMPS} VALUES (whose, (random() * 9e18)::bigint)
            ON CONFLICT (provider_id) DO UPDATE SET stamp = EXCLUDED.stamp;
            RETURN NULL;
        END $$
    """
    yield f"""
        CREATE FUNCTION eyecare_follow_state() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE {USES} SET is_active = (NEW.state IN {OCCUPYING}) WHERE appointment_id = NEW.id;
            RETURN NULL;
        END $$
    """
    yield f"""
        CREATE TRIGGER stamp_diary AFTER INSERT OR UPDATE ON {VISITS}
        FOR EACH ROW EXECUTE FUNCTION eyecare_stamp_diary()
    """
    yield f"""
        CREATE TRIGGER follow_state AFTER UPDATE OF state ON {VISITS}
        FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION eyecare_follow_state()
    """
    for table in SCHEDULES:
        yield f"""
            CREATE TRIGGER stamp_diary AFTER INSERT OR UPDATE OR DELETE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION eyecare_stamp_diary()
        """


def _sqlite():
    for name, rule in RULES.items():
        yield from _refusals(name, *rule)
    yield f"CREATE TABLE {STAMPS} (provider_id integer PRIMARY KEY, stamp bigint NOT NULL)"
    for event in ("insert", "update"):
        yield _stamp(f"stamp_diary_{event}_{VISITS}", event, VISITS, "NEW.provider_id")
    yield f"""
        CREATE TRIGGER follow_state AFTER UPDATE OF state ON {VISITS} WHEN OLD.state <> NEW.state
        BEGIN
            UPDATE {USES} SET is_active = (NEW.state IN {OCCUPYING}) WHERE appointment_id = NEW.id;
        END
    """
    for table in SCHEDULES:
        for event in ("insert", "update", "delete"):
            yield _stamp(f"stamp_diary_{event}_{table}", event, table, "0")


def _refusals(name, table, whose, start, end):
    takes_time = TAKES_TIME[table]
    watched = f"UPDATE OF {WATCHED[table]}, {whose}, {start}, {end}"
    for event, itself in (("INSERT", "NEW"), (watched, "OLD")):
        yield f"""
            CREATE TRIGGER {name}_{event.split()[0].lower()} BEFORE {event} ON {table}
            WHEN {takes_time.format(row="NEW.")}
            BEGIN
                SELECT RAISE(ABORT, '{name}') WHERE EXISTS (
                    SELECT 1 FROM {table}
                    WHERE {whose} = NEW.{whose} AND id <> {itself}.id AND lineage <> NEW.lineage
                    AND {takes_time.format(row="")} AND {start} < NEW.{end} AND {end} > NEW.{start}
                );
            END
        """


def _stamp(name, event, table, whose):
    return f"""
        CREATE TRIGGER {name} AFTER {event} ON {table}
        BEGIN
            INSERT INTO {STAMPS} (provider_id, stamp) VALUES ({whose}, random())
            ON CONFLICT (provider_id) DO UPDATE SET stamp = excluded.stamp;
        END
    """


class Migration(migrations.Migration):
    dependencies = [("appointments", "0004_lineages")]

    operations = [
        migrations.AlterField(
            model_name="appointment",
            name="lineage",
            field=models.UUIDField(
                default=uuid.uuid4,
                editable=False,
                help_text="The same for a visit through all its moves.",
            ),
        ),
        migrations.AddConstraint(
            model_name="appointment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["booked", "confirmed", "arrived", "in_exam"])),
                fields=("lineage",),
                name="a_visit_stands_in_the_diary_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="appointment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "held")),
                fields=("lineage",),
                name="a_visit_is_held_one_new_time",
            ),
        ),
        migrations.RunPython(leave_old_rules, migrations.RunPython.noop),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
