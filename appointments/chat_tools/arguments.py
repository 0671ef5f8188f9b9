"""How the assistant reads kinds of visits, people, offices and a patient's own visits."""

import re
from collections.abc import Sequence

from django.db.models import QuerySet

from appointments import names, rules, services
from appointments.chat_tools import wording
from appointments.chat_tools.told import patient_of, standing, visit_type_of
from appointments.chat_tools.wishes import wish_in
from appointments.models import Appointment, VisitType
from appointments.refusals import ByPhone, NotBookable
from chatbot.tools import Argument, Misunderstood, Options, Question, Situation
from chatbot.when.words import bare
from eyecare.errors import NotFound, Refusal
from patients.models import Patient
from practice.models import Location, Provider

_ANY = re.compile(
    r"\b(any|anyone|anybody|anywhere|whoever|whichever|wherever|either|no preference|first available|"
    r"(doesnt|does not|dont|do not) (matter|care|mind)|cualquiera)\b"
)
_AS_BEFORE = re.compile(r"\b(same|usual|regular|last time|always see|my (doctor|dr|od|optometrist))\b")
MOST_UPCOMING = 6
"""As many of a patient's visits are offered to choose from."""


class VisitTypeArgument(Argument[VisitType]):
    """A kind of visit that patients may book, by its name or by what they call it."""

    name = "visit_type"
    description = "the words that say what kind of visit"

    def ask(self, situation: Situation) -> Question:
        return Question(
            "What kind of visit do you need?", [self.choice(known) for known in _suitable(situation)]
        )

    def read(self, text: str, situation: Situation) -> VisitType | Options:
        meant = names.visit_types(text, VisitType.objects.all())
        suitable = _suitable(situation)
        fits = [visit_type for visit_type in meant if visit_type in suitable]
        if len(fits) == 1:
            return fits[0]
        if meant and not fits:
            raise _why_not(meant[0], situation)
        if fits or not names.telling(text):
            choices = [self.choice(known) for known in fits or suitable]
            return Options("What kind of visit do you need?", choices)
        raise Misunderstood("I am not sure which visit that is. Which of these fits best?")

    def default(self, situation: Situation) -> VisitType | None:
        known = _suitable(situation)
        return known[0] if len(known) == 1 else None

    def dump(self, value: VisitType) -> str:
        return value.slug

    def load(self, key: str, situation: Situation) -> VisitType:
        found = VisitType.objects.filter(is_online=True, slug=key).first()
        return standing(found, "That visit cannot be booked online any more.")


class ProviderArgument(Argument[Provider | None]):
    """Somebody whom patients see; None is anybody."""

    name = "provider"
    description = "the words that say with whom"

    def ask(self, situation: Situation) -> Question:
        return Question(
            "Whom would you like to see?", [self.choice(known) for known in _providers(situation)]
        )

    def read(self, text: str, situation: Situation) -> Provider | Options | None:
        said = bare(text)
        if (before := _seen_last(situation.patient)) and _AS_BEFORE.search(said):
            return before
        named = names.named(text, Provider.objects.active(), _provider_names)
        if not named and _ANY.search(said.replace("'", "")):
            return None
        able = [known for known in named if known in _providers(situation)]
        if len(able) == 1:
            return able[0]
        if able:
            return Options("Whom do you mean?", [self.choice(known) for known in able])
        if named:
            raise Misunderstood(f"{named[0]} does not do this visit. Whom would you like to see?")
        raise Misunderstood("I do not know that name. Whom would you like to see?")

    def dump(self, value: Provider | None) -> str:
        return str(value.pk) if value else ""

    def load(self, key: str, situation: Situation) -> Provider | None:
        if not key:
            return None
        found = Provider.objects.active().filter(pk=key).first()
        return standing(found, "That provider sees no patients here any more.")

    def label(self, value: Provider | None) -> str:
        return value.name if value else "Anyone"


class LocationArgument(Argument[Location | None]):
    """One of the practice's offices; None is any of them."""

    name = "location"
    description = "the words that say at which office"

    def ask(self, situation: Situation) -> Question:
        return Question("Which office suits you?", [self.choice(known) for known in _locations()])

    def read(self, text: str, situation: Situation) -> Location | Options | None:
        named = names.named(text, _locations(), _location_names)
        if not named and _ANY.search(bare(text).replace("'", "")):
            return None
        if len(named) == 1:
            return named[0]
        if named:
            return Options("Which office do you mean?", [self.choice(known) for known in named])
        raise Misunderstood("I do not know that office. Which of ours suits you?")

    def dump(self, value: Location | None) -> str:
        return str(value.pk) if value else ""

    def load(self, key: str, situation: Situation) -> Location | None:
        return standing(_locations().filter(pk=key).first(), "That office is closed.") if key else None

    def label(self, value: Location | None) -> str:
        return value.name if value else "Any office"


