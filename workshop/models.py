"""The workshop's books: what was uploaded, what was trained from it, what serves and what served before."""

import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from chatbot.models import Assistant
from eyecare import clock


def _default_id() -> models.UUIDField:
    return models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)


def _by_whom(related_name: str = "+") -> models.ForeignKey:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name=related_name,
    )


class Dataset(models.Model):
    """Examples that somebody uploaded, cleaned. The upload itself is not kept: it may name patients."""

    class Licence(models.TextChoices):
        OWN = "own", _("written by the practice itself")
        APACHE = "Apache-2.0", _("Apache 2.0")
        MIT = "MIT", _("MIT")
        CC0 = "CC0-1.0", _("public domain (CC0)")
        CC_BY = "CC-BY-4.0", _("Creative Commons: name the author (CC BY 4.0)")
        CC_BY_SA = "CC-BY-SA-4.0", _("Creative Commons: name the author, share alike (CC BY-SA 4.0)")

    id = _default_id()
    name = models.CharField(max_length=120)
    format = models.CharField(max_length=20, help_text="What the file turned out to be.")
    licence = models.CharField(max_length=20, choices=Licence)
    sha256 = models.CharField(max_length=64, editable=False, help_text="Of the file as it was uploaded.")
    size_bytes = models.PositiveBigIntegerField(editable=False)
    rows = models.PositiveIntegerField()
    kept = models.PositiveIntegerField()
    dropped = models.JSONField(default=dict, blank=True, help_text="Rows left out, by reason.")
    report = models.JSONField(default=dict, blank=True)
    uploaded_by = _by_whom()
    uploaded_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-uploaded_at"]
        verbose_name = "training examples"
        verbose_name_plural = "training examples"
        constraints = [
            models.UniqueConstraint(fields=["sha256", "licence"], name="a_file_is_uploaded_once"),
            models.CheckConstraint(condition=Q(kept__gt=0), name="an_uploaded_file_holds_examples"),
            models.CheckConstraint(
                condition=Q(kept__lte=F("rows")), name="no_more_is_kept_than_was_uploaded"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        return str(self.pk)

    @property
    def left_out(self) -> int:
        return self.rows - self.kept

    @property
    def path(self) -> Path:
        """Return where the cleaned examples lie, in the exchange format."""
        return Path(settings.VAR_DIR) / "workshop" / "datasets" / f"{self.pk}.jsonl"


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def promoted(self) -> Self:
        return self.filter(state=ModelVersion.State.PROMOTED)

    def whole(self) -> Self:
        """Return those that a training can begin with."""
        return self.filter(kind=ModelVersion.Kind.MODEL).exclude(state=ModelVersion.State.RETIRED)

    def serving(self, assistant: Assistant) -> "ModelVersion | None":
        """Return the version that this assistant runs on; None: the model that ships with the project."""
        return self.promoted().filter(assistant=assistant).first()

    def with_lineage(self) -> Self:
        known = self.select_related("assistant", "made_by", "evaluation").prefetch_related("datasets")
        return known.defer("own_cases")

    def to_evaluate(self) -> Self:
        """Return those that wait for the gate's figures, and those whose worker seems to have died on it."""
        stale = clock.now() - ModelVersion.EVALUATION_LASTS
        waiting = self.filter(evaluation_asked_at__isnull=False, evaluation_tries__lt=ModelVersion.MOST_TRIES)
        return waiting.filter(Q(evaluation_claimed_at=None) | Q(evaluation_claimed_at__lt=stale))


class ModelVersion(models.Model):
    """A model that was made for one assistant, with everything that it was made from."""

    class Kind(models.TextChoices):
        ADAPTER = "adapter", _("adapter on a base model")
        MODEL = "model", _("whole model")

    class State(models.TextChoices):
        TRAINED = "trained", _("trained")
        EVALUATED = "evaluated", _("evaluated")
        PROMOTED = "promoted", _("in use")
        RETIRED = "retired", _("retired")

    EVALUATION_LASTS = timedelta(minutes=20)
    """A worker that has not scored a version by then is taken for dead."""
    MOST_TRIES = 3
    LONG = ("metrics", "parity", "licences", "details", "own_cases")
    """Columns that no list shows."""

    assistant = models.ForeignKey(Assistant, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=80, unique=True, help_text="What the model host knows it by.")
    kind = models.CharField(max_length=7, choices=Kind)
    state = models.CharField(max_length=9, choices=State, default=State.TRAINED)
    file = models.CharField(max_length=255, help_text="The weights.")
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    base_name = models.CharField(max_length=120, blank=True)
    base_file = models.CharField(max_length=255, blank=True)
    base_sha256 = models.CharField(max_length=64, blank=True)
    recipe = models.CharField(max_length=60, blank=True)
    recipe_sha256 = models.CharField(max_length=64, blank=True)
    datasets = models.ManyToManyField(Dataset, related_name="versions", blank=True)
    quantization = models.CharField(max_length=20, blank=True)
    prompt_style = models.CharField(max_length=10)
    context_tokens = models.PositiveIntegerField(default=1024)
    metrics = models.JSONField(default=dict, blank=True, help_text="What the training measured.")
    parity = models.JSONField(default=dict, blank=True, help_text="The file held against the trained model.")
    licences = models.JSONField(default=list, blank=True)
    details = models.JSONField(default=dict, blank=True, help_text="The rest of what the run wrote down.")
    own_cases = models.JSONField(
        default=list, blank=True, editable=False, help_text="The practice's messages kept back for the gate."
    )
    evaluation_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    evaluation_claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    evaluation_tries = models.PositiveSmallIntegerField(default=0, editable=False)
    evaluation_error = models.CharField(max_length=300, blank=True, editable=False)
    evaluation = models.OneToOneField(
        "Evaluation", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    created_by = _by_whom()
    created_at = models.DateTimeField(default=clock.now)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-number"]
        permissions = [("promote_modelversion", "Can put a model version to use, and take it back")]
        constraints = [
            models.UniqueConstraint(
                fields=["assistant", "number"], name="a_number_names_one_version_of_an_assistant"
            ),
            models.UniqueConstraint(
                fields=["assistant"],
                condition=Q(state="promoted"),
                name="an_assistant_runs_on_one_version",
            ),
            models.CheckConstraint(
                condition=~Q(kind="adapter") | ~Q(base_sha256=""), name="an_adapter_names_its_base"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.assistant} version {self.number}"

    @property
    def is_serving(self) -> bool:
        return self.state == self.State.PROMOTED

    @property
    def is_waiting_for_figures(self) -> bool:
        return self.evaluation_asked_at is not None and not self.evaluation_error


class Evaluation(models.Model):
    """How a version scored beside the one that served at that time, on the same messages."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="evaluations")
    against = models.CharField(
        max_length=80, help_text="The model that served the assistant then, by the host's name for it."
    )
    figures = models.JSONField(help_text="The version's figures, shares between 0 and 1.")
    against_figures = models.JSONField(help_text="The same figures of the model that served.")
    findings = models.JSONField(help_text="The gate's verdict, line by line.")
    is_passed = models.BooleanField()
    wrong_cases = models.JSONField(default=list, help_text="What the version misread, the first of it.")
    gate_sha256 = models.CharField(max_length=64, help_text="Of the cases and the rules it was held against.")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["version", "-at"], name="evaluation_by_version")]

    def __str__(self) -> str:
        return f"{self.version}, {self.at:%Y-%m-%d %H:%M}"


class FineTuneJobQuerySet(models.QuerySet["FineTuneJob"]):
    def at_work(self) -> Self:
        return self.filter(state__in=FineTuneJob.AT_WORK)

    def abandoned(self) -> Self:
        """Return those whose worker has given no sign of life for too long."""
        return self.at_work().filter(beat_at__lt=clock.now() - FineTuneJob.SILENCE_LASTS)

    def claimed_as(self, job: "FineTuneJob") -> Self:
        """Return the row for as long as it is the worker's that claimed it so, and nobody cancels it."""
        return self.filter(
            pk=job.pk,
            state=FineTuneJob.State.RUNNING,
            machine=job.machine,
            place=job.place,
            tries=job.tries,
        )

    def with_details(self) -> Self:
        return self.select_related("assistant", "dataset", "base", "version", "started_by")


class FineTuneJob(models.Model):
    """One training: a worker claims the row, starts the training program and watches it."""

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        CANCELLING = "cancelling", _("being cancelled")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")
        DONE = "done", _("done")

    AT_WORK = (State.RUNNING, State.CANCELLING)
    SILENCE_LASTS = timedelta(seconds=90)
    """A worker writes a sign of life every few seconds; after this long without one it is taken for dead."""
    MOST_TRIES = 3
    MOST_EPOCHS = 50
    HIGHEST_LEARNING_RATE = 0.01

    id = _default_id()
    assistant = models.ForeignKey(Assistant, on_delete=models.PROTECT, related_name="fine_tune_jobs")
    dataset = models.ForeignKey(
        Dataset, on_delete=models.PROTECT, related_name="jobs", verbose_name="training examples"
    )
    recipe = models.CharField(max_length=60)
    base = models.ForeignKey(
        ModelVersion,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The whole model that it begins with; empty for the one that ships with the project.",
    )
    epochs = models.PositiveSmallIntegerField()
    learning_rate = models.FloatField()
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    step = models.CharField(max_length=20, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    loss = models.FloatField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)
    step_began_at = models.DateTimeField(null=True, blank=True)
    progress_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    hint = models.CharField(max_length=300, blank=True)
    machine = models.CharField(max_length=120, blank=True)
    place = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Which of the machine's places it takes."
    )
    pid = models.PositiveIntegerField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    version = models.OneToOneField(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="made_by"
    )
    idempotency_key = models.CharField(max_length=80, blank=True, editable=False)
    started_by = _by_whom()
    created_at = models.DateTimeField(default=clock.now)
    began_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = FineTuneJobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "fine-tune"
        indexes = [
            models.Index(
                fields=["state", "created_at"],
                name="fine_tune_to_work_on",
                condition=Q(state__in=["queued", "running", "cancelling"]),
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["machine", "place"],
                condition=Q(state__in=["running", "cancelling"]),
                name="one_job_at_each_place_of_a_machine",
            ),
            models.UniqueConstraint(
                fields=["started_by", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="one_job_for_each_idempotency_key",
            ),
            models.CheckConstraint(
                condition=Q(epochs__gte=1, epochs__lte=50),
                name="a_fine_tune_reads_the_examples_1_to_50_times",
                violation_error_message="The examples are read at least once and at most 50 times.",
            ),
            models.CheckConstraint(
                condition=Q(learning_rate__gt=0, learning_rate__lte=0.01),
                name="a_learning_rate_lies_above_0_and_at_most_at_0_01",
                violation_error_message="The learning rate lies above 0 and at most at 0.01.",
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(version__isnull=False), name="a_done_job_made_a_version"
            ),
            models.CheckConstraint(
                condition=Q(state="done") | Q(version__isnull=True), name="only_a_done_job_made_a_version"
            ),
            models.CheckConstraint(condition=~Q(state="failed") | ~Q(error=""), name="a_failed_job_says_why"),
            models.CheckConstraint(
                condition=~Q(state__in=["running", "cancelling"])
                | Q(place__isnull=False, beat_at__isnull=False),
                name="a_job_at_work_has_a_place_and_a_beat",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.assistant}: {self.dataset}"

    @property
    def folder(self) -> Path:
        return Path(settings.VAR_DIR) / "workshop" / "jobs" / str(self.pk)

    @property
    def is_over(self) -> bool:
        return self.state in {self.State.CANCELLED, self.State.FAILED, self.State.DONE}

    @property
    def can_be_cancelled(self) -> bool:
        return self.state in {self.State.QUEUED, self.State.RUNNING}

    @property
    def can_be_resumed(self) -> bool:
        return self.state in {self.State.CANCELLED, self.State.FAILED}

    @property
    def step_ends_at(self) -> datetime | None:
        """Return when this step is through at the pace it has had so far; None while nobody can say."""
        if self.state != self.State.RUNNING or not (self.step_began_at and self.progress_at):
            return None
        if not 0 < self.done < self.total:
            return None
        pace = (self.progress_at - self.step_began_at) / self.done
        return self.progress_at + pace * (self.total - self.done)


class Promotion(models.Model):
    """A line of the log: which model an assistant was given when, by whom and why. Append-only.

    No version stands for the model that ships with the project.
    """

    assistant = models.ForeignKey(Assistant, on_delete=models.PROTECT, related_name="promotions")
    from_version = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    to_version = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="promotions"
    )
    from_model = models.CharField(max_length=80, blank=True, help_text="As the model host knew it.")
    from_style = models.CharField(max_length=10, blank=True)
    why = models.CharField(max_length=200)
    evaluation = models.ForeignKey(
        Evaluation, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    rolls_back = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="rolled_back_by"
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["assistant", "-id"], name="promotion_by_assistant")]
        constraints = [
            models.CheckConstraint(
                condition=Q(rolls_back__isnull=False) | Q(to_version__isnull=False, evaluation__isnull=False),
                name="a_promotion_has_a_version_and_its_evaluation",
            ),
            models.CheckConstraint(condition=~Q(why=""), name="a_promotion_says_why"),
        ]

    def __str__(self) -> str:
        return f"{self.assistant} → {self.to_version or 'the shipped model'}"
