"""The front desk's pages of the diary; each module registers its own."""

from appointments.admin import diary, recalls, reminders, schedules, waitlist

__all__ = ["diary", "recalls", "reminders", "schedules", "waitlist"]
