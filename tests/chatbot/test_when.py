"""Days and times in patients' words, read on Monday 2 March 2026 at 9:00 in New York."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot import when
from chatbot.when import Days, Hours, NotUnderstood
from chatbot.when.words import listed

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=NEW_YORK)
VISIT = datetime(2026, 3, 5, 10, 30, tzinfo=NEW_YORK)
END = time.max


def read(text: str, now: datetime = NOW) -> when.Wish:
    return when.read(text, now)


def day(month: int, number: int, year: int = 2026) -> Days:
    return Days(date(year, month, number), date(year, month, number))


def run(first: tuple[int, int], last: tuple[int, int]) -> Days:
    return Days(date(2026, *first), date(2026, *last))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("today", day(3, 2)), ("tomorrow", day(3, 3)), ("tmrw", day(3, 3)), ("day after tomorrow", day(3, 4)),
        ("tues", day(3, 3)), ("wensday", day(3, 4)), ("thurs", day(3, 5)), ("monday", day(3, 9)),
        ("next tuesday", day(3, 10)),
        ("next monday", day(3, 9)), ("this friday", day(3, 6)), ("friday next week", day(3, 13)),
        ("a week from friday", day(3, 13)),
        ("the 14th", day(3, 14)), ("the 1st", day(4, 1)), ("the 31st", day(3, 31)), ("dec 3rd", day(12, 3)),
        ("3 december", day(12, 3)),
        ("12/3", day(12, 3)), ("25/12", day(12, 25)), ("2026-04-07", day(4, 7)),
        ("april 7, 2026", day(4, 7)), ("Apr. 7", day(4, 7)),
        ("3rd of april", day(4, 3)), ("january 5", day(1, 5, 2027)), ("2/28", day(2, 28, 2027)),
        ("feb 29", day(2, 29, 2028)),
        ("in 3 days", day(3, 5)), ("two weeks from today", day(3, 16)), ("first monday of april", day(4, 6)),
        ("last friday in march", day(3, 27)), ("thanksgiving", day(11, 26)), ("christmas eve", day(12, 24)),
        ("mañana", day(3, 3)), ("el próximo jueves", day(3, 5)), ("pasado mañana", day(3, 4)),
        ("el 14 de abril", day(4, 14)),
        ("thursday march 5", day(3, 5)), ("sunday the 29th", day(3, 29)), ("thursday the 2nd", day(4, 2)),
        ("twenty-first of march", day(3, 21)), ("next next friday", day(3, 20)),
        ("sometime next week", run((3, 9), (3, 15))), ("this week", run((3, 2), (3, 8))),
        ("week after next", run((3, 16), (3, 22))),
        ("in two weeks", run((3, 16), (3, 22))), ("this weekend", run((3, 7), (3, 8))),
        ("next weekend", run((3, 14), (3, 15))),
        ("next month", run((4, 1), (4, 30))), ("end of the month", run((3, 21), (3, 31))),
        ("early april", run((4, 1), (4, 10))),
        ("early next week", run((3, 9), (3, 10))), ("later this week", run((3, 5), (3, 8))),
        ("week of the 16th", run((3, 16), (3, 22))),
        ("second week of april", run((4, 6), (4, 12))), ("march 10 to 14", run((3, 10), (3, 14))),
        ("between the 10th and the 14th", run((3, 10), (3, 14))),
        ("after the 10th but before the 14th", run((3, 11), (3, 13))),
        ("within 10 days", run((3, 2), (3, 12))), ("by friday", run((3, 2), (3, 6))),
        ("in june", run((6, 1), (6, 30))),
        ("after march 10", Days(date(2026, 3, 11), date.max)),
        ("from the 20th on", Days(date(2026, 3, 20), date.max)),
        ("la próxima semana", run((3, 9), (3, 15))),
    ],
)  # fmt: skip
def test_days_are_found_on_the_calendar(text: str, wanted: Days) -> None:
    assert read(text).days == (wanted,)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("at 3", time(15)), ("3", time(15)), ("at 7", time(7)), ("at 11", time(11)), ("at 12", time(12)),
        ("noon", time(12)),
        ("10:30", time(10, 30)), ("2.30", time(14, 30)), ("2:30 pm", time(14, 30)), ("230pm", time(14, 30)),
        ("8 a.m.", time(8)),
        ("half past three", time(15, 30)), ("a quarter to 11 in the morning", time(10, 45)),
        ("quarter past 9", time(9, 15)),
        ("ten thirty", time(10, 30)), ("at 1030", time(10, 30)), ("4 o'clock", time(16)),
        ("14:15", time(14, 15)),
        ("6 in the morning", time(6)), ("7 in the evening", time(19)), ("a las 3 y media", time(15, 30)),
        ("20 to 4", time(15, 40)),
        ("@ 2", time(14)), ("mediodía", time(12)),
    ],
)  # fmt: skip
def test_a_bare_hour_is_read_as_the_practices_day_has_it(text: str, moment: time) -> None:
    assert read(text).exact == moment


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("in the morning", time.min, time(12)), ("afternoon", time(12), time(18)),
        ("first thing", time.min, time(10)),
        ("lunchtime", time(11, 30), time(13, 30)), ("before 10", time.min, time(10)),
        ("after 4", time(16), END),
        ("between 2 and 4", time(14), time(16)), ("from 9 to 5", time(9), time(17)),
        ("11 to 1", time(11), time(13)),
        ("between 9 and 11 pm", time(21), time(23)), ("2-3pm", time(14), time(15)),
        ("no earlier than 3", time(15), END),
        ("no later than 11", time.min, time(11, 1)), ("3 or later", time(15), END),
        ("after work", time(16, 30), END),
        ("after school", time(15), END), ("late afternoon", time(15), time(18)),
        ("not mornings", time(12), END),
        ("after lunch", time(13), time(18)), ("around 3", time(14), time(16, 1)),
        ("3ish", time(14), time(16, 1)),
        ("después de las 4", time(16), END), ("por la tarde", time(12), time(18)),
        ("morning after 9", time(9), time(12)),
        ("by 11", time.min, time(11, 1)),
    ],
)  # fmt: skip
def test_hours_are_a_window_for_the_start(text: str, earliest: time, latest: time) -> None:
    assert read(text).hours == (Hours(earliest, latest),)


def test_a_day_and_a_time_name_one_start() -> None:
    wish = read("dec 3rd 2:30")
    assert (wish.days, wish.exact) == ((day(12, 3),), time(14, 30))
    assert wish.names_one_start


def test_several_days_share_their_part_of_the_day() -> None:
    wish = read("Monday or Wednesday afternoon")
    assert wish.days == (day(3, 2), day(3, 4))
    assert wish.hours == (Hours(time(12), time(18)),)


def test_named_weekdays_fall_into_the_week_that_was_named() -> None:
    wish = read("tuesday or thursday next week after 3pm")
    assert wish.days == (day(3, 10), day(3, 12))
    assert wish.hours == (Hours(time(15), END),)


def test_two_times_with_or_are_both_open() -> None:
    wish = read("wednesday at 10:30 or thursday afternoon")
    assert wish.days == (day(3, 4), day(3, 5))
    assert wish.hours == (Hours(time(10, 30), time(10, 31)), Hours(time(12), time(18)))


def test_plural_weekdays_fix_no_date() -> None:
    wish = read("tuesdays or thursdays, mornings")
    assert (wish.days, wish.weekdays) == ((), frozenset({1, 3}))


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("not friday", {4}), ("any day but mondays", {0}), ("next week but not monday", {0}),
        ("I can't do tuesdays", {1}),
        ("any time except tuesday or thursday", {1, 3}), ("mondays don't work", {0}),
        ("cualquier día menos el lunes", {0}),
    ],
)  # fmt: skip
def test_refused_weekdays_never_match(text: str, refused: set[int]) -> None:
    wish = read(text)
    assert wish.excluded_weekdays == refused
    assert not wish.matches(NOW + timedelta(days=7 + min(refused)))


def test_a_correction_is_no_refusal() -> None:
    assert read("no, wednesday").days == (day(3, 4),)


@pytest.mark.parametrize(
    "text",
    ["asap", "first available", "as soon as you can", "lo antes posible", "whenever", "earliest opening"],
)
def test_the_soonest_time_is_asked_for(text: str) -> None:
    assert read(text).soonest


def test_the_first_available_time_may_be_wanted_after_a_day() -> None:
    wish = read("first available after the 20th")
    assert (wish.soonest, wish.days) == (True, (Days(date(2026, 3, 21), date.max),))


def test_todays_name_means_today_only_when_the_time_is_still_ahead() -> None:
    assert read("monday at 3").days == (day(3, 2),)
    assert read("monday at 8").days == (day(3, 9),)


@pytest.mark.parametrize(
    ("text", "wanted", "exact"),
    [
        ("same time next week", day(3, 12), time(10, 30)), ("an hour later", day(3, 5), time(11, 30)),
        ("same time on friday", day(3, 6), time(10, 30)),
        ("two hours earlier", day(3, 5), time(8, 30)), ("the day after", day(3, 6), None),
        ("a week later", day(3, 12), None),
        ("later that day", day(3, 5), None),
    ],
)  # fmt: skip
def test_the_visit_spoken_of_is_the_reference(text: str, wanted: Days, exact: time | None) -> None:
    wish = when.read(text, NOW, VISIT)
    assert (wish.days, wish.exact) == ((wanted,), exact)


def test_later_is_after_the_visit_on_its_day() -> None:
    wish = when.read("can we do later", NOW, VISIT)
    assert wish.matches(VISIT + timedelta(hours=1))
    assert not wish.matches(VISIT)


def test_another_day_is_not_the_visits_day() -> None:
    wish = when.read("another day", NOW, VISIT)
    assert not wish.matches(VISIT)
    assert wish.matches(VISIT + timedelta(days=1))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("feb 30", "There is no February 30. Which day did you mean?"),
        ("12/45", "There is no December 45. Which day did you mean?"),
        ("sept 31", "There is no September 31. Which day did you mean?"),
        ("the 45th", "No month has a day 45. Which day did you mean?"),
        ("tomorrow at 25:00", "There is no time 25:00. Which time did you mean?"),
        ("monday the 14th", "March 14 is a Saturday, not a Monday. Which day did you mean?"),
        ("thursday 3/4", "March 4 is a Wednesday, not a Thursday. Which day did you mean?"),
        ("yesterday", "That day is past. Which day would suit you?"),
        ("last tuesday", "That day is past. Which day would suit you?"),
        ("purple", "Which day and time would suit you?"),
        ("May I come in", "Which day and time would suit you?"),
        ("the first one", "Which day and time would suit you?"),
        ("", "Which day and time would suit you?"),
    ],
)  # fmt: skip
def test_what_is_no_day_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(NotUnderstood) as refusal:
        read(text)
    assert refusal.value.sentence == sentence


def test_a_naive_moment_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="aware"):
        when.read("tomorrow", datetime(2026, 3, 2, 9))  # noqa: DTZ001


def test_a_start_matches_on_the_practices_wall_clock() -> None:
    wish = read("tomorrow at 3")
    assert wish.matches(datetime(2026, 3, 3, 20, 0, tzinfo=ZoneInfo("UTC")))
    assert not wish.matches(datetime(2026, 3, 3, 15, 0, tzinfo=ZoneInfo("UTC")))


def test_the_wall_clock_holds_across_the_change_to_summer_time() -> None:
    wish = read("march 9 at 9")
    assert wish.matches(datetime(2026, 3, 9, 13, 0, tzinfo=ZoneInfo("UTC")))


def test_the_nearest_start_is_the_one_least_away_in_days_and_hours() -> None:
    wish = read("tuesday at 3")
    half_past, morning, next_day = (
        datetime(2026, 3, 3, 15, 30, tzinfo=NEW_YORK),
        datetime(2026, 3, 3, 9, 0, tzinfo=NEW_YORK),
        datetime(2026, 3, 4, 15, 0, tzinfo=NEW_YORK),
    )
    assert sorted([next_day, morning, half_past], key=wish.distance) == [half_past, morning, next_day]
    assert wish.distance(half_past) == timedelta(minutes=30)


def test_around_a_time_ranks_the_starts_that_match() -> None:
    wish = read("tomorrow around 3")
    quarter_to, two = (
        datetime(2026, 3, 3, 14, 45, tzinfo=NEW_YORK),
        datetime(2026, 3, 3, 14, 0, tzinfo=NEW_YORK),
    )
    assert wish.matches(two)
    assert wish.distance(quarter_to) < wish.distance(two)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("next week in the morning", "next week, in the morning"),
        ("tues at 3", "Tuesday, March 3, at 3:00 PM"),
        ("asap", "the first free time"), ("not friday", "not Fridays"),
        ("the 14th after 4", "Saturday, March 14, 4:00 PM or later"),
        ("after the 20th", "from March 21 on"),
        ("between 2 and 4 tomorrow", "tomorrow, between 2:00 PM and 4:00 PM"),
    ],
)  # fmt: skip
def test_a_wish_is_told_back_in_words(text: str, words: str) -> None:
    assert read(text).describe() == words


@pytest.mark.parametrize(
    ("message", "span"),
    [
        ("I need my eyes checked, sometime next week in the morning", "sometime next week in the morning"),
        ("can u move my exam to fri @ 2pm pls", "fri @ 2pm"),
        ("May I come in on friday at 9", "on friday at 9"),
        ("no, wednesday", "wednesday"), ("quiero una cita mañana por la tarde", "mañana por la tarde"),
        ("the 14th after 4 would be great", "the 14th after 4"), ("nothing of the kind", None),
        ("do you have 2 parking spots", None),
    ],
)  # fmt: skip
def test_the_words_about_time_are_found_in_a_message(message: str, span: str | None) -> None:
    assert when.find(message) == span


@pytest.mark.parametrize(
    "text",
    [
        "3/14/1960", "03-14-60", "3.14.1960", "March 14 1960", "march 14th, 1960", "14 March 1960",
        "14th of march 1960", "1960-03-14",
        "03141960", "031460", "my dob is 3/14/60", "born mar 14 '60", "14 de marzo de 1960", "14/3/1960",
        "3 14 1960",
    ],
)  # fmt: skip
def test_a_date_of_birth_is_read_in_any_common_form(text: str) -> None:
    assert when.read_birth_date(text, NOW.date()) == date(1960, 3, 14)


@pytest.mark.parametrize(
    "text", ["2/30/1960", "13/13/1980", "3/14/2031", "3/14/1890", "march 14", "soon", ""]
)
def test_an_impossible_date_of_birth_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        when.read_birth_date(text, NOW.date())


def test_a_year_of_two_digits_is_never_in_the_future() -> None:
    assert when.read_birth_date("1/2/26", NOW.date()) == date(2026, 1, 2)
    assert when.read_birth_date("1/2/27", NOW.date()) == date(1927, 1, 2)


@given(
    st.dates(date(2026, 3, 3), date(2027, 3, 1)),
    st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
)
def test_every_day_and_time_is_read_back_from_its_own_words(wanted: date, moment: time) -> None:
    wish = read(f"{wanted:%A, %B} {wanted.day} at {when.clock_words(moment)}")
    assert (wish.days, wish.exact) == ((Days(wanted, wanted),), moment)


WORDS = listed(
    "next monday 14th at 3 or not before after between and the of week in 2 am pm 99 31 feb - , / until"
)


@given(st.text(max_size=80) | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        wish = when.read(text, NOW, VISIT)
    except NotUnderstood:
        return
    assert wish.describe()
    assert isinstance(wish.matches(NOW), bool)
    assert wish.distance(NOW) >= timedelta()
