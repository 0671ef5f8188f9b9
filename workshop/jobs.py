"""Trainings: started by people, claimed by one worker, watched, cancelled, taken up again after a death."""

import math
import shutil
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from chatbot.models import Assistant
from eyecare import clock
from eyecare.errors import Invalid, NotFound, Refusal
from patients.models import Account
from workshop import gate, recipes, results, services, tasks, training
from workshop.models import Dataset, FineTuneJob, ModelVersion
from workshop.refusals import NoRoom, WrongState

State = FineTuneJob.State
LOOKS_EVERY_SECONDS = 1.0
BEATS_EVERY = timedelta(seconds=3)
ROOM_BYTES = 500_000_000
"""What a training of the smallest recipe may write: checkpoints, the model in two precisions."""

STOPPED_AGAIN = "The training stopped in the middle three times, and nobody knows why."


def start(
    *,
    assistant: Assistant,
    dataset: Dataset,
    recipe: str,
    epochs: int,
    learning_rate: float,
    base: ModelVersion | None = None,
    actor: Account | None = None,
    idempotency_key: str = "",
) -> FineTuneJob:
    """Queue a training; the same key by the same person again returns the job that is there.

    Raises Invalid, NoSuchRecipe, NoRoom.
    """
    chosen = recipes.get(recipe)
    _check(epochs=epochs, learning_rate=learning_rate, base=base)
    _check_room()
    try:
        with transaction.atomic():
            job = FineTuneJob.objects.create(
                assistant=assistant,
                dataset=dataset,
                recipe=chosen.name,
                base=base,
                epochs=epochs,
                learning_rate=learning_rate,
                started_by=actor,
                idempotency_key=idempotency_key,
            )
    except IntegrityError:
        return FineTuneJob.objects.get(started_by=actor, idempotency_key=idempotency_key)
    tasks.work_on.delay_on_commit(str(job.pk))
    return job


def get(job_id: Any) -> FineTuneJob:
    """Return a job with what it speaks of; raises NotFound."""
    try:
        return FineTuneJob.objects.with_details().get(pk=job_id)
    except (FineTuneJob.DoesNotExist, ValidationError, ValueError, TypeError) as missing:
        raise NotFound("There is no such fine-tune.") from missing


def cancel(*, job: FineTuneJob) -> FineTuneJob:
    """Stop a training; one that runs writes its checkpoint first, so that it can be resumed."""
    row = FineTuneJob.objects.filter(pk=job.pk)
    waiting = row.filter(state=State.QUEUED).update(state=State.CANCELLED, finished_at=clock.now())
    if not waiting and not row.filter(state=State.RUNNING).update(state=State.CANCELLING):
        raise WrongState("Only a fine-tune that waits or runs can be cancelled.")
    return get(job.pk)


def resume(*, job: FineTuneJob) -> FineTuneJob:
    """Queue a cancelled or failed training again; it goes on from its checkpoint."""
    _check_room()
    over = FineTuneJob.objects.filter(pk=job.pk, state__in=[State.CANCELLED, State.FAILED])
    if not over.update(state=State.QUEUED, tries=0, error="", hint="", finished_at=None):
        raise WrongState("Only a fine-tune that was cancelled or has failed can be resumed.")
    tasks.work_on.delay_on_commit(str(job.pk))
    return get(job.pk)


def work_on(job_id: str) -> None:
    """Run a queued training to its end, if this machine has a place for it. Safe to run twice."""
    left = _left_by_another(job_id)
    job = _claim(job_id)
    if job is None:
        return
    try:
        _train(job, left)
    finally:
        _nudge_waiting()


def take_up() -> None:
    """Queue again what a dead worker left, at most three times, and nudge what waits."""
    for job in FineTuneJob.objects.abandoned():
        _take_from_the_dead(job)
    _nudge_waiting()


