from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate

from eyecare import clock


class PracticeConfig(AppConfig):
    name = "practice"
    verbose_name = "The practice"

    def ready(self) -> None:
        from practice import record, services

        clock.hang_on(services.zone)
        connection_created.connect(record.tell_who_acts, dispatch_uid="record")
        pre_migrate.connect(record.remove, sender=self, dispatch_uid="record")
        post_migrate.connect(record.after_migrate, sender=self, dispatch_uid="record")
