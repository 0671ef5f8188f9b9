"""What a patient is shown to choose from ends where the diary ends, on the practice's own wall."""

from datetime import timedelta

from appointments.offer import Search, offer
from eyecare import clock
from tests.factories import MONDAY


def test_there_is_no_next_page_beyond_the_diarys_last_evening(exam, ana):
    exam.horizon_days = 1
    exam.save()
    with clock.frozen_at(MONDAY + timedelta(hours=12)):  # nine in the evening: in UTC it is Tuesday
        shown = offer(exam, Search(), patient=ana)
    assert [(f"{day:%A}", len(slots)) for day, slots in shown.days] == [("Tuesday", 16)]
    assert shown.later_from is None
