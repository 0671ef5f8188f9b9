"""The buttons that take a visit through its day at the front desk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appointments import services
from appointments.desk import STAFF
from appointments.models import Appointment
from eyecare import clock
from patients.models import Account

State = Appointment.State


@dataclass(frozen=True)
class Step:
    """A button on a visit's panel."""

    name: str
    label: str
    icon: str
    to: str
    verb: Callable[..., Any]
    said: str
    asks_why: bool = False

    def take(self, visit: Appointment, actor: Account, reason: str) -> None:
        """Raises what the service raises."""
        given: dict[str, str] = {}
        if self.to in (State.CONFIRMED, State.CANCELLED):
            given["channel"] = STAFF
        if self.asks_why:
            given["reason"] = reason
        self.verb(appointment=visit, actor=actor, **given)

    def is_open_to(self, visit: Appointment) -> bool:
        """Say whether the step can be taken now: some belong to the day of the visit."""
        if visit.state not in services.COMES_FROM[self.to]:
            return False
        day, today = services.slot_of(visit).starts_at.date(), clock.today()
        if self.to in (State.ARRIVED, State.IN_EXAM):
            return day == today
        if self.to == State.NO_SHOW:
            return visit.starts_at <= clock.now()
        return self.to != State.DONE or day <= today


STEPS = {
    step.name: step
    for step in (
        Step("check_in", "Check in", "how_to_reg", State.ARRIVED, services.check_in, "{} is here."),
        Step(
            "start_exam",
            "Start the exam",
            "visibility",
            State.IN_EXAM,
            services.start_exam,
            "{} is in the exam.",
        ),
        Step("complete", "Done", "task_alt", State.DONE, services.complete, "The visit of {} is done."),
        Step("confirm", "Confirm", "thumb_up", State.CONFIRMED, services.confirm, "{} will come."),
        Step(
            "no_show",
            "Did not come",
            "person_off",
            State.NO_SHOW,
            services.mark_no_show,
            "{} did not come.",
        ),
        Step(
            "cancel",
            "Cancel",
            "event_busy",
            State.CANCELLED,
            services.cancel,
            "The visit of {} is cancelled.",
            asks_why=True,
        ),
    )
}
