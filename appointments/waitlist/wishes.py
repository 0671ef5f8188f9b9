"""What patients wait for: joining the waitlist, changing a wish, leaving."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, time, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from appointments import rules
from appointments.models import (
    Appointment,
    Opening,
    ScheduleException,
    VisitType,
    WaitlistEntry,
    WaitlistOffer,
    WeeklyHours,
)
from appointments.refusals import Ended
from appointments.waitlist import offers
from appointments.waitlist.matching import Wish
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from patients.models import Account, Patient
from practice import services as practice
from practice.models import Location, Provider

MOST_WISHES = 5
"""Wishes that a patient may have open at once; each is for another kind of visit."""

DAY_NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")

State, Channel = WaitlistEntry.State, Appointment.Channel


def join(
    *,
    patient: Patient,
    visit_type: VisitType,
    channel: str,
    actor: Account | None = None,
    provider: Provider | None = None,
    location: Location | None = None,
    moving: Appointment | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    weekdays: Collection[int] = (),
    from_time: time | None = None,
    until_time: time | None = None,
    note: str = "",
) -> WaitlistEntry:
    """Put a patient on the waitlist for a kind of visit, or change the wish that they have for it.

    What is left out means any. With `moving`, only times before that visit are wished for. A changed
    wish keeps its place. Raises Invalid, ByPhone, NotForYou, Ended, TooLate, NotFound for another's visit.
    """
    first_day = max(first_day or clock.today(), clock.today())
    last_day = _last_day(last_day, moving)
    _check_when(visit_type, first_day, last_day, from_time, until_time)
    _check_what(patient, visit_type, provider, location)
    if moving:
        _check_moves(patient, visit_type, moving, by_staff=channel == Channel.STAFF)
    wish = {
        "provider": provider,
        "location": location,
        "moving": moving,
        "first_day": first_day,
        "last_day": last_day,
        "weekdays": _weekdays(weekdays),
        "from_time": from_time,
        "until_time": until_time,
        "channel": channel,
    }
    _check_somebody_is_there(visit_type, wish)
    if note or channel == Channel.STAFF:  # else what the desk wrote stays
        wish["note"] = note[:200]
    return _keep(patient, visit_type, wish)


def withdraw(*, entry: WaitlistEntry, channel: str, actor: Account | None = None) -> WaitlistEntry:
    """Take a wish off the waitlist; an open offer counts as declined. Twice is once. Raises Ended."""
    with transaction.atomic():
        standing = WaitlistEntry.objects.filter(pk=entry.pk, state=State.WAITING)
        if not standing.update(state=State.WITHDRAWN):
            entry.refresh_from_db(fields=["state"])
            if entry.state == State.BOOKED:
                raise Ended("That wish was fulfilled: the visit is booked.")
        for offer in WaitlistOffer.objects.filter(entry=entry, state=WaitlistOffer.State.OFFERED):
            offers.decline(offer=offer, channel=channel, actor=actor)
    entry.state = State.WITHDRAWN
    return entry


def entry_for(patient: Patient, entry_id: object) -> WaitlistEntry:
    """Return this patient's wish; NotFound, the same for one that does not exist and somebody else's."""
    try:
        wanted = UUID(str(entry_id))
    except ValueError as error:
        raise NotFound("We could not find that wish.") from error
    entry = WaitlistEntry.objects.for_patient(patient).with_details().filter(pk=wanted).first()
    if entry is None:
        raise NotFound("We could not find that wish.")
    return entry


def entries_for(patient: Patient) -> QuerySet[WaitlistEntry]:
    """Return what a patient waits for, the oldest wish first."""
    return WaitlistEntry.objects.for_patient(patient).waiting().with_details()


def words_of(entry: WaitlistEntry) -> str:
    """Return a wish in words: "Tuesdays or Thursdays, before 12:00 PM, with Dr. Li Chen"."""
    parts = (
        " or ".join(DAY_NAMES[day] for day in entry.weekdays),
        _hours(entry),
        _days(entry),
        f"with {entry.provider}" if entry.provider else "",
        f"at {entry.location}" if entry.location else "",
    )
    return ", ".join(part for part in parts if part) or "any time"


def visit_that_moves(entry: WaitlistEntry) -> Appointment | None:
    """Return the visit that a yes to an offer would move: the one named, or one of the kind booked since."""
    return read([entry])[0].moves


def read(entries: Sequence[WaitlistEntry]) -> list[Wish]:
    """Return wishes with what their patients have in the diary, in one query for all."""
    busy = Appointment.objects.occupying().filter(
        patient__in={entry.patient_id for entry in entries}, ends_at__gt=clock.now()
    )
    of_patient: dict[UUID | None, list[Appointment]] = {}
    for visit in busy.with_details().order_by("starts_at"):
        of_patient.setdefault(visit.patient_id, []).append(visit)
    lineages = _lineages(entry.moving_id for entry in entries)
    return [_read_one(entry, of_patient.get(entry.patient_id, []), lineages) for entry in entries]


def _lineages(named: Iterable[UUID | None]) -> dict[UUID, UUID]:
    """Return the lineages of the visits that wishes name: the visit may stand elsewhere by now."""
    wanted = {pk for pk in named if pk}
    return dict(Appointment.objects.filter(pk__in=wanted).values_list("pk", "lineage")) if wanted else {}


def _read_one(entry: WaitlistEntry, busy: list[Appointment], lineages: dict[UUID, UUID]) -> Wish:
    def is_meant(visit: Appointment) -> bool:
        if entry.moving_id:
            return visit.lineage == lineages[entry.moving_id]
        return visit.visit_type_id == entry.visit_type_id

    changeable = (visit for visit in busy if visit.state in rules.CHANGEABLE)
    moves = next(filter(is_meant, changeable), None)
    lineage = moves.lineage if moves else None
    return Wish(entry, moves, [visit for visit in busy if visit.lineage != lineage])


def open_to(opening: Opening) -> QuerySet[WaitlistEntry]:
    """Return the wishes that an opening might fulfil by provider, place and day.

    Left out is who was asked about it before, and who has just given it up.
    """
    day = opening.busy_until.astimezone(practice.zone()).date()
    asked_before = WaitlistOffer.objects.filter(opening=opening, entry=OuterRef("pk"))
    return (
        WaitlistEntry.objects.waiting()
        .filter(Q(provider=None) | Q(provider=opening.provider_id))
        .filter(Q(location=None) | Q(location=opening.location_id))
        .filter(Q(last_day=None) | Q(last_day__gte=day), first_day__lte=day)
        .filter(patient__is_active=True, visit_type__providers=opening.provider_id)
        .exclude(patient=opening.freed_by.patient_id)
        .exclude(Exists(asked_before))
        .with_details()
        .select_related("patient__guarantor")
    )


def _keep(patient: Patient, visit_type: VisitType, columns: dict[str, Any]) -> WaitlistEntry:
    try:
        with transaction.atomic():
            return _change(patient, visit_type, columns) or _add(patient, visit_type, columns)
    except IntegrityError:  # the same wish came twice at once: the other one is there now
        with transaction.atomic():
            return _change(patient, visit_type, columns) or _add(patient, visit_type, columns)


def _change(patient: Patient, visit_type: VisitType, columns: dict[str, Any]) -> WaitlistEntry | None:
    """Change the wish that stands; one whose last day was over is new and waits from now on."""
    standing = WaitlistEntry.objects.filter(patient=patient, visit_type=visit_type, state=State.WAITING)
    standing.filter(last_day__lt=clock.today()).update(created_at=clock.now())
    return standing.with_details().get() if standing.update(**columns) else None


def _add(patient: Patient, visit_type: VisitType, columns: dict[str, Any]) -> WaitlistEntry:
    if WaitlistEntry.objects.for_patient(patient).waiting().count() >= MOST_WISHES:
        raise Invalid(f"You wait for {MOST_WISHES} visits already. Please withdraw one of them first.")
    return WaitlistEntry.objects.create(patient=patient, visit_type=visit_type, **columns)


def _last_day(last_day: date | None, moving: Appointment | None) -> date | None:
    """Return until when the wish stands: for an earlier time, not beyond the visit itself."""
    visit = moving.starts_at.astimezone(practice.zone()).date() if moving else None
    return min(filter(None, (last_day, visit)), default=None)


def _weekdays(weekdays: Collection[int]) -> list[int]:
    chosen = sorted(set(weekdays))
    if not all(isinstance(day, int) and 0 <= day <= 6 for day in chosen):
        raise Invalid("That is not a day of the week.")
    return [] if len(chosen) == 7 else chosen


def _check_when(
    visit_type: VisitType,
    first_day: date,
    last_day: date | None,
    from_time: time | None,
    until_time: time | None,
) -> None:
    horizon = clock.today() + timedelta(days=visit_type.horizon_days)
    if last_day and last_day < clock.today():
        raise Invalid("The last day has passed.")
    if last_day and last_day < first_day:
        raise Invalid("The last day must not lie before the first.")
    if max(first_day, last_day or first_day) > horizon:
        raise Invalid(f"Our diary is open until {horizon:%B %-d}. Please choose days before that.")
    if from_time and until_time and until_time <= from_time:
        raise Invalid("The time of day must end after it begins.")


def _check_what(
    patient: Patient, visit_type: VisitType, provider: Provider | None, location: Location | None
) -> None:
    """See that the patient could say yes to an offer: by the rules for patients, whoever writes the wish."""
    rules.check_suits(visit_type, patient)
    if provider and not visit_type.providers.active().filter(pk=provider.pk).exists():
        raise Invalid(f"{provider} does not do this kind of visit.")
    if location and not location.is_active:
        raise Invalid(f"{location} is closed.")


def _check_somebody_is_there(visit_type: VisitType, wish: dict[str, Any]) -> None:
    """Raise Invalid where nobody who does this visit works at the wished times: none could come free."""
    narrowed = {name: wish[name] for name in ("provider", "location") if wish[name]}
    begins = {"starts_at__lt": wish["until_time"]} if wish["until_time"] else {}
    ends = {"ends_at__gt": wish["from_time"]} if wish["from_time"] else {}
    able = Q(provider__visit_types=visit_type, provider__is_active=True, **narrowed, **begins, **ends)
    days = Q(date__lte=wish["last_day"] or date.max) & (
        Q(date__gte=wish["first_day"]) | Q(last_date__gte=wish["first_day"])
    )
    weekly = WeeklyHours.objects.filter(able, weekday__in=_weekdays_within(wish))
    extra = ScheduleException.objects.filter(able, days, kind=ScheduleException.Kind.EXTRA)
    if not (weekly.exists() or extra.exists()):
        raise Invalid("We see no patients at such times. Please choose other days or times of day.")


def _weekdays_within(wish: dict[str, Any]) -> set[int]:
    """Return the wished weekdays that lie between the first and the last day."""
    first, last = wish["first_day"], wish["last_day"]
    span = 7 if last is None else min((last - first).days + 1, 7)
    coming = {(first + timedelta(days=number)).weekday() for number in range(span)}
    return coming & set(wish["weekdays"] or range(7))


def _check_moves(patient: Patient, visit_type: VisitType, moving: Appointment, *, by_staff: bool) -> None:
    if moving.patient_id != patient.pk:
        raise NotFound("We could not find that appointment.")
    if moving.visit_type_id != visit_type.pk:
        raise Invalid("That appointment is for another kind of visit.")
    rules.check_movable(moving, by_staff=by_staff)


def _hours(entry: WaitlistEntry) -> str:
    if entry.from_time and entry.until_time:
        return f"between {_clock(entry.from_time)} and {_clock(entry.until_time)}"
    if entry.from_time:
        return f"from {_clock(entry.from_time)} on"
    return f"before {_clock(entry.until_time)}" if entry.until_time else ""


def _days(entry: WaitlistEntry) -> str:
    first = entry.first_day if entry.first_day > clock.today() else None
    if first and first == entry.last_day:
        return f"on {first:%A, %B %-d}"
    begins = f"from {first:%B %-d}" if first else ""
    ends = f"until {entry.last_day:%B %-d}" if entry.last_day else ""
    return " ".join(part for part in (begins, ends) if part)


def _clock(moment: time) -> str:
    return f"{moment:%-I:%M %p}"
