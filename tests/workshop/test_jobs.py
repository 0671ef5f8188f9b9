"""Trainings: claimed once, watched, cancelled, resumed, and taken up again when a worker dies."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest

from chatbot.models import Assistant
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from tests.workshop.conftest import FAKE, started
from workshop import jobs, training
from workshop.models import FineTuneJob, ModelVersion
from workshop.refusals import NoRoom, NoSuchRecipe, WrongState

pytestmark = pytest.mark.django_db
State = FineTuneJob.State


def _worked(job: FineTuneJob) -> FineTuneJob:
    jobs.work_on(str(job.pk))
    return jobs.get(job.pk)


def _at_work(job: FineTuneJob, *, silent_for: timedelta = timedelta(0), **fields: object) -> FineTuneJob:
    """Make the row look as if a worker of this machine had claimed it."""
    beat = clock.now() - silent_for
    FineTuneJob.objects.filter(pk=job.pk).update(
        **{"state": State.RUNNING, "machine": jobs._machine(), "place": 0, "beat_at": beat, "tries": 1}
        | fields
    )
    return jobs.get(job.pk)


def test_a_training_ends_in_a_candidate_and_never_in_use(job, assistant):
    done = _worked(job)
    version = done.version
    assert (done.state, done.step, done.done, done.total) == (State.DONE, "train", 40, 40)
    assert (version.state, version.number, version.kind) == (ModelVersion.State.TRAINED, 1, "adapter")
    assert version.file.endswith(f"models/{version.name}.gguf")
    assert version.evaluation_asked_at is not None
    assert list(version.datasets.all()) == [job.dataset]
    assert version.own_cases[0]["text"] == "any chance of a pressure check"
    assert Assistant.objects.get(pk=assistant.pk).model_name == ""


def test_the_training_is_told_what_was_chosen_and_no_secret(job, monkeypatch, settings):
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_live")
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    _worked(job)
    seen = json.loads((job.folder / "seen.json").read_text())
    assert seen["arguments"] == [
        "--recipe",
        "small",
        "--folder",
        str(job.folder),
        "--base",
        settings.LLM_MODEL_PATH,
        "--data",
        str(job.dataset.path),
        "--set",
        "epochs=3",
        "--set",
        "learning_rate=0.0002",
    ]
    assert "PATH" in seen["environment"]
    assert not {"STRIPE_SECRET_KEY", "DATABASE_URL", "SECRET_KEY"} & set(seen["environment"])


@pytest.mark.parametrize(
    ("how", "error", "hint"),
    [
        ("refuses", "line 3: no such command.", "Look at the list of commands."),
        ("breaks_off", "The training program broke off (code 1).", "the tensor is of the wrong shape"),
        (
            "is_killed",
            "The training was killed, most likely because the memory did not do.",
            "smaller recipe",
        ),
        ("leaves_nothing", "The training ended without a result.", ""),
        ("leaves_half_a_file", "The model file is not whole", ""),
        ("names_a_file_elsewhere", "The training named a file outside its folder.", ""),
        ("takes_another_base", "The training made an adapter for another base model", ""),
    ],
)
def test_a_training_that_goes_wrong_says_why_and_leaves_no_version(job, behave, workplace, how, error, hint):
    behave(how)
    failed = _worked(job)
    assert failed.state == State.FAILED
    assert error in failed.error
    assert hint in failed.hint
    assert not ModelVersion.objects.exists()
    assert not list((workplace / "models").glob("*")) if (workplace / "models").exists() else True


def test_a_program_that_cannot_be_started_is_a_failure_with_words(job, settings):
    settings.FINE_TUNE_COMMAND = ["/no/such/program"]
    failed = _worked(job)
    assert failed.state == State.FAILED
    assert failed.error


def test_nonsense_between_the_signs_is_passed_over(job, behave):
    behave("mumbles")
    done = _worked(job)
    assert (done.state, done.step, done.done, done.total, done.loss) == (
        State.DONE,
        "export",
        2**31 - 1,
        0,
        None,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": 51},
        {"learning_rate": 0.0},
        {"learning_rate": -1e-4},
        {"learning_rate": 0.02},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"recipe": "from-scratch"},
        {"recipe": "../small"},
    ],
)
def test_a_value_that_cannot_be_used_starts_nothing(assistant, dataset, wrong):
    with pytest.raises(Invalid):
        started(assistant, dataset, **wrong)
    assert not FineTuneJob.objects.exists()


def test_an_unknown_recipe_is_answered_with_those_that_there_are(assistant, dataset):
    with pytest.raises(NoSuchRecipe, match="There are: small"):
        started(assistant, dataset, recipe="huge")


def test_a_full_disk_is_said_before_anything_begins(assistant, dataset, monkeypatch):
    monkeypatch.setattr(jobs, "ROOM_BYTES", 10**18)
    with pytest.raises(NoRoom, match="make room"):
        started(assistant, dataset)
    assert not FineTuneJob.objects.exists()


def test_the_same_key_starts_one_job(assistant, dataset, builder):
    one = started(assistant, dataset, actor=builder, idempotency_key="k1")
    assert started(assistant, dataset, actor=builder, idempotency_key="k1") == one
    assert started(assistant, dataset, actor=builder, idempotency_key="k2") != one


def test_a_job_that_waits_is_cancelled_at_once_and_never_trained(job):
    assert jobs.cancel(job=job).state == State.CANCELLED
    assert _worked(job).state == State.CANCELLED
    assert not job.folder.exists()


def test_a_training_that_is_cancelled_stops_keeps_its_checkpoint_and_goes_on_from_it(
    job, behave, monkeypatch
):
    behave("trains_slowly")
    note = jobs._note

    def cancelled_on_the_way(watched, sign):
        note(watched, sign)
        if sign and sign.step == "train" and jobs.get(watched.pk).can_be_cancelled:
            jobs.cancel(job=watched)

    monkeypatch.setattr(jobs, "_note", cancelled_on_the_way)
    stopped = _worked(job)
    assert stopped.state == State.CANCELLED
    assert not ModelVersion.objects.exists()
    reached = int((job.folder / "checkpoint").read_text())
    assert 0 < reached < 40
    monkeypatch.setattr(jobs, "_note", note)
    behave("trains")
    done = _worked(jobs.resume(job=stopped))
    assert (done.state, done.note) == (State.DONE, f"from {reached}")


def test_only_what_waits_or_runs_is_cancelled_and_only_what_ended_early_is_resumed(job):
    done = _worked(job)
    with pytest.raises(WrongState):
        jobs.cancel(job=done)
    with pytest.raises(WrongState):
        jobs.resume(job=done)
    assert jobs.get(job.pk).state == State.DONE


def test_a_training_cancelled_in_its_last_moment_leaves_no_version(job, monkeypatch):
    deliver = jobs._deliver

    def cancelled_first(watched):
        jobs.cancel(job=watched)
        deliver(watched)

    monkeypatch.setattr(jobs, "_deliver", cancelled_first)
    assert _worked(job).state == State.CANCELLED
    assert not ModelVersion.objects.exists()


def test_a_machine_trains_one_at_a_time_and_the_next_follows_by_itself(assistant, dataset, job):
    busy = _at_work(started(assistant, dataset))
    assert _worked(job).state == State.QUEUED
    FineTuneJob.objects.filter(pk=busy.pk).update(state=State.CANCELLED)
    assert _worked(job).state == State.DONE


def test_a_machine_with_two_places_trains_two_at_a_time(assistant, dataset, job, settings):
    settings.FINE_TUNES_AT_ONCE = 2
    _at_work(started(assistant, dataset))
    done = _worked(job)
    assert (done.state, done.place) == (State.DONE, 1)


def test_a_job_whose_worker_died_is_trained_again_from_its_checkpoint(
    job, django_capture_on_commit_callbacks
):
    (job.folder).mkdir(parents=True)
    (job.folder / "checkpoint").write_text("30")
    _at_work(job, silent_for=timedelta(minutes=2))
    with django_capture_on_commit_callbacks(execute=True):
        jobs.take_up()
    done = jobs.get(job.pk)
    assert (done.state, done.tries, done.note) == (State.DONE, 2, "from 30")


def test_a_job_whose_worker_is_alive_is_left_to_it(job):
    _at_work(job, silent_for=timedelta(seconds=80))
    jobs.take_up()
    assert jobs.get(job.pk).state == State.RUNNING


def test_a_job_that_stopped_three_times_is_given_up(job):
    _at_work(job, silent_for=timedelta(minutes=2), tries=3)
    jobs.take_up()
    failed = jobs.get(job.pk)
    assert (failed.state, failed.error) == (State.FAILED, jobs.STOPPED_AGAIN)


def test_a_cancelled_job_whose_worker_died_is_cancelled(job):
    _at_work(job, silent_for=timedelta(minutes=2), state=State.CANCELLING)
    jobs.take_up()
    assert jobs.get(job.pk).state == State.CANCELLED


def test_a_program_that_outlived_its_worker_is_stopped_before_another_begins(job, monkeypatch):
    left = training.start(
        ["--recipe", "small", "--folder", str(job.folder), "--data", "x", "--set", "epochs=3"],
        job.folder,
    )
    left.end()
    orphan = _orphan(job)
    try:
        _at_work(job, silent_for=timedelta(minutes=2), pid=orphan.pid)
        FineTuneJob.objects.filter(pk=job.pk).update(state=State.QUEUED)
        done = _worked(job)
        assert done.state == State.DONE
        assert orphan.wait(5) is not None
    finally:
        orphan.kill()


def _orphan(job: FineTuneJob) -> subprocess.Popen:
    """Start a program that holds the lock of the job's folder, as one does whose worker was killed."""
    program = (
        "import fcntl, sys, time; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX);"
        "print('held', flush=True); time.sleep(60)"
    )
    orphan = subprocess.Popen(
        [sys.executable, "-c", program, str(job.folder / "lock")], stdout=subprocess.PIPE
    )
    assert orphan.stdout.readline() == b"held\n"
    return orphan


