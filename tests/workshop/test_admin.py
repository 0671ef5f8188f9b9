"""The model builder's pages: upload, train, compare, promote, roll back, each by who may and in words."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from chatbot.models import Assistant, Example
from eyecare import clock
from tests import factories
from tests.workshop.conftest import OWN, candidate, examples_file, scored, started
from workshop import jobs, services
from workshop.models import Dataset, FineTuneJob, ModelVersion, Promotion

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice")]
LISTS = ["dataset", "finetunejob", "modelversion", "promotion"]


@pytest.fixture
def desk(client, dana):
    client.force_login(dana)
    return client


@pytest.fixture
def onlooker(client, builder):
    """Somebody who may look at everything in the workshop, and do nothing."""
    looks = Permission.objects.filter(codename__startswith="view_", content_type__app_label="workshop")
    builder.user_permissions.set(looks)
    client.force_login(builder)
    return client


def _page(row: object, step: str = "change") -> str:
    kind = type(row)._meta.model_name
    return f"/admin/workshop/{kind}/{row.pk}/{step}/"


def _press(desk, row: object, step: str, **given: object):
    return desk.post(_page(row, step), {"_form_submitted": 1, **given}, follow=True)


def _buttons(page: str) -> set[str]:
    """Return the steps that a page offers."""
    return {step for step in STEPS if f"/{step}/" in page}


STEPS = ["cancel", "resume", "promote", "roll_back", "score_again", "retire"]


@pytest.mark.parametrize("model", LISTS)
def test_a_list_asks_the_database_as_often_for_many_rows_as_for_few(
    desk, assistant, dataset, host, model, django_assert_max_num_queries
):
    for number in range(6):
        version = scored(candidate(assistant))
        started(assistant, dataset)
        if number == 0:
            services.promote(version=version, why="first")
            services.roll_back(assistant=assistant, why="second")
    with django_assert_max_num_queries(15):
        assert desk.get(f"/admin/workshop/{model}/").status_code == 200


def test_an_upload_shows_its_report(desk, dana):
    given = {"file": examples_file(), "name": "", "licence": "own"}
    page = desk.post("/admin/workshop/dataset/add/", given, follow=True).content.decode()
    dataset = Dataset.objects.get()
    assert (dataset.name, dataset.uploaded_by) == ("words", dana)
    assert f"{dataset.kept} examples" in page
    assert "Book appointment" in page
    assert f"?examples={dataset.pk}" in page


def test_a_file_that_cannot_be_used_is_told_beside_its_field(desk):
    given = {"file": examples_file(name="words.exe"), "licence": "own"}
    page = desk.post("/admin/workshop/dataset/add/", given)
    assert page.status_code == 200
    assert "Please upload a CSV table" in page.content.decode()
    assert not Dataset.objects.exists()


def test_the_form_to_start_comes_filled(desk, dataset):
    page = desk.get(f"/admin/workshop/finetunejob/add/?examples={dataset.pk}").content.decode()
    assert re.search(r'name="epochs"[^>]* value="3"|value="3"[^>]* name="epochs"', page)
    assert "Learns your words." in page
    assert "from-scratch" not in page


def test_a_fine_tune_is_started_and_watched(desk, dataset, assistant, dana):
    given = {
        "assistant": assistant.pk,
        "examples": dataset.pk,
        "recipe": "small",
        "epochs": 2,
        "learning_rate": 1e-4,
    }
    page = desk.post("/admin/workshop/finetunejob/add/", given, follow=True).content.decode()
    job = FineTuneJob.objects.get()
    assert (job.state, job.epochs, job.started_by) == ("queued", 2, dana)
    assert "It waits for its turn" in page
    assert f"/admin/workshop/finetunejob/{job.pk}/report/" in page
    jobs.work_on(str(job.pk))
    done = desk.get(_page(job, "report")).content.decode()
    assert "hx-get" not in done
    assert reverse("admin:workshop_modelversion_change", args=[ModelVersion.objects.get().pk]) in done


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": ""},
        {"learning_rate": 1},
        {"learning_rate": "abc"},
        {"recipe": "huge"},
        {"examples": "x"},
    ],
)
def test_a_value_that_cannot_be_used_starts_nothing(desk, dataset, assistant, wrong):
    given = {
        "assistant": assistant.pk,
        "examples": dataset.pk,
        "recipe": "small",
        "epochs": 2,
        "learning_rate": 1e-4,
    }
    page = desk.post("/admin/workshop/finetunejob/add/", given | wrong)
    assert page.status_code == 200
    assert "errorlist" in page.content.decode() or "correct the error" in page.content.decode()
    assert not FineTuneJob.objects.exists()


def test_a_running_fine_tune_shows_its_step_loss_and_time(desk, job):
    now = clock.now()
    FineTuneJob.objects.filter(pk=job.pk).update(
        state="running", machine="m", place=0, beat_at=now, step="train", done=100, total=400, loss=0.5,
        step_began_at=now - timedelta(minutes=2), progress_at=now,
    )  # fmt: skip
    page = desk.get(_page(job, "report")).content.decode()
    assert "Learning</strong>: 100 of 400, about 6 minutes left" in page
    assert 'max="400" value="100"' in page
    assert "Loss 0.500" in page


def test_a_failed_fine_tune_says_why_and_what_would_help(desk, job, behave):
    behave("refuses")
    jobs.work_on(str(job.pk))
    page = desk.get(_page(job)).content.decode()
    assert "line 3: no such command." in page
    assert "Look at the list of commands." in page
    assert _buttons(page) == {"resume"}


def test_a_fine_tune_is_cancelled_and_resumed(desk, job):
    assert _buttons(desk.get(_page(job)).content.decode()) == {"cancel"}
    _press(desk, job, "cancel")
    assert jobs.get(job.pk).state == "cancelled"
    _press(desk, job, "resume")
    assert jobs.get(job.pk).state == "queued"


def test_a_version_that_passed_is_promoted_and_rolled_back_by_a_press_each(desk, assistant, host, dana):
    version = scored(candidate(assistant))
    page = desk.get(_page(version)).content.decode()
    assert "It passes the gate." in page
    assert _buttons(page) == {"promote", "score_again", "retire"}
    page = _press(desk, version, "promote", why="our words").content.decode()
    assert "It is in use from the next message on." in page
    assert _buttons(page) == {"roll_back"}
    assert Assistant.objects.get(pk=assistant.pk).model_name == version.name
    page = _press(desk, version, "roll_back", why="odd answers").content.decode()
    assert "The model before it is in use again." in page
    assert Assistant.objects.get(pk=assistant.pk).model_name == ""
    assert list(Promotion.objects.values_list("by", "why")) == [
        (dana.pk, "odd answers"),
        (dana.pk, "our words"),
    ]


def test_a_version_that_does_not_pass_shows_what_fell_and_cannot_be_promoted(desk, assistant, host):
    version = scored(candidate(assistant), red_flag=(80, 90))
    fell = "Signs of an emergency that it noticed: fell from 90.0 % (90 of 100) to 80.0 % (80 of 100)."
    page = desk.get(_page(version)).content.decode()
    assert fell in page
    assert "It does not pass" in page
    assert fell in _press(desk, version, "promote", why="anyway").content.decode()
    assert ModelVersion.objects.get().state == "evaluated"


def test_a_promotion_asks_why(desk, assistant, host):
    version = scored(candidate(assistant))
    _press(desk, version, "promote", why="")
    assert not Promotion.objects.exists()


def test_a_button_pressed_by_a_link_does_nothing(desk, assistant, host):
    version = scored(candidate(assistant))
    desk.get(_page(version, "promote"))
    desk.get(_page(version, "retire"))
    assert ModelVersion.objects.get().state == "evaluated"


def test_a_host_that_is_away_is_told_and_changes_nothing(desk, assistant, host):
    version = scored(candidate(assistant))
    host.is_down = True
    page = _press(desk, version, "promote", why="now").content.decode()
    assert "The model host cannot be reached. Nothing was changed." in page
    assert Assistant.objects.get(pk=assistant.pk).model_name == ""


def test_a_version_without_figures_says_what_it_waits_for(desk, assistant, host):
    version = services.ask_for_figures(version=candidate(assistant))
    assert "It is being scored." in desk.get(_page(version)).content.decode()
    host.is_down = True
    for _ in range(3):
        services.evaluate(version.pk)
    page = desk.get(_page(version)).content.decode()
    assert "The model host cannot be reached" in page


def test_what_a_patient_wrote_is_shown_as_text_and_never_run(desk, assistant, host):
    version = scored(candidate(assistant))
    evaluation = version.evaluation
    evaluation.wrong_cases = [
        {
            "kind": "own",
            "text": "<script>alert(1)</script>",
            "state": "",
            "wanted": "balance",
            "understood": "nothing",
        }
    ]
    evaluation.save()
    page = desk.get(_page(version)).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_somebody_who_may_only_look_is_offered_no_step_and_can_take_none(onlooker, job, assistant, host):
    version = scored(candidate(assistant))
    for row in (job, version, job.dataset):
        page = onlooker.get(_page(row))
        assert page.status_code == 200
        assert _buttons(page.content.decode()) == set()
    for step in ("promote", "roll_back", "score_again", "retire"):
        assert onlooker.post(_page(version, step), {"_form_submitted": 1, "why": "x"}).status_code == 403
    assert onlooker.post(_page(job, "cancel"), {"_form_submitted": 1}).status_code == 403
    for model in ("dataset", "finetunejob", "modelversion", "promotion"):
        assert onlooker.get(f"/admin/workshop/{model}/add/").status_code == 403
    job.refresh_from_db()
    version.refresh_from_db()
    assert (job.state, version.state) == ("queued", "evaluated")


def test_the_front_desk_sees_nothing_of_the_workshop(client, job, assistant):
    version = candidate(assistant)
    client.force_login(factories.AccountFactory(is_staff=True))
    for row in (job, version, job.dataset):
        assert client.get(_page(row)).status_code in {302, 403}
        assert client.get(_page(row, "report")).status_code == 404
    for model in LISTS:
        assert client.get(f"/admin/workshop/{model}/").status_code == 403


@pytest.mark.parametrize("model", ["dataset", "finetunejob", "modelversion"])
def test_a_row_that_is_none_is_a_404_or_a_way_back(desk, model):
    for key in ("nonsense", "4711", "00000000-0000-4000-8000-000000000000"):
        assert desk.get(f"/admin/workshop/{model}/{key}/report/").status_code == 404
        assert desk.get(f"/admin/workshop/{model}/{key}/change/").status_code == 302


def test_nothing_in_the_workshop_is_deleted_or_changed_by_hand(desk, job, assistant, host):
    version = scored(candidate(assistant))
    logged = services.promote(version=version, why="first")
    for row in (job, job.dataset, version, logged):
        assert desk.get(_page(row, "delete")).status_code == 403
        assert desk.post(_page(row), {"name": "other"}).status_code == 403


def test_the_practices_own_examples_are_taken_from_the_bank(desk, assistant):
    for source in ("practice", "shipped"):
        for number, (text, command, arguments) in enumerate(OWN):
            Example.objects.create(
                text=f"{text} {source}",
                commands=[{"name": command, "arguments": arguments}],
                source=source,
                for_scoring=number == 3,
            )
    given = {"assistant": assistant.pk, "_form_submitted": 1}
    page = desk.post("/admin/workshop/dataset/take_from_bank/", given, follow=True).content.decode()
    assert "They are taken in." in page
    dataset = Dataset.objects.get()
    assert (dataset.rows, dataset.licence) == (3, "own")
    assert "shipped" not in dataset.path.read_text()


def test_an_empty_bank_is_told_and_takes_nothing_in(desk, assistant):
    given = {"assistant": assistant.pk, "_form_submitted": 1}
    page = desk.post("/admin/workshop/dataset/take_from_bank/", given, follow=True).content.decode()
    assert "empty" in page
    assert not Dataset.objects.exists()
