"""Asks patients to come again: a few a day, spaced, never somebody who has a visit to come."""

import logging

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse

from appointments.models import Recall, RecallAttempt, RecallRule, ScheduleException
from appointments.models.recall import this_morning
from appointments.recalls.deriving import asked_on, is_to_be_asked, lock, settle
from eyecare import clock
from eyecare.errors import Refusal
from messaging import checks
from messaging import services as messaging
from messaging.models import Message
from patients.models import Patient
from practice.models import OpeningHours

logger = logging.getLogger(__name__)

FIRST, AGAIN = "recall_due", "recall_again"
KINDS = (FIRST, AGAIN)


class NotAsked(Refusal):
    """This patient is not to be asked now; the sentence is for the front desk."""

    code = "not_asked"


def ask_due(limit: int = 50) -> int:
    """Ask those whose day has come, up to `limit` under each rule, and return how many were.

    Nobody is asked on a day on which no office opens: who calls back should find somebody there.
    """
    if not _is_open_today():
        return 0
    rules = RecallRule.objects.filter(is_active=True)
    due = [recall_id for rule in rules for recall_id in _due(rule)[: _room(rule, limit)]]
    return sum(_ask_in_turn(recall_id) for recall_id in due)


@transaction.atomic
def ask(*, recall: Recall) -> RecallAttempt:
    """Ask a patient now, at the front desk's wish, whatever the pause or the snooze; raises NotAsked."""
    theirs = lock([recall.patient_id])
    now = next(one for one in theirs if one.pk == recall.pk)
    if problem := objection(now):
        raise NotAsked(f"{now.patient}: {problem}.")
    if asked_on([recall.patient_id]).get(recall.patient_id) == clock.today():
        raise NotAsked(f"{now.patient} was asked today.")
    now.snoozed_until = None
    now.save(update_fields=["snoozed_until"])
    _count(Recall.objects.filter(pk=recall.pk))
    return _attempt(now, theirs)


def objection(recall: Recall) -> str:
    """Return why a patient must not be asked at all, or ""."""
    if recall.state not in Recall.STANDING:
        return f"the recall is marked: {recall.get_state_display()}"
    if not recall.rule.is_active:
        return "the rule is switched off"
    if not recall.patient.is_active:
        return "the patient's record is closed"
    if recall.due_on is None:
        return "the rule does not apply to them"
    coming = Recall.objects.filter(pk=recall.pk).with_a_visit_to_come()
    return "a visit is booked" if coming.exists() else ""


def check(message: Message) -> str:
    """Look again just before a message leaves: booked, seen or put off meanwhile?"""
    recall = Recall.objects.with_details().filter(history__message=message).first()
    if recall is None:
        return "the recall is gone"
    if problem := objection(recall):
        return problem
    if recall.snoozed_until and recall.snoozed_until > clock.today():
        return "the patient is to be asked later"
    attempt = RecallAttempt.objects.get(message=message)
    has_moved = attempt.due_on != recall.due_on and not is_to_be_asked(recall)
    return "it is not due any more" if has_moved else ""


def register_checks() -> None:
    for kind in KINDS:
        checks.register(kind, check)


def _is_open_today() -> bool:
    """Say whether some office opens today; without opening hours on record, from Monday to Friday."""
    today = clock.today()
    closed = ScheduleException.objects.filter(
        Q(date=today) | Q(date__lte=today, last_date__gte=today),
        kind=ScheduleException.Kind.CLOSED,
        provider=None,
        location=None,
        starts_at=None,
    )
    if closed.exists():
        return False
    weekdays = set(OpeningHours.objects.order_by().values_list("weekday", flat=True).distinct())
    return today.weekday() in (weekdays or range(5))


def _due(rule: RecallRule) -> QuerySet[Recall, int]:
    """Return whose turn it is, the latest first.

    A practice that begins has years of people who never came again; before them come those whom a
    text still reaches in time.
    """
    newest_first = Recall.objects.live().due().filter(rule=rule).order_by("-next_attempt_on", "pk")
    return newest_first.values_list("pk", flat=True)


def _room(rule: RecallRule, limit: int) -> int:
    today = RecallAttempt.objects.filter(recall__rule=rule, at__gte=this_morning())
    return max(0, min(limit, rule.most_a_day - today.count()))


def _ask_in_turn(recall_id: int) -> bool:
    """Ask one patient; one who cannot be asked must not keep the others back."""
    try:
        return _claim(recall_id)
    except Exception:
        logger.exception("Recall %s could not be asked; it stays for the next sweep.", recall_id)
        return False


@transaction.atomic
def _claim(recall_id: int) -> bool:
    """Ask under one recall, unless another worker, or another recall of the patient, was first."""
    patient_id = Recall.objects.values_list("patient_id", flat=True).get(pk=recall_id)
    theirs = lock([patient_id])
    recall = next(one for one in theirs if one.pk == recall_id)
    if objection(recall) or not _count(Recall.objects.due().filter(pk=recall_id)):
        return False
    _attempt(recall, theirs)
    return True


def _count(recall: QuerySet[Recall]) -> bool:
    """Count one attempt more; False where the recall does not wait for it any more."""
    return bool(recall.update(attempts=F("attempts") + 1))


def _attempt(recall: Recall, theirs: list[Recall]) -> RecallAttempt:
    """Write the attempt and its message; whatever else the patient is due for waits for its own pause."""
    patient = Patient.objects.select_related("guarantor").get(pk=recall.patient_id)
    attempt = _next_attempt(recall)
    kind = AGAIN if recall.attempts else FIRST
    channels = messaging.reachable(patient=patient, kind=kind)
    if channels:
        attempt.message = _message(attempt, patient, kind, channels[0])
    else:
        attempt.outcome = _obstacles(patient, kind)
    attempt.save()
    recall.attempts += 1  # as it is counted already
    for one in theirs:
        settle(one, clock.today())
        one.save(update_fields=["state", "next_attempt_on"])
    return attempt


def _next_attempt(recall: Recall) -> RecallAttempt:
    due_on = recall.due_on or clock.today()
    made = RecallAttempt.objects.filter(recall=recall, due_on=due_on)
    return RecallAttempt(recall=recall, due_on=due_on, number=made.count() + 1)


def _message(attempt: RecallAttempt, patient: Patient, kind: str, channel: str) -> Message | None:
    link = reverse("appointments:recall", args=[attempt.recall_id])
    return messaging.queue(
        kind=kind,
        reason=f"recall:{attempt.recall_id}:{attempt.due_on}:{attempt.number}",
        patient=patient,
        channel=channel,
        context={"link": f"{settings.SITE_URL}{link}"},
        subject_id=str(attempt.recall_id),
    )


def _obstacles(patient: Patient, kind: str) -> str:
    found = (
        f"{channel.label}: {messaging.obstacle(patient=patient, kind=kind, channel=channel)}"
        for channel in Message.Channel
    )
    return "; ".join(found)[:120]
