from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = "Lens orders"

    def ready(self) -> None:
        from messaging import checks
        from orders import services

        checks.register(services.READY, services.no_longer_ready)
