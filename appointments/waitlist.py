"""Who waits for an earlier time, and how a time that came free is offered to them."""

from appointments.models import Appointment


def note_freed(appointment: Appointment) -> None:
    """Note, in the caller's transaction, that this time came free."""
