"""What follows for recalls from the visits that took place, the rules and the attempts so far."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from appointments import tasks
from appointments.models import Appointment, Recall, RecallAttempt, RecallRule, RecallRun
from appointments.recalls import intervals
from appointments.recalls.intervals import AgeBand
from eyecare import clock
from patients.models import Patient
from practice import services as practice

BATCH = 1000
"""Patients that are worked through in one transaction."""

State = Recall.State

DERIVED = ["last_visit_id", "due_on", "state", "attempts", "next_attempt_on", "snoozed_until"]

Visit = tuple[UUID, date]
"""A visit that took place, and its day on the practice's wall."""


@dataclass(frozen=True)
class Facts:
    """What is known of one patient when a recall is derived; `asked_on` counts whatever recall it was."""

    born_on: date
    visit: Visit | None
    asked_on: date | None


@transaction.atomic
def visit_completed(appointment: Appointment) -> None:
    """Let the patient's recalls follow from a visit that has taken place."""
    patient_id = appointment.patient_id
    if patient_id is None:
        return
    lock([patient_id])
    for rule in RecallRule.objects.filter(after=appointment.visit_type_id):
        derive(rule, [patient_id])


@transaction.atomic
def refresh(rule: RecallRule | None = None) -> None:
    """Have a rule, or all of them, worked through from the first patient on, soon and in the background.

    What is to be done is a row, written in the caller's transaction.
    """
    for each in [rule] if rule else RecallRule.objects.all():
        anew = {"asked_at": clock.now(), "worked_up_to": None, "worked": 0, "finished_at": None}
        anew["in_all"] = _patients_under(each).count()
        RecallRun.objects.update_or_create(rule=each, defaults=anew)
    tasks.work_through_recalls.delay_on_commit()


def work_through(batches: int = 200) -> int:
    """Work on what is to be worked through and return for how many patients that was.

    Safe to stop anywhere and to run twice at once: every batch notes how far it came.
    """
    worked = 0
    for run_id in RecallRun.objects.filter(finished_at=None).values_list("pk", flat=True):
        while batches and (some := _work_on(run_id)):
            worked, batches = worked + some, batches - 1
    return worked


@transaction.atomic
def _work_on(run_id: int) -> int:
    """Take one batch further; 0 when the rule is done, or in another worker's hands."""
    runs = RecallRun.objects.select_related("rule").select_for_update(of=["self"], skip_locked=True)
    run = runs.filter(pk=run_id, finished_at=None).first()
    if run is None:
        return 0
    patients = list(_patients_under(run.rule, after=run.worked_up_to).values_list("pk", flat=True)[:BATCH])
    derive(run.rule, patients)
    run.worked += len(patients)
    run.worked_up_to = patients[-1] if patients else run.worked_up_to
    run.finished_at = clock.now() if len(patients) < BATCH else None
    run.save(update_fields=["worked", "worked_up_to", "finished_at"])
    return len(patients)


def _patients_under(rule: RecallRule, after: UUID | None = None) -> QuerySet[Patient]:
    """Return whom a rule concerns: who has a recall, and for everybody also who had such a visit."""
    concerned = Q(Exists(Recall.objects.filter(rule=rule, patient=OuterRef("pk"))))
    if rule.is_for_everyone:
        concerned |= Q(Exists(_visits(rule).filter(patient=OuterRef("pk"))))
    patients = Patient.objects.active().filter(concerned).order_by("pk")
    return patients.filter(pk__gt=after) if after else patients


def _visits(rule: RecallRule) -> QuerySet[Appointment]:
    kinds = list(rule.after.values_list("pk", flat=True))
    return Appointment.objects.filter(state=Appointment.State.DONE, visit_type__in=kinds)


def derive(rule: RecallRule, patients: Collection[UUID]) -> None:
    """Derive the recalls of these patients under a rule, in the caller's transaction.

    The number of queries does not depend on the number of patients, but for what one statement holds.
    """
    standing = {recall.patient_id: recall for recall in lock(patients, rule)}
    facts = _facts(rule, patients)
    fresh: list[Recall] = []
    changed: list[Recall] = []
    by_age = list(rule.intervals.values_list("from_age", "months"))
    for patient_id in patients:
        recall = standing.get(patient_id)
        if recall is None and not (rule.is_for_everyone and facts[patient_id].visit):
            continue
        recall = recall or Recall(patient_id=patient_id, rule=rule)
        before = _derived(recall)
        _follow(recall, rule, by_age, facts[patient_id])
        if recall.pk is None:
            fresh.append(recall)
        elif _derived(recall) != before:
            changed.append(recall)
    # a completed visit may have written the same recall meanwhile, from what is newer
    Recall.objects.bulk_create(fresh, ignore_conflicts=True)
    _rewrite(changed)


