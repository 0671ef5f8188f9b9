"""When somebody would like to come: what is left of their words once code has understood them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo

from eyecare.errors import Invalid

DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class NotUnderstood(Invalid):
    """The words name no day or time, or one that does not exist; the sentence says which."""

    code = "not_understood"


@dataclass(frozen=True)
class Days:
    """A run of days, both ends included; open-ended runs end on `date.max`."""

    first: date
    last: date
    label: str = field(default="", compare=False)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1))

    @property
    def is_one_day(self) -> bool:
        return self.first == self.last

    def gap(self, day: date) -> timedelta:
        """Return how far a day lies outside."""
        return max(self.first - day, day - self.last, timedelta())

    def describe(self) -> str:
        if self.label:
            return self.label
        if self.is_one_day:
            return f"{self.first:%A, %B} {self.first.day}"
        if self.last == date.max:
            return f"from {self.first:%B} {self.first.day} on"
        return f"{self.first:%B} {self.first.day} to {self.last:%B} {self.last.day}"


@dataclass(frozen=True)
class Hours:
    """A window on the clock that visits may start in: the first minute belongs to it, the last not."""

    earliest: time
    latest: time
    label: str = field(default="", compare=False)

    def __contains__(self, moment: time) -> bool:
        return self.earliest <= moment < self.latest

    def gap(self, moment: time) -> timedelta:
        """Return how far a time lies outside."""
        return max(_since_midnight(self.earliest) - _since_midnight(moment), _past(moment, self.latest))

    def describe(self) -> str:
        if self.label:
            return self.label
        if self.latest == time.max:
            return f"{clock_words(self.earliest)} or later"
        if self.earliest == time.min:
            return f"before {clock_words(self.latest)}"
        return f"between {clock_words(self.earliest)} and {clock_words(self.latest)}"


@dataclass(frozen=True)
class Wish:
    """What a patient said of when. Every part that they left open is empty and matches anything.

    `around` only ranks: of the starts that match, the nearest to it come first. `soonest` says that
    the patient wants the first free time, within the other parts where there are any.
    """

    zone: tzinfo
    days: tuple[Days, ...] = ()
    weekdays: frozenset[int] = frozenset()
    excluded_weekdays: frozenset[int] = frozenset()
    excluded_days: tuple[Days, ...] = ()
    hours: tuple[Hours, ...] = ()
    exact: time | None = None
    around: time | None = None
    soonest: bool = False

    @property
    def names_one_start(self) -> bool:
        return self.exact is not None and len(self.days) == 1 and self.days[0].is_one_day

    def matches(self, start: datetime) -> bool:
        """Say whether a visit that starts then is what was asked for."""
        local = start.astimezone(self.zone)
        return self._allows_day(local.date()) and self._allows_time(local.time())

    def _allows_day(self, day: date) -> bool:
        if day.weekday() in self.excluded_weekdays or any(day in days for days in self.excluded_days):
            return False
        if self.weekdays and day.weekday() not in self.weekdays:
            return False
        return not self.days or any(day in days for days in self.days)

    def _allows_time(self, moment: time) -> bool:
        if self.exact is not None:
            return moment.replace(second=0, microsecond=0) == self.exact
        return not self.hours or any(moment in hours for hours in self.hours)

    def distance(self, start: datetime) -> timedelta:
        """Return how far a start is from the wish: sort by it (then by the start) to offer the nearest."""
        local = start.astimezone(self.zone)
        return self._day_distance(local.date()) + self._time_distance(local.time())

    def _day_distance(self, day: date) -> timedelta:
        distance = min((days.gap(day) for days in self.days), default=timedelta())
        if distance or self._allows_day(day):
            return distance
        return timedelta(days=1)

    def _time_distance(self, moment: time) -> timedelta:
        if (aim := self.exact or self.around) is not None:
            return abs(_since_midnight(aim) - _since_midnight(moment))
        return min((hours.gap(moment) for hours in self.hours), default=timedelta())

    def describe(self) -> str:
        """Return the wish in words for the patient: "next week, in the morning"."""
        parts = [self._describe_days(), self._describe_time(), self._describe_excluded()]
        return ", ".join(part for part in parts if part) or "the first free time"

    def _describe_days(self) -> str:
        weekdays = " or ".join(f"{DAY_NAMES[day]}s" for day in sorted(self.weekdays))
        days = " or ".join(days.describe() for days in self.days)
        return " ".join(part for part in (weekdays, days) if part)

    def _describe_time(self) -> str:
        if self.exact is not None:
            return f"at {clock_words(self.exact)}"
        if self.around is not None:
            return f"around {clock_words(self.around)}"
        return " or ".join(hours.describe() for hours in self.hours)

    def _describe_excluded(self) -> str:
        names = [f"{DAY_NAMES[day]}s" for day in sorted(self.excluded_weekdays)]
        names += [days.describe() for days in self.excluded_days]
        return f"not {' or '.join(names)}" if names else ""


def clock_words(moment: time) -> str:
    """Return a time as it is said here: "3:30 PM"."""
    return f"{moment.hour % 12 or 12}:{moment:%M %p}"


def _since_midnight(moment: time) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute)


def _past(moment: time, latest: time) -> timedelta:
    """Return how far a time is past a window's end, at least a minute once it is past."""
    past = _since_midnight(moment) - _since_midnight(latest)
    return past + timedelta(minutes=1) if past >= timedelta() else timedelta()
