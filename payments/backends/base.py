"""What any provider of card payments must be able to do for us."""

from dataclasses import dataclass
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from payments.models import Checkout


@dataclass(frozen=True)
class Opened:
    """A checkout at the provider: its id there, and the page where the patient pays."""

    provider_id: str
    url: str


class ProviderFailed(Exception):
    """The provider did not open the checkout; `permanent` when asking again for this one cannot help."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class PaymentsBackend(Protocol):
    """Opens checkouts. That money arrived is told by events only, never by a page or a return value."""

    def open(self, checkout: Checkout) -> Opened:
        """Open a page where this checkout is paid; the same checkout again opens the same page.

        Raises ProviderFailed.
        """


def backend() -> PaymentsBackend:
    """Return the provider that PAYMENTS_BACKEND names."""
    return _made(settings.PAYMENTS_BACKEND)


@cache
def _made(dotted_path: str) -> PaymentsBackend:
    return import_string(dotted_path)()
