"""The diary's stamps follow the rooms and machines too, and no visit is longer than a day.

A change of a booking's room changes the stamp of its provider, which the booking itself has locked
already: a stamp of its own for all rooms would make all bookings wait for each other.
"""

from importlib import import_module

from django.db import migrations, models
from django.db.models import F, Q

guards = import_module("appointments.migrations.0005_guards")
VISITS, USES, STAMPS = guards.VISITS, guards.USES, guards.STAMPS


def install(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    for statement in {"postgresql": _postgresql, "sqlite": _sqlite}[vendor]():
        schema_editor.execute(statement)


def _postgresql():
    yield f"""
        CREATE FUNCTION eyecare_stamp_use() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE whose uuid;
        BEGIN
            IF TG_OP = 'DELETE' THEN whose := OLD.appointment_id; ELSE whose := NEW.appointment_id; END IF;
            INSERT INTO {STAMPS} SELECT provider_id, (random() * 9e18)::bigint FROM {VISITS} WHERE id = whose
            ON CONFLICT (provider_id) DO UPDATE SET stamp = EXCLUDED.stamp;
            RETURN NULL;
        END $$
    """
    yield f"""
        CREATE TRIGGER stamp_diary AFTER INSERT OR UPDATE OR DELETE ON {USES}
        FOR EACH ROW EXECUTE FUNCTION eyecare_stamp_use()
    """


def _sqlite():
    for event, row in (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD")):
        yield f"""
            CREATE TRIGGER stamp_diary_{event}_{USES} AFTER {event} ON {USES}
            BEGIN
                INSERT INTO {STAMPS} (provider_id, stamp)
                SELECT provider_id, random() FROM {VISITS} WHERE id = {row}.appointment_id
                ON CONFLICT (provider_id) DO UPDATE SET stamp = excluded.stamp;
            END
        """
    # the new constraint has made the table anew, without its triggers
    for event in ("insert", "update", "delete"):
        yield guards._stamp(
            f"stamp_diary_{event}_appointments_visittype", event, "appointments_visittype", "0"
        )


class Migration(migrations.Migration):
    dependencies = [("appointments", "0007_reminders_that_did_not_arrive")]

    operations = [
        migrations.AddConstraint(
            model_name="visittype",
            constraint=models.CheckConstraint(
                condition=Q(minutes__lte=1440 - F("buffer_before_minutes") - F("buffer_after_minutes")),
                name="a_visit_with_its_buffers_takes_a_day_at_most",
                violation_error_message="A visit with the time before and after it takes a day at most.",
            ),
        ),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
