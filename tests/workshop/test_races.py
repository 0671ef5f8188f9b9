"""Many at the same moment on PostgreSQL: one promotion, one roll-back, one worker for each job and place."""

import pytest
from django.db import IntegrityError, transaction

from chatbot.models import Assistant
from eyecare.errors import Refusal
from tests.threads import at_once
from tests.workshop.conftest import candidate, examples_file, scored, started
from workshop import jobs, services
from workshop.models import Dataset, FineTuneJob, ModelVersion, Promotion
from workshop.refusals import Outdated

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
State = ModelVersion.State


@pytest.fixture
def assistant(transactional_db) -> Assistant:
    found, _ = Assistant.objects.get_or_create(
        is_default=True, defaults={"slug": "assistant", "name": "Assistant"}
    )
    return found


def _promote(version: ModelVersion) -> Promotion:
    return services.promote(version=version, why="now")


def test_of_two_promotions_at_once_one_serves_and_the_other_is_told(assistant, host):
    versions = [scored(candidate(assistant)) for _ in range(4)]
    told = at_once([lambda version=version: _promote(version) for version in versions], outcomes=Refusal)
    made = [outcome for outcome in told if isinstance(outcome, Promotion)]
    assert len(made) == 1
    assert {type(outcome) for outcome in told if outcome not in made} == {Outdated}
    assistant.refresh_from_db()
    assert list(ModelVersion.objects.promoted()) == [made[0].to_version]
    assert assistant.model_name == made[0].to_version.name


def test_the_same_version_promoted_twice_at_once_is_promoted_once(assistant, host):
    version = scored(candidate(assistant))
    told = at_once([lambda: _promote(version)] * 4, outcomes=Refusal)
    assert sum(isinstance(outcome, Promotion) for outcome in told) == 1
    assert Promotion.objects.count() == 1


def test_a_roll_back_pressed_many_times_at_once_goes_back_one_step(assistant, host):
    first, second = candidate(assistant), candidate(assistant)
    _promote(scored(first))
    _promote(scored(second, against=first.name))
    told = at_once([lambda: services.take_back(version=second, why="odd")] * 4, outcomes=Refusal)
    assert sum(isinstance(outcome, Promotion) for outcome in told) == 1
    assistant.refresh_from_db()
    assert assistant.model_name == first.name
    assert list(ModelVersion.objects.promoted()) == [first]


def test_retiring_and_promoting_at_once_never_leaves_a_retired_model_serving(assistant, host):
    for _ in range(5):
        version = scored(candidate(assistant))
        at_once(
            [lambda v=version: _promote(v), lambda v=version: services.retire(version=v)], outcomes=Refusal
        )
        assistant.refresh_from_db()
        version.refresh_from_db()
        serves = assistant.model_name == version.name
        assert version.state == (State.PROMOTED if serves else State.RETIRED)
        if serves:
            services.roll_back(assistant=assistant, why="next round")


def test_the_database_itself_lets_one_version_of_an_assistant_serve(assistant):
    first, second = candidate(assistant), candidate(assistant)
    ModelVersion.objects.filter(pk=first.pk).update(state=State.PROMOTED)
    with pytest.raises(IntegrityError, match="an_assistant_runs_on_one_version"), transaction.atomic():
        ModelVersion.objects.filter(pk=second.pk).update(state=State.PROMOTED)


def _dataset() -> Dataset:
    return services.upload(file=examples_file(), licence="own")


def _waiting(assistant: Assistant, count: int) -> list[FineTuneJob]:
    """Return jobs that wait, and nobody was nudged for."""
    dataset = _dataset()
    return [
        FineTuneJob.objects.create(
            assistant=assistant, dataset=dataset, recipe="small", epochs=1, learning_rate=1e-4
        )
        for _ in range(count)
    ]


def test_a_job_is_claimed_by_one_worker(assistant):
    (job,) = _waiting(assistant, 1)
    claims = at_once([lambda: jobs._claim(str(job.pk))] * 6)
    assert sum(claim is not None for claim in claims) == 1
    assert FineTuneJob.objects.get().tries == 1


def test_many_workers_of_a_machine_take_as_many_jobs_as_it_has_places(assistant, settings):
    settings.FINE_TUNES_AT_ONCE = 2
    waiting = _waiting(assistant, 6)
    claims = at_once([lambda job=job: jobs._claim(str(job.pk)) for job in waiting])
    assert sum(claim is not None for claim in claims) == 2
    assert set(FineTuneJob.objects.at_work().values_list("place", flat=True)) == {0, 1}


def test_a_dead_workers_job_is_queued_again_once_however_many_sweep(assistant):
    (job,) = _waiting(assistant, 1)
    claimed = jobs._claim(str(job.pk))
    assert claimed
    FineTuneJob.objects.update(beat_at=claimed.beat_at - 2 * FineTuneJob.SILENCE_LASTS)
    at_once([lambda: jobs.take_up()] * 3, outcomes=Refusal)
    job.refresh_from_db()
    assert (job.state, job.tries) == (FineTuneJob.State.DONE, 2)
    assert ModelVersion.objects.count() == 1


def test_the_same_file_uploaded_many_times_at_once_is_one_dataset(db):
    found = at_once([_dataset] * 4)
    assert len({dataset.pk for dataset in found}) == 1
    assert Dataset.objects.get().path.exists()


def test_a_version_is_scored_by_one_worker_however_many_are_nudged(assistant, host):
    version = services.ask_for_figures(version=candidate(assistant))
    at_once([lambda: services.evaluate(version.pk)] * 3)
    assert version.evaluations.count() == 1


def test_versions_written_at_once_have_numbers_of_their_own(assistant, workplace):
    paths = []
    for number in range(4):
        path = workplace / f"{number}.gguf"
        path.write_bytes(b"GGUF %d" % number)
        paths.append(path)
    at_once([lambda path=path: _import(assistant, path) for path in paths])
    assert sorted(ModelVersion.objects.values_list("number", flat=True)) == [1, 2, 3, 4]


def _import(assistant, path):
    return services.import_version(
        assistant=assistant, path=path, name="x", licence="", prompt_style="full", context_tokens=512
    )


def test_the_same_key_at_once_starts_one_job(assistant, builder):
    dataset = _dataset()
    found = at_once([lambda: started(assistant, dataset, actor=builder, idempotency_key="k")] * 4)
    assert len({job.pk for job in found}) == 1
