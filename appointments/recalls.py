"""When patients should come again, and how they are asked."""

from appointments.models import Appointment


def visit_completed(appointment: Appointment) -> None:
    """Let the patient's recalls follow from a visit that has taken place."""
