"""The factory's API: staff with the right only, values checked by field, nothing done twice."""

import json
import uuid

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from tests import factories
from tests.workshop.conftest import candidate, examples_file, scored, started
from workshop import gate, intake, services
from workshop.models import Dataset, FineTuneJob, ModelVersion

pytestmark = pytest.mark.django_db
UPLOAD, FINE_TUNE, MODELS = "/api/v1/upload/", "/api/v1/fine-tune/", "/api/v1/models/"
RIGHTS = (
    "view_dataset add_dataset view_finetunejob add_finetunejob change_finetunejob view_modelversion"
    " change_modelversion promote_modelversion"
)


@pytest.fixture
def api(builder) -> APIClient:
    builder.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS.split()))
    client = APIClient()
    client.force_login(builder)
    return client


def _asked(dataset: Dataset, /, **changes: object) -> dict[str, object]:
    usual = {"assistant": "assistant", "dataset": str(dataset.pk), "recipe": "small"}
    return usual | changes


def test_an_upload_answers_with_its_report_and_keeps_no_personal_data(api, builder):
    lines = (
        examples_file().read()
        + b'\n{"text": "my phone is 212-555-0147 what do i owe", "commands": [{"name": "balance"}]}'
    )
    file = SimpleUploadedFile("words.jsonl", lines)
    response = api.post(UPLOAD, {"file": file, "licence": "own", "name": "Our words"}, format="multipart")
    assert response.status_code == 201
    told = response.json()
    assert (told["name"], told["format"], told["rows"]) == ("Our words", "JSON Lines", 25)
    assert told["kept"] + sum(told["dropped"].values()) == 25
    assert told["report"]["personal_data"] == {"phone": 1}
    dataset = Dataset.objects.get()
    assert dataset.uploaded_by == builder
    assert "555-0147" not in dataset.path.read_text()
    assert not list((dataset.path.parent.parent / "arriving").iterdir())


def test_a_body_of_json_lines_or_a_table_is_an_upload(api):
    body = examples_file().read()
    response = api.generic("POST", f"{UPLOAD}?licence=MIT", body, content_type="application/x-ndjson")
    assert (response.status_code, response.json()["licence"]) == (201, "MIT")
    table = b"text;command;slot\n" + b"\n".join(
        f"could i come on day {number} for the {word}".encode()
        + b";book_appointment;"
        + f"day {number}".encode()
        for number, word in enumerate(
            ["drops", "frames", "lenses", "exam", "fitting", "photo", "shades", "test"]
        )
    )
    response = api.generic("POST", f"{UPLOAD}?licence=own&name=table", table, content_type="text/csv")
    assert (response.status_code, response.json()["format"]) == (201, "table")


