"""When providers work, what is kept free, and what the practice allows."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from practice.models import Location, Provider, Weekday


class WeeklyHours(models.Model):
    """A provider's hours at a location, in wall-clock time, every week."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="weekly_hours")
    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="weekly_hours")
    weekday = models.PositiveSmallIntegerField(choices=Weekday)
    starts_at = models.TimeField()
    ends_at = models.TimeField()

    class Meta:
        ordering = ["provider", "weekday", "starts_at"]
        verbose_name_plural = "weekly hours"
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="weekly_hours_end_after_they_start",
                violation_error_message="Hours must end after they start.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.get_weekday_display()} {self.starts_at:%H:%M}–{self.ends_at:%H:%M}"


class ScheduleException(models.Model):
    """A dated change to the weekly hours: leave, a holiday for everyone, an extra clinic."""

    class Kind(models.TextChoices):
        CLOSED = "closed", _("closed")
        EXTRA = "extra", _("extra hours")

    kind = models.CharField(max_length=6, choices=Kind)
    date = models.DateField()
    last_date = models.DateField(null=True, blank=True, help_text="Empty: that one day.")
    provider = models.ForeignKey(
        Provider, null=True, blank=True, on_delete=models.CASCADE, help_text="Empty: the whole practice."
    )
    location = models.ForeignKey(Location, null=True, blank=True, on_delete=models.CASCADE)
    starts_at = models.TimeField(null=True, blank=True, help_text="Empty: all day.")
    ends_at = models.TimeField(null=True, blank=True)
    reason = models.CharField(
        max_length=120, blank=True, help_text="For a holiday of the whole practice patients read it."
    )

    class Meta:
        ordering = ["-date"]
        indexes = [models.Index(fields=["date"], name="exception_by_date")]
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_at=None, ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="an_exception_ends_after_it_starts",
                violation_error_message="It must end after it starts.",
            ),
            models.CheckConstraint(
                condition=Q(last_date=None) | Q(last_date__gte=F("date")),
                name="an_exception_does_not_end_before_its_first_day",
                violation_error_message="The last day must not lie before the first.",
            ),
            models.CheckConstraint(
                condition=Q(kind="closed")
                | Q(starts_at__isnull=False, provider__isnull=False, location__isnull=False),
                name="extra_hours_have_a_provider_place_and_time",
                violation_error_message="Extra hours need a provider, a location and times.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.get_kind_display()} {self.provider or 'everyone'}"


class UrgentBlock(models.Model):
    """Weekly time kept for urgent visits; what nobody urgent has taken is given free some hours before."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="urgent_blocks")
    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="urgent_blocks")
    weekday = models.PositiveSmallIntegerField(choices=Weekday)
    starts_at = models.TimeField()
    ends_at = models.TimeField()
    released_hours_before = models.PositiveSmallIntegerField(
        default=4, help_text="So many hours before the block begins, anybody may book it. 0: never before."
    )

    class Meta:
        ordering = ["provider", "weekday", "starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="an_urgent_block_ends_after_it_starts",
                violation_error_message="A block must end after it starts.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.get_weekday_display()} {self.starts_at:%H:%M}–{self.ends_at:%H:%M}"


class DiarySettings(models.Model):
    """What the practice allows its patients, and how long it waits for them."""

    only = models.BooleanField(default=True, editable=False, unique=True)
    most_open_visits = models.PositiveSmallIntegerField(
        default=4, help_text="A patient with so many visits to come books another one with the front desk."
    )
    most_no_shows = models.PositiveSmallIntegerField(
        default=3, help_text="After so many missed visits the next one is booked with the front desk."
    )
    no_show_months = models.PositiveSmallIntegerField(
        default=12, help_text="How long a missed visit is counted."
    )
    web_hold_minutes = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 60)],
        help_text="How long a time is held on the portal and in its chat, until the patient says yes.",
    )
    sms_hold_minutes = models.PositiveSmallIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 60)],
        help_text="The same by text message, where answers take longer.",
    )
    offers_at_once = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(10)],
        help_text="How many on the waitlist are asked at once about a time that came free.",
    )
    offer_minutes = models.PositiveSmallIntegerField(
        default=45,
        validators=[MinValueValidator(5), MaxValueValidator(24 * 60)],
        help_text="How long it is held for them before the next are asked.",
    )

    class Meta:
        verbose_name_plural = "diary settings"
        constraints = [
            models.CheckConstraint(condition=Q(only=True), name="there_is_one_set_of_diary_settings")
        ]

    def __str__(self) -> str:
        return "Diary settings"


class DiaryStamp(models.Model):
    """A random number that changes with every change to a provider's diary; 0 stands for the schedules.

    Triggers of the database keep it, in the transaction of the change, so that a search remembered
    under a stamp is right for as long as the stamp stands. Random and not counted up: a number that was
    rolled back never comes again.
    """

    provider_id = models.BigIntegerField(primary_key=True)
    stamp = models.BigIntegerField()

    class Meta:
        managed = False  # the triggers' own table: made with them, and not part of the record
        db_table = "appointments_diarystamp"

    def __str__(self) -> str:
        return f"{self.provider_id}: {self.stamp}"
