from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    name = "appointments"
    verbose_name = "Appointments"

    def ready(self) -> None:
        from appointments import recalls, reminders, texts, waitlist

        texts.register_checks()
        reminders.register_check()
        waitlist.register_checks()
        recalls.register_checks()
