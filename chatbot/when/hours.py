"""Times of day: "half past three", "2:30", "before 10", "late afternoon"."""

import re
from dataclasses import dataclass
from datetime import time

from chatbot.when.wish import Hours, NotUnderstood

FIRST_MORNING_HOUR = 7
"""A bare hour below this is meant in the afternoon: nobody has an eye exam at 3 in the morning."""


@dataclass(frozen=True)
class Clock:
    """A time as it was said; without am or pm it is `open`, and the practice's day decides."""

    hour: int
    minute: int = 0
    open: bool = True

    @property
    def moment(self) -> time:
        """Return the time in the practice's day: 1 to 6 in the afternoon, 7 to 12 as they stand."""
        if self.open and 1 <= self.hour < FIRST_MORNING_HOUR:
            return time(self.hour + 12, self.minute)
        return time(self.hour, self.minute)

    def within(self, hours: Hours) -> time | None:
        """Return the reading on the same side of noon as a part of the day; None when there is none."""
        if hours.earliest.hour >= 12 or hours.latest <= time(12):
            return next((it for it in self.readings if (it.hour < 12) == (hours.earliest.hour < 12)), None)
        return next((it for it in self.readings if it in hours), None)

    def until(self, later: "Clock") -> tuple[time, time]:
        """Return both ends of a window: "9 and 11 pm" is from 21:00, "5 to 7" is from 17:00 until 19:00."""
        if not later.open:
            before = (it for it in self.readings if it < later.moment)
            return max(before, default=self.moment), later.moment
        return self.moment, next((it for it in later.readings if it > self.moment), later.moment)

    @property
    def readings(self) -> tuple[time, ...]:
        if not self.open:
            return (self.moment,)
        return (time(self.hour % 12, self.minute), time(self.hour % 12 + 12, self.minute))


MORNING = Hours(time.min, time(12), "in the morning")
AFTERNOON = Hours(time(12), time(18), "in the afternoon")
EVENING = Hours(time(17), time(22), "in the evening")

DAY_PARTS: tuple[tuple[str, Hours], ...] = (
    (
        r"(?:at )?(?:the )?(?:very )?(?:1st|first) thing(?: in the morning)?",
        Hours(time.min, time(10), "first thing"),
    ),
    (
        r"(?:early|start of the) (?:in the )?(?:morning|day)s?|bright and early|early doors",
        Hours(time.min, time(10), "early in the morning"),
    ),
    (r"(?:late|mid)(?:r|er)? (?:in the )?mornings?", Hours(time(9, 30), time(12), "late in the morning")),
    (r"(?:early|earlier) (?:in the )?afternoons?", Hours(time(12), time(15), "early in the afternoon")),
    (r"mid (?:in the )?afternoons?", Hours(time(14), time(16), "in the middle of the afternoon")),
    (
        r"(?:late|later) (?:in the )?afternoons?|(?:at |by )?(?:the )?end of (?:the )?(?:working |work |"
        r"business )?day|late (?:in the|that) day",
        Hours(time(15), time(18), "late in the afternoon"),
    ),
    (r"early (?:in the )?evenings?", Hours(time(17), time(19), "early in the evening")),
    (
        r"(?:after|once im off|when i get off) (?:of )?(?:work|office hours)|when i finish work",
        Hours(time(16, 30), time.max, "after work"),
    ),
    (
        r"(?:after|when) (?:the kids finish )?(?:school|the school run|preschool)(?: (?:gets|lets) out)?",
        Hours(time(15), time.max, "after school"),
    ),
    (r"before (?:work|school|the office)", Hours(time.min, time(9, 30), "before work")),
    (r"before (?:lunch(?:time)?|noon)", Hours(time.min, time(12), "before noon")),
    (r"after (?:lunch(?:time)?)", Hours(time(13), time(18), "after lunch")),
    (
        r"(?:(?:at|over|around|during|on) )?(?:my |the )?lunch ?(?:time|hour|break)?s?|mid ?day",
        Hours(time(11, 30), time(13, 30), "around lunchtime"),
    ),
    (r"(?:in |during )?(?:the )?(?:a )?mornings?|(?<!\d )(?<!\d)\bam\b", MORNING),
    (r"(?:in |during )?(?:the )?afternoons?|(?<!\d )(?<!\d)\bpm\b", AFTERNOON),
    (r"(?:in |during |at )?(?:the )?(?:evenings?|nights?)", EVENING),
)

