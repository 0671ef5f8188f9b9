"""The demo's house: the practice, its places, people, visit types and hours."""

from collections.abc import Iterator
from datetime import date, time, timedelta

from appointments.models import (
    DiarySettings,
    ReminderRule,
    Resource,
    ResourceKind,
    ScheduleException,
    UrgentBlock,
    VisitType,
    WeeklyHours,
)
from eyecare import clock
from practice.models import Location, Notice, OpeningHours, Practice, Provider, Weekday

TIME_ZONE = "America/New_York"
WEEKDAYS = range(Weekday.MONDAY, Weekday.SATURDAY)
TUESDAY_AND_THURSDAY = (Weekday.TUESDAY, Weekday.THURSDAY)
MONDAY_WEDNESDAY_FRIDAY = (Weekday.MONDAY, Weekday.WEDNESDAY, Weekday.FRIDAY)


def build() -> None:
    """Write everything that does not depend on patients."""
    _practice()
    main_street, riverside = _locations()
    okafor, reyes, kowalski = _providers(main_street, riverside)
    _hours(okafor, main_street, WEEKDAYS, time(9), time(17))
    _hours(reyes, main_street, MONDAY_WEDNESDAY_FRIDAY, time(9), time(17))
    _hours(reyes, riverside, TUESDAY_AND_THURSDAY, time(10), time(18))
    _hours(kowalski, main_street, WEEKDAYS, time(9), time(17), lunch=None)
    _visit_types([okafor, reyes], kowalski)
    _visual_fields([okafor, reyes], main_street)
    _urgent_time(okafor, main_street, WEEKDAYS, time(11, 30), time(12, 30))
    _urgent_time(reyes, main_street, MONDAY_WEDNESDAY_FRIDAY, time(16), time(17))
    DiarySettings.objects.create()
    ReminderRule.objects.create(lead=7, unit="days", at_time=time(10), channels="email,sms")
    ReminderRule.objects.create(lead=48)
    for day, name in holidays(clock.today().year):
        ScheduleException.objects.create(kind=ScheduleException.Kind.CLOSED, date=day, reason=name)


def holidays(first_year: int) -> Iterator[tuple[date, str]]:
    """Yield the days on which the demo practice is closed, this year and the next."""
    for year in (first_year, first_year + 1):
        yield date(year, 1, 1), "New Year's Day"
        yield date(year, 7, 4), "Independence Day"
        yield _fourth_thursday_of_november(year), "Thanksgiving"
        yield date(year, 12, 25), "Christmas"


def _fourth_thursday_of_november(year: int) -> date:
    first = date(year, 11, 1)
    return first + timedelta(days=(Weekday.THURSDAY - first.weekday()) % 7 + 21)


def _practice() -> None:
    Practice.objects.create(
        name="Harbor Eye Care",
        phone="+12125550100",
        email="frontdesk@harbor.example",
        emergency_phone="+12125550199",
        time_zone=TIME_ZONE,
    )
    Notice.objects.create(
        title="New at Riverside: retinal photographs",
        body="Both offices now take photographs of the retina. Ask about them at your next exam.",
        starts_at=clock.now() - timedelta(days=3),
        ends_at=clock.now() + timedelta(days=60),
    )


def _locations() -> tuple[Location, Location]:
    main_street = Location.objects.create(
        name="Main Street",
        address="12 Main Street, Springfield",
        phone="+12125550101",
        directions="Next to the library; free parking behind the building.",
    )
    riverside = Location.objects.create(
        name="Riverside",
        address="80 Harbor Road, Springfield",
        phone="+12125550102",
        directions="In the Riverside Plaza, ground floor; the garage is free for two hours.",
    )
    for weekday in WEEKDAYS:
        OpeningHours.objects.create(
            location=main_street, weekday=weekday, opens_at=time(9), closes_at=time(17)
        )
    for weekday in TUESDAY_AND_THURSDAY:
        OpeningHours.objects.create(
            location=riverside, weekday=weekday, opens_at=time(10), closes_at=time(18)
        )
    return main_street, riverside


def _providers(main_street: Location, riverside: Location) -> tuple[Provider, Provider, Provider]:
    okafor = Provider.objects.create(first_name="Maya", last_name="Okafor", credentials="OD")
    reyes = Provider.objects.create(first_name="Samuel", last_name="Reyes", credentials="MD")
    kowalski = Provider.objects.create(first_name="Ines", last_name="Kowalski", credentials="ABOC")
    okafor.locations.set([main_street])
    reyes.locations.set([main_street, riverside])
    kowalski.locations.set([main_street])
    return okafor, reyes, kowalski