def _check(*, epochs: int, learning_rate: float, base: ModelVersion | None) -> None:
    if not 1 <= epochs <= FineTuneJob.MOST_EPOCHS:
        raise Invalid(f"The examples are read at least once and at most {FineTuneJob.MOST_EPOCHS} times.")
    if not 0 < learning_rate <= FineTuneJob.HIGHEST_LEARNING_RATE or not math.isfinite(learning_rate):
        raise Invalid(f"The learning rate lies above 0 and at most at {FineTuneJob.HIGHEST_LEARNING_RATE}.")
    if base and (base.kind != ModelVersion.Kind.MODEL or base.state == ModelVersion.State.RETIRED):
        raise Invalid("A training begins with a whole model that is not retired.")


def _check_room() -> None:
    folder = Path(settings.VAR_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < ROOM_BYTES:
        raise NoRoom(
            f"The disk has {free / 1e6:.0f} MB left; a training needs {ROOM_BYTES / 1e6:.0f} MB. "
            "Please make room and try again."
        )


def _machine() -> str:
    return socket.gethostname()[:120]


def _left_by_another(job_id: str) -> int | None:
    """Return the process that an earlier worker may have left on this machine."""
    here = FineTuneJob.objects.filter(pk=job_id, machine=_machine())
    return here.values_list("pid", flat=True).first()


def _claim(job_id: str) -> FineTuneJob | None:
    """Take a queued job and one of this machine's places; the database settles who gets which."""
    queued = FineTuneJob.objects.filter(pk=job_id, state=State.QUEUED)
    for place in range(settings.FINE_TUNES_AT_ONCE):
        now = clock.now()
        try:
            with transaction.atomic():
                claimed = queued.update(
                    state=State.RUNNING,
                    machine=_machine(),
                    place=place,
                    beat_at=now,
                    began_at=Coalesce("began_at", now),
                    step_began_at=None,
                    tries=F("tries") + 1,
                )
        except IntegrityError:  # another job has this place
            continue
        return get(job_id) if claimed else None
    return None


def _train(job: FineTuneJob, left: int | None) -> None:
    try:
        run = training.start(_arguments(job), job.folder, left_by=left)
    except Refusal as refusal:  # a recipe that was there when the job was queued
        _fail(job, refusal.sentence)
        return
    except training.StillAtWork:
        _fail(job, "An earlier training still works in this folder and does not stop.")
        return
    except OSError as error:
        _fail(job, f"The training could not begin: {error.strerror or error}.", _room_hint(error))
        return
    _mine(job).update(pid=run.pid)
    code = _watch(job, run)
    _conclude(job, run, code)


def _arguments(job: FineTuneJob) -> Sequence[str]:
    base = job.base.file if job.base else settings.LLM_MODEL_PATH
    begun = [] if not job.base and recipes.get(job.recipe).names_its_base else ["--base", base]
    return [
        "--recipe",
        job.recipe,
        "--folder",
        str(job.folder),
        *begun,
        "--data",
        str(job.dataset.path),
        "--set",
        f"epochs={job.epochs}",
        "--set",
        f"learning_rate={job.learning_rate!r}",
    ]


def _watch(job: FineTuneJob, run: training.Training) -> int:
    """Write down what the training says until it ends; end it when the job is cancelled or taken away."""
    while (code := run.wait(LOOKS_EVERY_SECONDS)) is None:
        run.listen()
        if _is_time_to_write(job, run.progress):
            _note(job, run.progress)
        if _mine(job).values_list("state", flat=True).first() != State.RUNNING:
            return run.end()
    return code


def _mine(job: FineTuneJob) -> QuerySet[FineTuneJob]:
    """Return the row, unless another worker has taken it over."""
    return FineTuneJob.objects.at_work().filter(
        pk=job.pk, machine=job.machine, place=job.place, tries=job.tries
    )


def _is_time_to_write(job: FineTuneJob, sign: training.Sign | None) -> bool:
    """Say whether a new step begins, or the last sign of life is old: every write is kept in the record."""
    begins = sign is not None and sign.step != job.step
    return begins or job.beat_at is None or clock.now() - job.beat_at >= BEATS_EVERY


def _note(job: FineTuneJob, sign: training.Sign | None) -> None:
    """Write down how far the training is, or only that somebody watches it."""
    job.beat_at = now = clock.now()
    if sign is None:
        _mine(job).update(beat_at=now)
        return
    if sign.step != job.step or job.step_began_at is None:
        job.step, job.step_began_at = sign.step, now
    _mine(job).update(
        step=sign.step,
        done=sign.done,
        total=sign.total,
        loss=sign.loss,
        note=sign.note,
        step_began_at=job.step_began_at,
        progress_at=now,
        beat_at=now,
    )


def _conclude(job: FineTuneJob, run: training.Training, code: int) -> None:
    run.listen()
    _note(job, run.progress)
    state = _mine(job).values_list("state", flat=True).first()
    if state == State.CANCELLING:
        _mine(job).update(state=State.CANCELLED, finished_at=clock.now())
    elif code == 0:
        _deliver(job)
    elif code == training.CANCELLED:  # the machine is going down, and stopped the training before us
        _give_back(job, _mine(job))
    else:
        _fail(job, *_explanation(code, run))


def _deliver(job: FineTuneJob) -> None:
    """Make a candidate of what was trained, whole or not at all."""
    try:
        services.record(job=job, result=results.read(job.folder), own_cases=_own_cases(job))
    except WrongState:  # cancelled, or taken over, in the last moment
        _mine(job).filter(state=State.CANCELLING).update(state=State.CANCELLED, finished_at=clock.now())
    except Refusal as refusal:
        _fail(job, refusal.sentence)


def _own_cases(job: FineTuneJob) -> list[dict[str, Any]]:
    return results.held_out(job.folder, gate.MOST_OWN_CASES)


def _explanation(code: int, run: training.Training) -> tuple[str, str]:
    """Return in words why it failed: its own, or what its end tells."""
    if run.complaint:
        return run.complaint.error, run.complaint.hint
    if code in {-9, 137}:
        return (
            "The training was killed, most likely because the memory did not do.",
            "Close other programs, choose a smaller recipe, or give the machine more memory.",
        )
    return f"The training program broke off (code {code}).", f"The last line of its log: {run.last_words()}"


def _room_hint(error: OSError) -> str:
    return "Please make room on the disk and resume it." if error.errno in training.FULL else ""


def _fail(job: FineTuneJob, error: str, hint: str = "") -> None:
    _mine(job).update(state=State.FAILED, error=error[:300], hint=hint[:300], finished_at=clock.now())


def _take_from_the_dead(job: FineTuneJob) -> None:
    """Free the place of a job whose worker is silent: queue it again, or give it up."""
    silent = FineTuneJob.objects.abandoned().filter(pk=job.pk, beat_at=job.beat_at)
    if job.state == State.CANCELLING:
        _end_what_is_left(job)
        silent.update(state=State.CANCELLED, finished_at=clock.now())
        return
    if job.tries >= FineTuneJob.MOST_TRIES:
        _end_what_is_left(job)
    _give_back(job, silent)


def _give_back(job: FineTuneJob, row: QuerySet[FineTuneJob]) -> None:
    """Queue a job again that stopped in the middle; give it up when that keeps happening."""
    if job.tries < FineTuneJob.MOST_TRIES:
        row.update(state=State.QUEUED)
    else:
        row.update(state=State.FAILED, error=STOPPED_AGAIN, hint=_LOOK, finished_at=clock.now())


_LOOK = (
    "The machine may have been switched off, or its memory is too small. The log lies in the job's folder."
)


def _end_what_is_left(job: FineTuneJob) -> None:
    """Stop the program that outlived its worker, where it runs on this machine."""
    if job.machine != _machine():
        return
    try:
        training.end_what_was_left(job.folder, job.pid)
    except training.StillAtWork:
        return  # it is found again when the job is resumed


def _nudge_waiting() -> None:
    """Nudge as many of the oldest that wait as this machine has places."""
    waiting = FineTuneJob.objects.filter(state=State.QUEUED).order_by("created_at")
    for job_id in waiting.values_list("pk", flat=True)[: settings.FINE_TUNES_AT_ONCE]:
        tasks.work_on.delay_on_commit(str(job_id))