CLOCKS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?P<name>noon|midday|midnight)\b",
        r"\b(?P<hour>\d{1,2}) ?[:h] ?(?P<minute>\d{2})(?::\d{2})? ?(?P<half>am|pm)?\b",
        r"\b(?P<hour>\d{1,2})\.(?P<minute>\d{2}) ?(?P<half>am|pm)?\b(?![./])",
        r"\b(?P<hour>\d{1,2})(?P<minute>\d{2}) ?(?P<half>am|pm)\b",
        r"\bhalf (?:past )?(?P<hour>\d{1,2}) ?(?P<half>am|pm)?\b(?P<half_past>)",
        r"\b(?:1 |a )?(?P<past>quarter|\d{1,2}(?= minutes? )|5|10|15|20|"
        r"25)(?: minutes?)? past (?P<hour>\d{1,2}) ?(?P<half>am|pm)?\b",
        r"\b(?:1 |a )?(?P<till>quarter|\d{1,2}(?= minutes? )|15|20|25)(?: minutes?)? (?:to|until|before|"
        r"of) (?P<hour>\d{1,2}|noon) ?(?P<half>am|pm)?\b",
        r"\b(?:1 |a )?(?P<past>quarter) after (?P<hour>\d{1,2}) ?(?P<half>am|pm)?\b",
        r"\b(?P<hour>1[0-2]|0?\d) (?P<minute>[0-5]\d) ?(?P<half>am|pm)\b",
        r"\b(?P<hour>\d{1,2}) ?oclock ?(?P<half>am|pm)?(?: sharp)?\b",
        r"\b(?P<hour>\d{1,2}) ?(?P<half>am|pm)\b",
        r"\b(?:at|for) (?P<hour>\d{1,2})(?P<minute>[0-5][05])\b(?!\d|[/-])",
        r"(?<![/\d] )\b(?P<hour>1\d|2[0-3]|[1-9]) (?P<minute>oh 5|0 5|0[05]|[1-5][05])(?: ?(?P<half>am|"
        r"pm))?\b(?! (?:of|days?|weeks?|minutes?|\w+ly)|[:/-])",
    )
)
"""Times that are told by their form, most telling first."""


def read_clock(match: re.Match[str]) -> Clock:
    """Return the time of one match of CLOCKS; raises NotUnderstood for 25:00."""
    said = match.groupdict()
    if name := said.get("name"):
        return Clock(0 if name == "midnight" else 12, open=False)
    hour, minute = _hour(said["hour"]), _minute(said)
    if said.get("till"):
        hour, minute = (hour - 1) % 24 or 12, 60 - minute
    return clock(hour, minute, said.get("half"))


def clock(hour: int, minute: int = 0, half: str | None = None) -> Clock:
    """Return a time from what was said; raises NotUnderstood when the clock has no such time."""
    if hour > 23 or minute > 59 or (half and hour > 12 and half == "am"):
        raise NotUnderstood(f"There is no time {hour}:{minute:02}. Which time did you mean?")
    if half and hour <= 12:
        return Clock(hour % 12 + (12 if half == "pm" else 0), minute, open=False)
    return Clock(hour, minute, open=1 <= hour <= 12)


def _hour(text: str) -> int:
    return 12 if text == "noon" else int(text)


def _minute(said: dict[str, str | None]) -> int:
    if "half_past" in said:
        return 30
    words = said.get("past") or said.get("till") or said.get("minute") or "0"
    return 15 if words == "quarter" else int(words.removeprefix("oh ").removeprefix("0 "))
