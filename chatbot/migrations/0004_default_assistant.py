"""Writes the practice's usual assistant: every task, every document, the model of the settings."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def write(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("chatbot", "Assistant").objects.get_or_create(
        is_default=True, defaults={"slug": "assistant", "name": "Assistant"}
    )


class Migration(migrations.Migration):
    dependencies = [("chatbot", "0003_assistants_and_examples")]
    operations = [migrations.RunPython(write, migrations.RunPython.noop)]
