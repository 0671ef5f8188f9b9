from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        from billing import services
        from messaging import checks

        checks.register("statement_ready", services.why_not_to_tell)
