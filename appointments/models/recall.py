"""When patients should come again, by what rule, and how often they were asked."""

from datetime import datetime, time
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from appointments.models.appointment import Appointment
from appointments.models.visit_type import VisitType
from eyecare import clock
from messaging.models import Message
from patients.models import Patient
from practice import services as practice

MONTHS = [MinValueValidator(1), MaxValueValidator(240)]
DAYS = [MinValueValidator(1), MaxValueValidator(365)]


class RecallRule(models.Model):
    """A kind of recall: after which visits, after how long, how the patient is asked."""

    name = models.CharField(
        max_length=80, unique=True, help_text="For the front desk; patients do not see it."
    )
    slug = models.SlugField(unique=True)
    after = models.ManyToManyField(
        VisitType, related_name="recalled_after", help_text="The last of these that took place counts."
    )
    books = models.ForeignKey(
        VisitType, on_delete=models.PROTECT, related_name="recalls", help_text="What the patient then books."
    )
    months = models.PositiveSmallIntegerField(
        validators=MONTHS, help_text="After so many months, where no age says otherwise."
    )
    is_for_everyone = models.BooleanField(
        default=True, help_text="All who had one of these visits; off: only patients who are put on it."
    )
    first_days_before = models.PositiveSmallIntegerField(
        default=21,
        validators=[MaxValueValidator(365)],
        help_text="So many days before it is due, patients are asked first.",
    )
    pause_days = models.PositiveSmallIntegerField(
        default=21, validators=DAYS, help_text="Days between two attempts."
    )
    most_attempts = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(10)]
    )
    most_a_day = models.PositiveSmallIntegerField(
        default=100, help_text="No more patients than this are asked on one day: the desk has to book them."
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(most_attempts__gte=1), name="a_recall_is_attempted_once_at_least"
            ),
            models.CheckConstraint(condition=Q(months__gte=1), name="a_recall_comes_after_a_month_at_least"),
            models.CheckConstraint(condition=Q(pause_days__gte=1), name="attempts_lie_a_day_apart_at_least"),
        ]

    def __str__(self) -> str:
        return self.name


class RecallInterval(models.Model):
    """Another interval from an age on."""

    rule = models.ForeignKey(RecallRule, on_delete=models.CASCADE, related_name="intervals")
    from_age = models.PositiveSmallIntegerField(validators=[MaxValueValidator(120)])
    months = models.PositiveSmallIntegerField(validators=MONTHS)

    class Meta:
        ordering = ["from_age"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "from_age"], name="one_interval_for_each_age_of_a_rule"),
            models.CheckConstraint(condition=Q(months__gte=1), name="an_interval_is_a_month_at_least"),
        ]

    def __str__(self) -> str:
        return f"from {self.from_age}: {self.months} months"


class RecallQuerySet(models.QuerySet["Recall"]):
    def for_patient(self, patient: Patient) -> Self:
        return self.filter(patient=patient)

    def with_details(self) -> Self:
        return self.select_related("patient", "rule", "rule__books", "last_visit")

    def live(self) -> Self:
        """Leave out the rules that are switched off and the patients whose record is closed."""
        return self.filter(rule__is_active=True, patient__is_active=True)

    def standing(self) -> Self:
        return self.filter(state__in=Recall.STANDING)

    def with_a_visit_to_come(self) -> Self:
        return self.filter(Exists(_coming()))

    def without_a_visit_to_come(self) -> Self:
        return self.filter(~Exists(_coming()))

    def with_next_visit(self) -> Self:
        """Add `next_visit_at`: when the patient comes next, for whatever kind of visit."""
        return self.annotate(next_visit_at=Subquery(_coming().values("starts_at")[:1]))

    def due(self) -> Self:
        """Return those who may be asked today."""
        waiting = self.filter(state=Recall.State.WAITING, next_attempt_on__lte=clock.today())
        return waiting.without_a_visit_to_come()

    def overdue(self) -> Self:
        """Return those whose day has passed, however often they were asked."""
        return self.standing().filter(due_on__lt=clock.today()).without_a_visit_to_come()

    def asked(self) -> Self:
        """Return those who were asked and have some time to answer."""
        waiting = self.filter(state=Recall.State.WAITING, next_attempt_on__gt=clock.today())
        return waiting.filter(attempts__gt=0).without_a_visit_to_come()

    def unreachable(self) -> Self:
        """Return those whom the last attempt did not reach: somebody has to call them."""
        last = RecallAttempt.objects.filter(recall=OuterRef("pk"), due_on=OuterRef("due_on"))
        reached = Subquery(last.order_by("-number").values("message__state")[:1])
        lost = Q(reached=None) | Q(reached__in=Recall.LOST)
        tried = self.standing().filter(attempts__gt=0).without_a_visit_to_come()
        return tried.annotate(reached=reached).filter(lost)

    def snoozed(self) -> Self:
        return self.standing().filter(snoozed_until__gt=clock.today())

    def exhausted(self) -> Self:
        return self.filter(state=Recall.State.EXHAUSTED).without_a_visit_to_come()

    def booked_ahead(self) -> Self:
        """Return those who are due and silent because they come anyway."""
        return self.standing().filter(due_on__lte=clock.today()).with_a_visit_to_come()