class AppointmentArgument(Argument[Appointment]):
    """One of the patient's own visits to come."""

    name = "appointment"
    description = "the words that say which appointment"

    def ask(self, situation: Situation) -> Question:
        return Question("Which appointment do you mean?", [self.choice(row) for row in _upcoming(situation)])

    def read(self, text: str, situation: Situation) -> Appointment | Options:
        meant = _meant(text, _upcoming(situation), situation)
        if not meant:
            raise Misunderstood("I see no such visit. Which of these do you mean?")
        if len(meant) == 1:
            return self.checked(meant[0])
        return Options("Which one do you mean?", [self.choice(row) for row in meant])

    def default(self, situation: Situation) -> Appointment | None:
        upcoming = _upcoming(situation)
        return self.checked(upcoming[0]) if len(upcoming) == 1 else None

    def dump(self, value: Appointment) -> str:
        return str(value.pk)

    def load(self, key: str, situation: Situation) -> Appointment:
        return self.checked(services.get_for(patient_of(situation), key))

    def label(self, value: Appointment) -> str:
        return wording.choice(services.slot_of(value))

    def checked(self, appointment: Appointment) -> Appointment:
        """Return the visit; raises the Refusal that says why it cannot be the one."""
        rules.check_changeable(appointment)
        return appointment


class MovableArgument(AppointmentArgument):
    """A visit that the patient may still move."""

    def checked(self, appointment: Appointment) -> Appointment:
        rules.check_movable(appointment)
        return appointment


class CancellableArgument(AppointmentArgument):
    """A visit that the patient may still cancel."""

    def checked(self, appointment: Appointment) -> Appointment:
        rules.check_cancellable(appointment)
        return appointment


# What there is to choose from.


def _suitable(situation: Situation) -> list[VisitType]:
    """Return the kinds of visit that this patient may book."""
    listed = list(VisitType.objects.filter(is_online=True))
    known = _is_known(situation, listed)
    return [visit_type for visit_type in listed if rules.why_not_for(visit_type, known=known) is None]


def _is_known(situation: Situation, among: Sequence[VisitType]) -> bool:
    asks = any(visit_type.intended_for != VisitType.For.ANYONE for visit_type in among)
    return asks and situation.patient is not None and rules.is_known(situation.patient)


def _why_not(visit_type: VisitType, situation: Situation) -> Refusal:
    """Return why this patient cannot book this kind of visit here."""
    if not visit_type.is_online:
        return ByPhone(f"{visit_type}: we arrange that by phone. Please call {rules.phone_words()}.")
    refusal = rules.why_not_for(visit_type, known=_is_known(situation, [visit_type]))
    return refusal or NotBookable(f"{visit_type} cannot be booked online.")


def _providers(situation: Situation) -> list[Provider]:
    visit_type = visit_type_of(situation)
    active = Provider.objects.active()
    return list(active.filter(visit_types=visit_type) if visit_type else active)


def _locations() -> QuerySet[Location]:
    return Location.objects.filter(is_active=True)


def _upcoming(situation: Situation) -> list[Appointment]:
    rows = Appointment.objects.for_patient(patient_of(situation)).upcoming().with_details()
    found = list(rows[:MOST_UPCOMING])
    if not found:
        raise NotFound("You have no visit coming up.")
    return found


def _seen_last(patient: Patient | None) -> Provider | None:
    """Return whom the patient was last booked with."""
    rows = Appointment.objects.visits().filter(patient=patient, provider__is_active=True)
    last = rows.select_related("provider").order_by("-starts_at").first()
    return last.provider if last else None


def _meant(text: str, upcoming: Sequence[Appointment], situation: Situation) -> list[Appointment]:
    """Return those that everything in the words fits: the kind of visit, the person, the day and time."""
    visit_types = names.visit_types(text, VisitType.objects.all())
    providers = names.named(text, Provider.objects.active(), _provider_names)
    wish = wish_in(text, situation)
    if wish and wish.soonest and not wish.days:
        return list(upcoming[:1])
    return [
        row
        for row in upcoming
        if (not visit_types or row.visit_type in visit_types)
        and (not providers or row.provider in providers)
        and (wish is None or wish.matches(row.starts_at))
    ]


def _provider_names(provider: Provider) -> list[str]:
    return [provider.last_name, provider.first_name]


def _location_names(location: Location) -> list[str]:
    return [location.name, *sorted(names.telling(f"{location.name} {location.address}"))]
