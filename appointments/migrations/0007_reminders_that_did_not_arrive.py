from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("appointments", "0006_recalls")]

    operations = [
        migrations.AlterField(
            model_name="reminder",
            name="explanation",
            field=models.CharField(
                blank=True,
                help_text="Why it was dropped, or did not go by the first channel.",
                max_length=240,
            ),
        ),
        migrations.AlterField(
            model_name="reminder",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "waiting"),
                    ("queued", "in the outbox"),
                    ("dropped", "dropped"),
                    ("failed", "did not arrive"),
                ],
                default="waiting",
                max_length=8,
            ),
        ),
        migrations.AddIndex(
            model_name="reminder",
            index=models.Index(
                condition=models.Q(("state", "queued")),
                fields=["starts_at"],
                name="reminder_in_the_outbox",
            ),
        ),
    ]
