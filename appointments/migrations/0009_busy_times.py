"""A search reads what a provider has from an index alone; neither database makes the table anew for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("appointments", "0008_rooms_stamped")]

    operations = [
        migrations.RemoveIndex(model_name="appointment", name="appointment_by_provider"),
        migrations.AddIndex(
            model_name="appointment",
            index=models.Index(
                fields=["provider", "busy_from", "busy_until", "state", "held_until"],
                name="appointment_busy_times",
            ),
        ),
    ]
