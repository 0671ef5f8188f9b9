"""Writes the shipped list of red flags, unsigned, so that a clinician finds it in the admin."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from chatbot import triage


def load(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    triage.load_defaults(apps.get_model("chatbot", "RedFlag"))


class Migration(migrations.Migration):
    dependencies = [("chatbot", "0001_initial")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
