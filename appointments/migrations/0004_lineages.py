"""Every visit standing in the diary gets its lineage; what was one notice for changes is now two."""

import uuid

from django.db import migrations
from django.db.models import F


def follow_the_moves(apps, schema_editor):
    """Give an appointment the lineage of the one that it was moved from, the first one its own."""
    appointments = apps.get_model("appointments", "Appointment").objects
    lineages = {}
    for pk, moved_from in (
        appointments.order_by("created_at", "pk").values_list("pk", "moved_from_id").iterator()
    ):
        lineages[pk] = lineages.get(moved_from) or uuid.uuid4()
        appointments.filter(pk=pk).update(lineage=lineages[pk])


def one_notice_for_both(apps, schema_editor):
    apps.get_model("appointments", "VisitType").objects.update(move_notice_hours=F("cancel_notice_hours"))


class Migration(migrations.Migration):
    dependencies = [("appointments", "0003_full_diary")]

    operations = [
        migrations.RunPython(follow_the_moves, migrations.RunPython.noop),
        migrations.RunPython(one_notice_for_both, migrations.RunPython.noop),
    ]
