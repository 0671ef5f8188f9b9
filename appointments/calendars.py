"""Visits for the patient's own calendar: one as a file, all of them under a link that stays right.

Calendars are read by others on shared screens: they learn when and where, never whose visit or what
for. Times stand in UTC, so no calendar has to know the practice's time zone or when clocks change.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Max
from django.urls import reverse
from icalendar import Calendar, Event, vDuration, vText

from appointments.models import Appointment, AppointmentEvent, CalendarLink
from appointments.models.appointment import AppointmentQuerySet
from appointments.models.calendars import new_token
from eyecare import clock
from eyecare.errors import NotFound
from patients.models import Patient
from practice import services as practice
from practice.models import Practice

MEDIA_TYPE = "text/calendar; charset=utf-8"

LOOKS_BACK = timedelta(days=90)

LOOK_AGAIN = timedelta(hours=2)
"""How often calendar programs are asked to come for changes; many come less often all the same."""

MOST_VISITS = 500
"""A feed stays a page, however often somebody books and cancels."""

State = Appointment.State


@dataclass(frozen=True)
class Feed:
    """A patient's visits as an iCalendar stream (RFC 5545, RFC 7986)."""

    body: bytes

    @property
    def etag(self) -> str:
        """Return the quoted tag of exactly these bytes: whatever changes in them changes it."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


def file_of(appointment: Appointment) -> bytes:
    """Return one visit as it now stands, to be given behind the log-in: what to prepare is in it.

    A file from before a move and one from after it name the same visit, so a calendar replaces it.
    """
    standing = _standing(appointment.patient).get(lineage=appointment.lineage)
    preparation = standing.visit_type.preparation
    return _stream(_calendar(), _events([standing], appointment.patient, practice.current(), preparation))


def feed(token: str) -> Feed:
    """Return the visits of whose link this is: 90 days back and all to come, cancelled ones too.

    Raises NotFound: one answer for a link that never was, was replaced, or is of a closed record.
    """
    patient, house = _owner(token), practice.current()
    since = clock.now() - LOOKS_BACK
    visits = _standing(patient).filter(starts_at__gte=since).order_by("-starts_at", "pk")[:MOST_VISITS]
    return Feed(_stream(_subscribed(house), _events(visits, patient, house)))


def link_of(patient: Patient) -> CalendarLink:
    """Return the patient's link, which is made at the first call."""
    return CalendarLink.objects.get_or_create(patient=patient)[0]


def renew(patient: Patient) -> CalendarLink:
    """Give the patient a new link; the one from before leads nowhere."""
    fresh = {"token": new_token(), "created_at": clock.now()}
    return CalendarLink.objects.update_or_create(patient=patient, defaults=fresh)[0]


_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def _owner(token: str) -> Patient:
    links = CalendarLink.objects.select_related("patient").filter(patient__is_active=True)
    link = links.filter(token=token).first() if _TOKEN.fullmatch(token) else None
    if link is None:
        raise NotFound("We could not find that calendar.")
    return link.patient


def _standing(patient: Patient) -> AppointmentQuerySet:
    """Return the patient's visits as they now stand: of one that moved, what it moved to."""
    return Appointment.objects.visits().for_patient(patient).exclude(state=State.MOVED).with_details()


def _calendar() -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", "-//Eyecare//Visits//EN")
    calendar.add("version", "2.0")
    return calendar


def _subscribed(house: Practice) -> Calendar:
    """Return a calendar that says its name and when to look again; older programs read the X- lines."""
    calendar = _calendar()
    for name in ("name", "x-wr-calname"):
        calendar.add(name, vText(_plain(house.name)))
    calendar.add("x-wr-timezone", vText(house.time_zone))
    calendar.add("refresh-interval", vDuration(LOOK_AGAIN), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(LOOK_AGAIN))
    return calendar


def _stream(calendar: Calendar, events: Iterable[Event]) -> bytes:
    for event in events:
        calendar.add_component(event)
    return calendar.to_ical()


def _events(
    visits: Iterable[Appointment], patient: Patient, house: Practice, preparation: str = ""
) -> Iterator[Event]:
    visits = list(visits)
    moves, changed = _moves(patient), _changed(visits)
    words = _WORDS.get(patient.language, _WORDS[Patient.Language.ENGLISH])
    for visit in visits:
        event = _event(visit, house, words, preparation)
        event.add("sequence", moves[visit.lineage] + (visit.state == State.CANCELLED))
        event.add("dtstamp", changed.get(visit.pk, visit.created_at))
        yield event


def _event(visit: Appointment, house: Practice, words: "_Words", preparation: str) -> Event:
    url = settings.SITE_URL + reverse("appointments:detail", args=[visit.pk])
    advice = words.advice.format(provider=visit.provider, url=url, phone=house.phone.as_national)
    event = Event()
    event.add("uid", str(visit.lineage))
    event.add("dtstart", visit.starts_at.astimezone(UTC))
    event.add("dtend", visit.ends_at.astimezone(UTC))
    event.add("status", "CANCELLED" if visit.state == State.CANCELLED else "CONFIRMED")
    event.add("class", "PRIVATE")
    event.add("summary", _plain(words.summary.format(practice=house.name)))
    event.add("location", _plain(f"{visit.location.name}, {visit.location.address}"))
    event.add("description", _plain(f"{advice}\n\n{preparation}".strip()))
    event.add("url", url)
    return event


@dataclass(frozen=True)
class _Words:
    summary: str
    advice: str


_WORDS: dict[str, _Words] = {
    Patient.Language.ENGLISH: _Words(
        "Visit at {practice}", "With {provider}. To change it: {url} or call {phone}."
    ),
    Patient.Language.SPANISH: _Words(
        "Cita en {practice}", "Con {provider}. Para cambiarla: {url} o llame al {phone}."
    ),
}


def _moves(patient: Patient) -> Counter[UUID]:
    """Count how often each visit moved: a calendar takes a change only with a higher number."""
    moved = Appointment.objects.for_patient(patient).filter(state=State.MOVED)
    return Counter(moved.values_list("lineage", flat=True))


def _changed(visits: Sequence[Appointment]) -> dict[UUID, datetime]:
    """Return when each visit last changed; not now, or a feed would never be the same twice."""
    events = AppointmentEvent.objects.filter(appointment__in=visits).order_by()
    return dict(events.values_list("appointment").annotate(Max("at")))


def _plain(text: str) -> str:
    """Leave out what no calendar may carry; commas, semicolons and line breaks are escaped later."""
    return "".join(sign for sign in text if sign == "\n" or unicodedata.category(sign) != "Cc")
