"""What the front desk and the patients decide about recalls."""

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

from django.db import transaction

from appointments.models import Recall, RecallRule
from appointments.recalls.deriving import State, derive, lock
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from patients.models import Patient

LATER_DAYS = 30
LONGEST_SNOOZE = timedelta(days=5 * 366)


def later() -> date:
    """Return until when a patient is left in peace who says "later"."""
    return clock.today() + timedelta(days=LATER_DAYS)


def get_for(patient: Patient, recall_id: object) -> Recall:
    """Return this patient's recall with its rule; NotFound for one that is missing or somebody else's."""
    return get_among([patient], recall_id)


def get_among(people: Collection[Patient], recall_id: object) -> Recall:
    """Return the recall of one of these people, or NotFound."""
    number = str(recall_id)
    is_number = number.isascii() and number.isdecimal() and len(number) < 19  # as far as an id goes
    theirs = Recall.objects.with_details().filter(patient__in=people)
    found = theirs.filter(pk=int(number)).first() if is_number else None
    if found is None:
        raise NotFound("We could not find that.")
    return found


@transaction.atomic
def put_on(
    *,
    patient: Patient,
    rule: RecallRule,
    last_seen_on: date | None = None,
    months: int | None = None,
    note: str = "",
) -> Recall:
    """Have a patient recalled under a rule, whomever the rule is for; once more after they were taken off.

    `last_seen_on` is for a visit that is not in this diary, `months` the patient's own interval. With
    no visit known the recall is due at once.
    """
    _check(last_seen_on, months)
    terms = {"last_seen_on": last_seen_on, "months": months, "note": note}
    recall, is_new = Recall.objects.get_or_create(patient=patient, rule=rule, defaults=terms)
    given = {} if is_new else {name: value for name, value in terms.items() if value}
    fresh = {"is_put_on": True, "state": State.WAITING, "attempts": 0}
    return _change(recall, **fresh, **given)


def change(*, recall: Recall, last_seen_on: date | None, months: int | None, note: str) -> Recall:
    """Change what the practice knows of one recall; when it is due follows from it."""
    _check(last_seen_on, months)
    return _change(recall, last_seen_on=last_seen_on, months=months, note=note)


def put_back(*, recall: Recall) -> Recall:
    """Let a recall that was declined, taken off or exhausted begin anew."""
    return _change(recall, state=State.WAITING, attempts=0, snoozed_until=None)


def take_off(*, recall: Recall) -> Recall:
    """Leave a patient out, whatever the rule says, until they are put on again."""
    return _change(recall, state=State.OFF)


def decline(*, recall: Recall) -> Recall:
    """Note that the patient does not want this recall; later visits do not change that."""
    return _change(recall, state=State.DECLINED)


@transaction.atomic
def snooze(*, recall: Recall, until: date) -> Recall:
    """Ask no sooner than on that day; who was asked often enough may be asked once more then."""
    if not clock.today() < until <= clock.today() + LONGEST_SNOOZE:
        raise Invalid("Please give a day after today, within five years.")
    now = _as_it_is(recall)
    if now.state not in Recall.STANDING:
        raise Invalid(f"{recall.patient}: the recall is marked: {now.get_state_display()}.")
    return _change(recall, snoozed_until=until, attempts=min(now.attempts, now.rule.most_attempts - 1))


@transaction.atomic
def decline_all(*, patient: Patient) -> list[Recall]:
    """Ask a patient for nothing more: a text does not say what it is about, so a no is to all of it."""
    return [decline(recall=recall) for recall in _standing(patient)]


@transaction.atomic
def put_off(*, patient: Patient) -> date:
    """Leave a patient in peace for a while, whatever they are due for; return until when."""
    until = later()
    for recall in _standing(patient):
        snooze(recall=recall, until=until)
    return until


def _standing(patient: Patient) -> list[Recall]:
    standing = Recall.objects.for_patient(patient).standing()
    return list(standing.select_related("rule", "patient").order_by("pk"))


@transaction.atomic
def _change(recall: Recall, **columns: Any) -> Recall:
    """Write columns and what follows from them; return the recall as it stands then."""
    now = _as_it_is(recall)
    for name, value in columns.items():
        setattr(now, name, value)
    now.save(update_fields=list(columns))
    derive(now.rule, [now.patient_id])
    recall.refresh_from_db()
    return recall


def _as_it_is(recall: Recall) -> Recall:
    """Return the row as it is now, and not when the page was shown, kept from others."""
    return next(one for one in lock([recall.patient_id]) if one.pk == recall.pk)


def _check(last_seen_on: date | None, months: int | None) -> None:
    if last_seen_on and last_seen_on > clock.today():
        raise Invalid("The last visit cannot lie in the future.")
    if months is not None and not 1 <= months <= 240:
        raise Invalid("An interval is 1 to 240 months.")