def test_the_same_file_again_is_the_same_dataset(api):
    answers = [
        api.post(UPLOAD, {"file": examples_file(), "licence": "own"}, format="multipart").json()["id"]
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert Dataset.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "content", "field", "words"),
    [
        ("a.exe", b"MZ", "file", "CSV table"),
        ("a.jsonl", b"", "file", "empty"),
        ("a.jsonl", b"not json", "file", "line 1"),
        ("a.jsonl", b"\xff\x00\x01", "file", "not a text file"),
        ("a.jsonl", b'{"text": "hi"}', "file", "line 1"),
        ("a.jsonl", b'{"text": "hi", "commands": [{"name": "drop_tables"}]}', "file", "cannot be used"),
        ("a.csv", b"text,text\na,b", "file", "twice"),
        ("a.jsonl", b"[" * 100_000, "file", "line 1"),
        ("../../a.jsonl", b"{}", "file", "line 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line(api, name, content, field, words):
    file = SimpleUploadedFile(name, content)
    response = api.post(UPLOAD, {"file": file, "licence": "own"}, format="multipart")
    assert response.status_code == 400
    assert words in response.json()["errors"][field][0]
    assert not Dataset.objects.exists()


def test_a_file_larger_than_the_limit_is_refused(api, monkeypatch):
    monkeypatch.setattr(intake, "LARGEST_BYTES", 1_000)
    response = api.post(UPLOAD, {"file": examples_file(), "licence": "own"}, format="multipart")
    assert response.status_code == 400
    assert "larger than" in response.json()["errors"]["file"][0]


def test_a_file_of_three_gigabytes_is_refused_by_its_announced_length(api):
    response = api.generic(
        "POST",
        f"{UPLOAD}?licence=own",
        b"",
        content_type="text/csv",
        headers={"Content-Length": str(3 * 2**30)},
    )
    assert response.status_code == 400
    assert "larger than 20 MB" in response.json()["errors"]["file"][0]


def test_messages_that_models_are_tried_on_are_left_out(api):
    line = json.dumps({"text": gate.cases()[-1].turn.message, "commands": [{"name": "thanks"}]}).encode()
    file = SimpleUploadedFile("words.jsonl", examples_file().read() + b"\n" + line)
    told = api.post(UPLOAD, {"file": file, "licence": "own"}, format="multipart").json()
    assert told["dropped"]["one that models are tried on"] == 1
    alone = api.post(
        UPLOAD, {"file": SimpleUploadedFile("a.jsonl", line), "licence": "own"}, format="multipart"
    )
    assert "Please write your own" in alone.json()["errors"]["file"][0]


@pytest.mark.parametrize(
    ("given", "field"), [({}, "file"), ({"file": "text"}, "file"), ({"licence": "mine, all mine"}, "licence")]
)
def test_an_upload_with_something_missing_names_the_field(api, given, field):
    whole = (
        {"file": examples_file(), "licence": "own"} if given and "file" not in given else {"licence": "own"}
    )
    response = api.post(UPLOAD, whole | given, format="multipart")
    assert response.status_code == 400
    assert field in response.json()["errors"]


def test_a_fine_tune_is_accepted_with_the_recipes_own_values(api, dataset, builder):
    response = api.post(FINE_TUNE, _asked(dataset), format="json")
    assert response.status_code == 202
    told = response.json()
    assert (told["state"], told["epochs"], told["learning_rate"]) == ("queued", 3, 2e-4)
    assert response["Location"] == f"{FINE_TUNE}{told['id']}/"
    assert FineTuneJob.objects.get().started_by == builder
    assert api.get(response["Location"]).json()["assistant"] == "assistant"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": 51}, "epochs"),
        ({"epochs": 1.5}, "epochs"),
        ({"epochs": "many"}, "epochs"),
        ({"learning_rate": "abc"}, "learning_rate"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"learning_rate": 1}, "learning_rate"),
        ({"learning_rate": "nan"}, "learning_rate"),
        ({"learning_rate": "inf"}, "learning_rate"),
        ({"recipe": "huge"}, "recipe"),
        ({"recipe": "../../etc/passwd"}, "recipe"),
        ({"recipe": ["small"]}, "recipe"),
        ({"assistant": "nobody"}, "assistant"),
        ({"assistant": {"slug": "assistant"}}, "assistant"),
        ({"dataset": str(uuid.uuid4())}, "dataset"),
        ({"dataset": "nonsense"}, "dataset"),
        ({"dataset": 7}, "dataset"),
        ({"base": "nothing"}, "base"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_and_starts_nothing(api, dataset, changes, field):
    response = api.post(FINE_TUNE, _asked(dataset, **changes), format="json")
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not FineTuneJob.objects.exists()


@pytest.mark.parametrize("body", ["[]", '"text"', "{", "null", "[" * 5_000])
def test_a_body_that_is_no_object_is_a_400(api, body):
    assert api.generic("POST", FINE_TUNE, body, content_type="application/json").status_code == 400


def test_the_same_key_starts_one_fine_tune(api, dataset):
    answers = [
        api.post(FINE_TUNE, _asked(dataset), format="json", headers={"Idempotency-Key": "k1"}).json()["id"]
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert FineTuneJob.objects.count() == 1
    long = api.post(FINE_TUNE, _asked(dataset), format="json", headers={"Idempotency-Key": "k" * 81})
    assert long.status_code == 400


def test_a_fine_tune_is_cancelled_and_resumed(api, job):
    assert api.post(f"{FINE_TUNE}{job.pk}/cancel/").json()["state"] == "cancelled"
    again = api.post(f"{FINE_TUNE}{job.pk}/cancel/")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert api.post(f"{FINE_TUNE}{job.pk}/resume/").json()["state"] == "queued"


def test_the_recipes_are_listed_without_those_that_make_a_base_model(api):
    (recipe,) = api.get(f"{FINE_TUNE}recipes/").json()
    assert (recipe["name"], recipe["epochs"], recipe["needs_gpu"]) == ("small", 3, False)


def test_a_version_is_promoted_and_rolled_back(api, assistant, host):
    version = scored(candidate(assistant))
    page = f"{MODELS}{version.pk}/"
    assert api.post(f"{page}promote/", {"why": "our words"}, format="json").json()["state"] == "promoted"
    assistant.refresh_from_db()
    assert assistant.model_name == version.name
    assert api.post(f"{page}roll-back/", {"why": "odd"}, format="json").json()["state"] == "evaluated"
    assistant.refresh_from_db()
    assert assistant.model_name == ""
    assert api.post(f"{page}roll-back/", {"why": "odd"}, format="json").status_code == 409


def test_a_closed_gate_answers_with_the_figures_that_fell(api, assistant, host):
    version = scored(candidate(assistant), red_flag=(80, 90))
    response = api.post(f"{MODELS}{version.pk}/promote/", {"why": "now"}, format="json")
    assert (response.status_code, response.json()["code"]) == (409, "gate_closed")
    assert response.json()["alternatives"] == [
        "Signs of an emergency that it noticed: fell from 90.0 % (90 of 100) to 80.0 % (80 of 100)."
    ]


def test_a_promotion_without_a_reason_names_the_field(api, assistant, host):
    version = scored(candidate(assistant))
    response = api.post(f"{MODELS}{version.pk}/promote/", {}, format="json")
    assert (response.status_code, list(response.json()["errors"])) == (400, ["why"])


def test_a_host_that_is_away_is_a_503_and_changes_nothing(api, assistant, host):
    version = scored(candidate(assistant))
    host.is_down = True
    response = api.post(f"{MODELS}{version.pk}/promote/", {"why": "now"}, format="json")
    assert (response.status_code, response.json()["code"]) == (503, "model_host_unreachable")
    assert ModelVersion.objects.get().state == "evaluated"


def test_a_version_is_scored_again_and_retired(api, assistant, host):
    version = scored(candidate(assistant))
    assert api.post(f"{MODELS}{version.pk}/evaluate/").status_code == 202
    assert api.post(f"{MODELS}{version.pk}/retire/").json()["state"] == "retired"


def test_a_version_shows_its_lineage_and_no_place_on_the_disk(api, assistant, job, workplace):
    from workshop import jobs

    jobs.work_on(str(job.pk))
    told = api.get(f"{MODELS}{ModelVersion.objects.get().pk}/").json()
    assert told["datasets"] == [str(job.dataset_id)]
    assert (told["recipe"], told["metrics"], told["licences"]) == (
        "fake",
        {"held_out_loss": 0.25},
        ["Apache-2.0"],
    )
    assert str(workplace) not in json.dumps(told)


def test_lists_are_paged_and_ask_the_database_as_often_for_many_rows_as_for_few(
    api, assistant, dataset, django_assert_max_num_queries
):
    for _ in range(25):
        candidate(assistant)
        started(assistant, dataset)
    for url in (FINE_TUNE, MODELS):
        with django_assert_max_num_queries(7):
            page = api.get(url).json()
        assert (page["count"], len(page["results"])) == (25, 20)


@pytest.mark.parametrize(
    "narrowed", ["?assistant=assistant", "?state=trained", "?assistant=nobody", "?state=%00"]
)
def test_versions_are_narrowed_and_nonsense_finds_nothing(api, assistant, narrowed):
    candidate(assistant)
    found = api.get(MODELS + narrowed).json()["count"]
    assert found == (0 if "nobody" in narrowed else 1)


def _everything(dataset, job, version) -> list[tuple[str, str]]:
    return [
        ("get", UPLOAD),
        ("post", UPLOAD),
        ("get", f"{UPLOAD}{dataset.pk}/"),
        ("get", FINE_TUNE),
        ("post", FINE_TUNE),
        ("get", f"{FINE_TUNE}recipes/"),
        ("get", f"{FINE_TUNE}{job.pk}/"),
        ("post", f"{FINE_TUNE}{job.pk}/cancel/"),
        ("post", f"{FINE_TUNE}{job.pk}/resume/"),
        ("get", MODELS),
        ("get", f"{MODELS}{version.pk}/"),
        ("post", f"{MODELS}{version.pk}/promote/"),
        ("post", f"{MODELS}{version.pk}/roll-back/"),
        ("post", f"{MODELS}{version.pk}/evaluate/"),
        ("post", f"{MODELS}{version.pk}/retire/"),
    ]


@pytest.mark.parametrize("who", ["patient", "front desk", "nobody"])
def test_nobody_without_the_right_sees_or_does_anything(client, ana, dataset, job, assistant, who):
    version = scored(candidate(assistant))
    if who != "nobody":
        client.force_login(ana.account if who == "patient" else factories.AccountFactory(is_staff=True))
    for method, url in _everything(dataset, job, version):
        status = getattr(client, method)(url).status_code
        row = str(job.pk) in url or str(dataset.pk) in url or f"{MODELS}{version.pk}" in url
        assert status == (404 if row and who != "nobody" else 403 if who != "nobody" else status)
        assert status in {401, 403, 404}
    job.refresh_from_db()
    version.refresh_from_db()
    assert (job.state, version.state) == ("queued", "evaluated")


def test_each_deed_needs_its_own_right(client, dataset, job, assistant, builder, host):
    version = scored(candidate(assistant))
    looks = Permission.objects.filter(codename__startswith="view_", content_type__app_label="workshop")
    builder.user_permissions.set(looks)
    client.force_login(builder)
    for method, url in _everything(dataset, job, version):
        status = getattr(client, method)(url).status_code
        assert status == 200 if method == "get" else status in {403, 404}, (method, url)


def test_the_documentation_shows_how_to_start(client):
    schema = client.get("/api/v1/schema/?format=json").json()
    starting = schema["paths"]["/api/v1/fine-tune/"]["post"]
    assert "Teach" in json.dumps(starting["requestBody"])
    assert "multipart/form-data" in schema["paths"]["/api/v1/upload/"]["post"]["requestBody"]["content"]
    assert services.promote.__doc__
