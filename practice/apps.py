from django.apps import AppConfig

from eyecare import clock


class PracticeConfig(AppConfig):
    name = "practice"
    verbose_name = "The practice"

    def ready(self) -> None:
        from practice import services

        clock.hang_on(services.zone)
