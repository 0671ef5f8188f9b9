"""Who waits in the demo: for an earlier time, and to be asked to come again."""

import random
from datetime import time, timedelta

from appointments import recalls, waitlist
from appointments.models import (
    Appointment,
    Opening,
    Recall,
    RecallRule,
    VisitType,
    WaitlistEntry,
    WaitlistOffer,
)
from eyecare import clock
from patients.models import Patient

MONTHS_AGO = (25, 24, 23, 26, 37, 13, 12, 38, 61, 24, 60, 14)
"""When those on the recall board were here last, before this diary began."""


def build(dice: random.Random, townsfolk: list[Patient], not_seen_for_long: list[Patient]) -> None:
    """Write wishes with their offers, and recalls in every state."""
    _wishes(dice.sample(townsfolk, 3))
    _an_offer_that_lapsed()
    recalls.load_defaults()
    recalls.work_through()
    _recalls(not_seen_for_long)


def _wishes(people: list[Patient]) -> None:
    mornings, with_reyes, earlier = people
    exam, fitting, diabetic = (
        VisitType.objects.get(slug=slug) for slug in ("exam", "contact-lens-fitting", "diabetic-exam")
    )
    reyes = exam.providers.get(last_name="Reyes")
    today, web = clock.today(), Appointment.Channel.WEB
    waitlist.join(
        patient=mornings,
        visit_type=exam,
        channel=web,
        provider=reyes,
        first_day=today,
        last_day=today + timedelta(days=14),
        until_time=time(12),
    )
    waitlist.join(
        patient=with_reyes,
        visit_type=fitting,
        channel=Appointment.Channel.SMS,
        provider=reyes,
        weekdays=[1, 3],
    )
    waitlist.join(
        patient=earlier, visit_type=diabetic, channel=Appointment.Channel.STAFF, note="Prefers a call"
    )


def _an_offer_that_lapsed() -> None:
    """Show what the history of the first wish looks like."""
    entry = WaitlistEntry.objects.order_by("created_at")[0]
    freed = Appointment.objects.filter(
        state=Appointment.State.CANCELLED, starts_at__gt=clock.now(), visit_type=entry.visit_type
    ).order_by("starts_at")[0]
    offered_at = clock.now() - timedelta(hours=20)
    opening = Opening.objects.create(
        freed_by=freed,
        provider=freed.provider,
        location=freed.location,
        busy_from=freed.busy_from,
        busy_until=freed.busy_until,
        state=Opening.State.CLOSED,
        round=1,
        created_at=offered_at,
    )
    WaitlistOffer.objects.create(
        entry=entry,
        opening=opening,
        starts_at=freed.starts_at,
        offered_at=offered_at,
        answer_until=offered_at + timedelta(minutes=45),
        state=WaitlistOffer.State.LAPSED,
    )


def _recalls(people: list[Patient]) -> None:
    routine, diabetic = (RecallRule.objects.get(slug=slug) for slug in ("routine-exam", "diabetic-exam"))
    for patient, months in zip(people, MONTHS_AGO, strict=True):
        last_seen_on = clock.today() - timedelta(days=round(months * 30.4) + months % 9)
        rule = diabetic if months < 15 else routine
        recalls.put_on(patient=patient, rule=rule, last_seen_on=last_seen_on, months=min(months, 24))
    snoozed, declined, exhausted = Recall.objects.filter(patient__in=people[-3:])
    recalls.snooze(recall=snoozed, until=clock.today() + timedelta(days=30))
    recalls.decline(recall=declined)
    Recall.objects.filter(pk=exhausted.pk).update(attempts=routine.most_attempts)
    recalls.refresh(exhausted.rule)
    recalls.work_through()
