"""The diary's rows: what can be booked, who works when, what is booked, who waits, who is due."""

from appointments.models.appointment import Appointment, AppointmentEvent, ResourceBooking
from appointments.models.calendars import CalendarLink
from appointments.models.recall import Recall, RecallAttempt, RecallInterval, RecallRule, RecallRun
from appointments.models.reminder import Reminder, ReminderRule
from appointments.models.schedule import (
    DiarySettings,
    DiaryStamp,
    ScheduleException,
    UrgentBlock,
    WeeklyHours,
)
from appointments.models.visit_type import Resource, ResourceKind, VisitType
from appointments.models.waitlist import Opening, WaitlistEntry, WaitlistOffer

__all__ = [
    "Appointment",
    "AppointmentEvent",
    "CalendarLink",
    "DiarySettings",
    "DiaryStamp",
    "Opening",
    "Recall",
    "RecallAttempt",
    "RecallInterval",
    "RecallRule",
    "RecallRun",
    "Reminder",
    "ReminderRule",
    "Resource",
    "ResourceBooking",
    "ResourceKind",
    "ScheduleException",
    "UrgentBlock",
    "VisitType",
    "WaitlistEntry",
    "WaitlistOffer",
    "WeeklyHours",
]