def test_a_folder_that_a_stranger_holds_fails_the_job_and_hurts_nobody(job, monkeypatch):
    job.folder.mkdir(parents=True)
    stranger = _orphan(job)
    try:
        failed = _worked(job)
        assert failed.state == State.FAILED
        assert "still works in this folder" in failed.error
        assert stranger.poll() is None
    finally:
        stranger.kill()


def test_a_program_that_will_not_stop_is_ended_by_force(job, settings, monkeypatch):
    monkeypatch.setattr(training, "GRACE_SECONDS", 0.3)
    settings.FINE_TUNE_COMMAND = [sys.executable, str(FAKE), "will_not_stop"]
    run = training.start(
        ["--recipe", "small", "--folder", str(job.folder), "--data", "x", "--set", "epochs=3"], job.folder
    )
    while not run.progress:
        run.wait(0.05)
        run.listen()
    assert run.end() == -9


def test_a_job_taken_over_by_another_worker_is_not_written_to(job):
    mine = _at_work(job)
    FineTuneJob.objects.filter(pk=job.pk).update(tries=2)
    jobs._fail(mine, "I am late.")
    assert jobs.get(job.pk).state == State.RUNNING


@pytest.mark.parametrize("key", ["nonsense", "", None, "0" * 32, 7])
def test_a_job_that_is_none_is_not_found(db, key):
    with pytest.raises(NotFound):
        jobs.get(key)


def test_the_training_runs_nicely(job):
    before = os.nice(0)
    _worked(job)
    assert training._nicely()[1:] == ["-n", "10"]
    assert os.nice(0) == before
