from datetime import time

from practice.models import OpeningHours
from practice.opening import hours_lines


def test_days_with_the_same_hours_share_a_line(main_street):
    for weekday in range(4):
        OpeningHours.objects.create(
            location=main_street, weekday=weekday, opens_at=time(9), closes_at=time(17, 30)
        )
    OpeningHours.objects.create(location=main_street, weekday=4, opens_at=time(9), closes_at=time(12))
    OpeningHours.objects.create(location=main_street, weekday=4, opens_at=time(13), closes_at=time(15))
    assert hours_lines(main_street) == [
        "Monday–Thursday 9 a.m. – 5:30 p.m.",
        "Friday 9 a.m. – 12 p.m., 1 p.m. – 3 p.m.",
        "Saturday and Sunday closed",
    ]