def _hours(
    provider: Provider,
    location: Location,
    weekdays: object,
    starts_at: time,
    ends_at: time,
    lunch: tuple[time, time] | None = (time(12, 30), time(13, 30)),
) -> None:
    spans = [(starts_at, lunch[0]), (lunch[1], ends_at)] if lunch else [(starts_at, ends_at)]
    WeeklyHours.objects.bulk_create(
        WeeklyHours(provider=provider, location=location, weekday=weekday, starts_at=start, ends_at=end)
        for weekday in weekdays  # type: ignore[attr-defined]
        for start, end in spans
    )


DROPS = "The doctor may use drops that blur your near sight for 4 to 6 hours. Bring sunglasses and somebody to take you home."
LENSES_IN = "Come with your lenses in and bring the boxes."


def _visit_types(doctors: list[Provider], optician: Provider) -> None:
    rows = [
        (VisitType(
            name="Comprehensive eye exam", slug="exam", minutes=30, buffer_after_minutes=5, may_dilate=True,
            preparation=DROPS, description="A full check of your sight and the health of your eyes.",
            also_called=["eye exam", "exam", "checkup", "check-up", "eyes checked", "eye test", "annual", "yearly",
                         "routine", "new glasses", "vision test", "examen de la vista", "examen"],
        ), doctors),
        (VisitType(
            name="Contact lens fitting", slug="contact-lens-fitting", minutes=40, preparation=LENSES_IN,
            description="First lenses, or lenses of a new kind.",
            also_called=["contact fitting", "contacts fitting", "lens fitting", "get contacts", "try contacts",
                         "new contacts", "fitted for contacts", "contacts", "lentes de contacto"],
        ), doctors),
        (VisitType(
            name="Contact lens check", slug="contact-lens-check", minutes=15, preparation=LENSES_IN,
            description="A look at how your lenses sit, after a fitting.",
            also_called=["contact lens follow-up", "contacts check", "lens check", "contact follow up"],
        ), doctors),
        (VisitType(
            name="Children's eye exam", slug="childrens-exam", minutes=30, buffer_after_minutes=5, may_dilate=True,
            preparation=DROPS, description="For patients from three years of age.",
            also_called=["kids exam", "kid's exam", "child's exam", "my son", "my daughter", "my kid", "for my child",
                         "pediatric", "school exam"],
        ), doctors),
        (VisitType(
            name="Diabetic eye exam", slug="diabetic-exam", minutes=40, buffer_after_minutes=5, may_dilate=True,
            preparation=DROPS, description="The yearly look at the back of the eye that diabetes asks for.",
            also_called=["diabetes exam", "diabetic exam", "diabetes check", "diabetic checkup"],
        ), doctors),
        (VisitType(
            name="Follow-up visit", slug="follow-up", minutes=20, minimum_notice_hours=2,
            description="When the doctor asked you to come back.",
            also_called=["follow up", "followup", "pressure check", "recheck", "check-in visit"],
        ), doctors),
        (VisitType(
            name="Glasses adjustment", slug="glasses-adjustment", minutes=15, minimum_notice_hours=1,
            description="Frames that slip, pinch or sit askew.",
            also_called=["adjustment", "adjust my glasses", "fix my glasses", "loose frames", "tighten", "repair",
                         "frames fixed", "glasses fixed"],
        ), [optician]),
        (VisitType(
            name="Urgent visit", slug="urgent-visit", minutes=20, is_online=False, is_urgent=True, may_dilate=True,
            preparation=DROPS, description="For what must be looked at today; the front desk arranges it.",
            also_called=["urgent appointment", "emergency visit", "emergency appointment"],
        ), doctors),
    ]  # fmt: skip
    for visit_type, providers in rows:
        visit_type.save()
        visit_type.providers.set(providers)


def _visual_fields(doctors: list[Provider], place: Location) -> None:
    """Offer a test for which the practice has one machine."""
    machine = ResourceKind.objects.create(name="Visual field machine")
    Resource.objects.create(kind=machine, location=place, name="Visual field machine")
    test = VisitType.objects.create(
        name="Visual field test",
        slug="visual-field-test",
        minutes=30,
        intended_for=VisitType.For.KNOWN,
        description="A test of what you see at the sides, when the doctor asked for it.",
        also_called=["visual field", "field test", "peripheral vision test", "side vision test"],
    )
    test.providers.set(doctors)
    test.needs.set([machine])


def _urgent_time(
    provider: Provider, location: Location, weekdays: object, starts_at: time, ends_at: time
) -> None:
    UrgentBlock.objects.bulk_create(
        UrgentBlock(
            provider=provider, location=location, weekday=weekday, starts_at=starts_at, ends_at=ends_at
        )
        for weekday in weekdays  # type: ignore[attr-defined]
    )
