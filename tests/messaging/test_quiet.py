from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.quiet import allowed_at

NEW_YORK = ZoneInfo("America/New_York")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = [NEW_YORK, ZoneInfo("America/Los_Angeles"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]


def at(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("moment", "leaves"),
    [
        (at(2, 9), at(2, 9)),
        (at(2, 19, 59), at(2, 19, 59)),
        (at(2, 20), at(3, 9)),
        (at(2, 23, 59), at(3, 9)),
        (at(3, 0), at(3, 9)),
        (at(3, 8, 59), at(3, 9)),
        (at(7, 22), at(8, 9)),  # the clocks go forward in that night
        (at(31, 22, month=10), at(1, 9, month=11)),  # and back in this one
    ],
)
def test_a_message_at_night_waits_for_nine_on_the_wall(moment, leaves):
    found = allowed_at(moment, quiet_from=time(20), quiet_until=time(9), zone=NEW_YORK)
    assert found.astimezone(UTC) == leaves.astimezone(UTC)


def test_hours_within_one_day_are_kept_too():
    found = allowed_at(at(2, 12, 30), quiet_from=time(12), quiet_until=time(13), zone=NEW_YORK)
    assert found == at(2, 13)


def test_without_quiet_hours_everything_may_leave():
    assert allowed_at(at(2, 3), quiet_from=time(9), quiet_until=time(9), zone=NEW_YORK) == at(2, 3)


@given(
    moment=st.integers(0, 365 * 24 * 60).map(lambda minutes: NEW_YEAR + timedelta(minutes=minutes)),
    zone=st.sampled_from(ZONES),
)
def test_nothing_leaves_in_quiet_hours_and_nothing_waits_a_day(moment, zone):
    leaves = allowed_at(moment, quiet_from=time(20), quiet_until=time(9), zone=zone)
    assert time(9) <= leaves.astimezone(zone).time() < time(20)
    assert 0 <= (leaves.astimezone(UTC) - moment).total_seconds() <= 14 * 3600
