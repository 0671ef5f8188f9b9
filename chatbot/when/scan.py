"""The text on its way to a wish: phrases are replaced by tokens, whose meanings are kept beside it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TypeVar

from chatbot.when.hours import Clock
from chatbot.when.wish import Days, Hours

Mention = TypeVar("Mention")


class Unlikely(Exception):
    """The words have another meaning that is likelier: "may I come in"."""


@dataclass(frozen=True)
class Named:
    """Weekdays by name; `every` for "mondays" and "a monday", which fix no date."""

    weekdays: tuple[int, ...]
    every: bool = False


@dataclass
class Scan:
    """Days become D0, D1 …, weekdays W…, times T…, parts of the day P…: no small letter is left in them.

    What a relation has settled ("after T0", "not W0") goes into the lists and out of the text.
    """

    text: str
    now: datetime
    visit: datetime | None = None
    """The visit spoken of, in the same zone as `now`."""

    days: dict[str, Days] = field(default_factory=dict)
    named: dict[str, Named] = field(default_factory=dict)
    clocks: dict[str, Clock] = field(default_factory=dict)
    parts: dict[str, Hours] = field(default_factory=dict)
    windows: list[Hours] = field(default_factory=list)
    refused_weekdays: set[int] = field(default_factory=set)
    refused_days: list[Days] = field(default_factory=list)
    refused_hours: list[Hours] = field(default_factory=list)
    around: time | None = None
    soonest: bool = False

    @property
    def today(self) -> date:
        return self.now.date()

    def replace(self, pattern: str | re.Pattern[str], reader: Callable[[re.Match[str]], str]) -> None:
        """Put what the reader returns in the place of each match, unless it finds the match Unlikely."""

        def guarded(match: re.Match[str]) -> str:
            try:
                return f" {reader(match)} "
            except Unlikely:
                return match.group()

        self.text = " ".join(re.sub(pattern, guarded, self.text).split())

    def day(self, days: Days) -> str:
        return self._token("D", self.days, days)

    def weekdays(self, named: Named) -> str:
        return self._token("W", self.named, named)

    def clock(self, said: Clock) -> str:
        return self._token("T", self.clocks, said)

    def part(self, hours: Hours) -> str:
        return self._token("P", self.parts, hours)

    def moment(self, moment: datetime, word: str = "at") -> str:
        """Return the tokens of one exact moment."""
        return f"{self.day(Days(moment.date(), moment.date()))} {word} {self.clock(exactly(moment.time()))}"

    def left(self, kept: dict[str, Mention]) -> list[Mention]:
        """Return the mentions whose tokens are still in the text, in their order."""
        return [kept[token] for token in re.findall(r"[DWTP]\d+", self.text) if token in kept]

    def _token(self, kind: str, kept: dict[str, Mention], mention: Mention) -> str:
        name = f"{kind}{len(kept)}"
        kept[name] = mention
        return name


def exactly(moment: time) -> Clock:
    return Clock(moment.hour, moment.minute, open=False)


def next_minute(moment: time) -> time:
    """Return the next minute, within the day."""
    later = datetime.combine(date.min, moment) + timedelta(minutes=1)
    return later.time() if later.date() == date.min else time.max
