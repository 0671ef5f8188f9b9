"""A provider for tests: remembers what was opened, can be made to fail."""

from payments.backends.base import Opened, ProviderFailed
from payments.models import Checkout

opened: list[Checkout] = []
failures: list[ProviderFailed] = []
"""Raised by the next calls, first in, first out."""


class MemoryBackend:
    def open(self, checkout: Checkout) -> Opened:
        if failures:
            raise failures.pop(0)
        opened.append(checkout)
        return Opened(f"cs_{checkout.pk.hex}", f"https://pay.example/{checkout.pk}")