def lock(patients: Collection[UUID], rule: RecallRule | None = None) -> list[Recall]:
    """Return these patients' recalls, kept from others until the transaction ends.

    Always in the order of their ids, so that no two transactions wait for each other.
    """
    recalls = Recall.objects.filter(patient__in=patients).order_by("pk").select_related("rule")
    locked = recalls.select_for_update(of=["self"])
    return list(locked.filter(rule=rule) if rule else locked)


def settle(recall: Recall, asked_on: date | None) -> None:
    """Set what follows for a recall from its day, its attempts and its snooze."""
    rule = recall.rule
    if recall.state in Recall.STANDING:
        is_enough = recall.attempts >= rule.most_attempts
        recall.state = State.EXHAUSTED if is_enough else State.WAITING
    recall.next_attempt_on = None
    if recall.state == State.WAITING and recall.due_on:
        recall.next_attempt_on = intervals.next_attempt_on(
            recall.due_on,
            first_days_before=rule.first_days_before,
            pause_days=rule.pause_days,
            asked_on=asked_on,
            snoozed_until=recall.snoozed_until,
        )


def asked_on(patients: Iterable[UUID]) -> dict[UUID, date]:
    """Return on which day each of these patients was asked last, for whatever recall."""
    attempts = RecallAttempt.objects.filter(recall__patient__in=patients).order_by()
    newest = attempts.values("recall__patient").annotate(newest=Max("at"))
    zone = practice.zone()
    rows = newest.values_list("recall__patient", "newest")
    return {patient_id: at.astimezone(zone).date() for patient_id, at in rows}


def is_to_be_asked(recall: Recall) -> bool:
    """Say whether the time to ask has begun, attempts and snoozes aside."""
    if recall.due_on is None:
        return False
    first_day = intervals.next_attempt_on(
        recall.due_on, first_days_before=recall.rule.first_days_before, pause_days=0
    )
    return first_day <= clock.today()


def _facts(rule: RecallRule, patients: Collection[UUID]) -> dict[UUID, Facts]:
    visits, asked, zone = {}, asked_on(patients), practice.zone()
    done = _visits(rule).filter(patient__in=patients).order_by("starts_at")
    for patient_id, pk, starts_at in done.values_list("patient_id", "pk", "starts_at"):
        visits[patient_id] = (pk, starts_at.astimezone(zone).date())  # the last one stays
    births = Patient.objects.filter(pk__in=patients).order_by().values_list("pk", "date_of_birth")
    return {pk: Facts(born_on, visits.get(pk), asked.get(pk)) for pk, born_on in births}


def _follow(recall: Recall, rule: RecallRule, by_age: list[AgeBand], facts: Facts) -> None:
    visit_id, visited_on = facts.visit or (None, None)
    is_new_visit = visit_id is not None and visit_id != recall.last_visit_id
    recall.last_visit_id = visit_id
    recall.due_on = _due_on(recall, rule, by_age, facts.born_on, visited_on)
    if is_new_visit:
        recall.snoozed_until = None
    if is_new_visit or not is_to_be_asked(recall):
        recall.attempts = 0
    settle(recall, facts.asked_on)


def _due_on(
    recall: Recall, rule: RecallRule, by_age: list[AgeBand], born_on: date, visited_on: date | None
) -> date | None:
    if not (rule.is_for_everyone or recall.is_put_on):
        return None
    seen_on = max((day for day in (visited_on, recall.last_seen_on) if day), default=None)
    if seen_on is None:  # put on without a visit: due from the day on which that was done
        return (recall.due_on or clock.today()) if recall.is_put_on else None
    return intervals.due_on(seen_on, rule.months, by_age=by_age, born_on=born_on, own_months=recall.months)


def _derived(recall: Recall) -> tuple[object, ...]:
    return tuple(getattr(recall, name) for name in DERIVED)


def _rewrite(recalls: list[Recall]) -> None:
    """Write what was derived anew: an upsert, because it is many times faster than bulk_update."""
    Recall.objects.bulk_create(
        recalls,
        update_conflicts=True,
        unique_fields=["patient", "rule"],
        update_fields=[name.removesuffix("_id") for name in DERIVED],
    )