def _coming() -> QuerySet[Appointment]:
    """Return the visits from this morning on: who sits in the waiting room is not asked to come again."""
    visits = Appointment.objects.active().filter(patient=OuterRef("patient"))
    return visits.filter(starts_at__gte=this_morning()).order_by("starts_at")


def this_morning() -> datetime:
    """Return when the day began on the practice's wall."""
    return datetime.combine(clock.today(), time.min, practice.zone())


class Recall(models.Model):
    """One patient under one rule; when it is due follows from the last visit and the interval."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        EXHAUSTED = "exhausted", _("asked often enough")
        DECLINED = "declined", _("does not want it")
        OFF = "off", _("taken off")

    STANDING = (State.WAITING, State.EXHAUSTED)
    """States that follow from the attempts; the others stay until somebody changes them."""

    LOST = (Message.State.FAILED, Message.State.DROPPED)
    """States of a message that did not reach the patient."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="recalls")
    rule = models.ForeignKey(RecallRule, on_delete=models.PROTECT, related_name="recalls")
    last_visit = models.ForeignKey(
        Appointment, null=True, blank=True, on_delete=models.PROTECT, related_name="recalls", editable=False
    )
    last_seen_on = models.DateField(
        null=True, blank=True, help_text="For a visit that is not in this diary: seen elsewhere, or before."
    )
    months = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=MONTHS,
        help_text="This patient's own interval in months; empty: the rule's.",
    )
    is_put_on = models.BooleanField(
        default=False, editable=False, help_text="By the practice, whether or not the rule is for everyone."
    )
    due_on = models.DateField(
        null=True, blank=True, editable=False, help_text="Empty where the rule does not apply."
    )
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Since it was last due.")
    next_attempt_on = models.DateField(null=True, blank=True, editable=False)
    snoozed_until = models.DateField(null=True, blank=True, help_text="No attempt before this day.")
    note = models.CharField(max_length=200, blank=True)

    objects = RecallQuerySet.as_manager()

    class Meta:
        ordering = ["due_on"]
        indexes = [
            models.Index(fields=["next_attempt_on"], name="recall_to_ask", condition=Q(state="waiting")),
            models.Index(fields=["due_on"], name="recall_due"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["patient", "rule"], name="one_recall_for_each_patient_and_kind"),
            models.CheckConstraint(
                condition=Q(months=None) | Q(months__gte=1), name="an_own_interval_is_a_month_at_least"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.patient}"


class RecallAttempt(models.Model):
    """One time that a patient was asked to come again."""

    recall = models.ForeignKey(Recall, on_delete=models.CASCADE, related_name="history")
    due_on = models.DateField()
    number = models.PositiveSmallIntegerField()
    message = models.OneToOneField(Message, null=True, blank=True, on_delete=models.SET_NULL)
    outcome = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-at"]
        # how many were asked today, and who was asked lately
        indexes = [models.Index(fields=["at"], name="recall_attempt_by_time")]
        constraints = [
            models.UniqueConstraint(
                fields=["recall", "due_on", "number"], name="each_attempt_of_a_recall_is_made_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.number}. {self.at:%Y-%m-%d}"

    @property
    def result(self) -> str:
        """Return what became of it; needs `message`."""
        if self.message is None:
            return self.outcome or "no message"
        became = f"{self.message.get_channel_display()} {self.message.get_state_display()}"
        return f"{became}: {self.message.explanation}" if self.message.explanation else became


class RecallRun(models.Model):
    """A rule that is to be worked through for all its patients, and how far that is."""

    rule = models.OneToOneField(RecallRule, on_delete=models.CASCADE, related_name="run")
    asked_at = models.DateTimeField(default=clock.now)
    worked_up_to = models.UUIDField(null=True, help_text="The last patient; the work goes on after them.")
    worked = models.PositiveIntegerField(default=0)
    in_all = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["asked_at"]
        indexes = [models.Index(fields=["asked_at"], name="recall_run_to_do", condition=Q(finished_at=None))]

    def __str__(self) -> str:
        return f"{self.rule}: {self.worked} of {self.in_all}"
