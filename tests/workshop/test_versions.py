"""Versions: scored, promoted past the gate only, rolled back, retired; a refusal changes nothing."""

from pathlib import Path

import pytest
from django.db import DatabaseError, transaction

from chatbot.models import Assistant, Example
from eyecare.errors import Invalid, NotFound
from tests import factories
from tests.workshop.conftest import candidate, scored
from workshop import gate, services
from workshop.models import Evaluation, ModelVersion, Promotion
from workshop.refusals import (
    BadModel,
    HostRefused,
    HostUnreachable,
    NotBetter,
    Outdated,
    WrongState,
)

pytestmark = pytest.mark.django_db
State = ModelVersion.State


def _state(version: ModelVersion) -> str:
    return ModelVersion.objects.get(pk=version.pk).state


def _serving(assistant: Assistant) -> tuple[str, str]:
    assistant.refresh_from_db()
    return assistant.model_name, assistant.prompt_style


def _to_score(assistant: Assistant, **changes: object) -> ModelVersion:
    version = candidate(assistant, **changes)
    return services.ask_for_figures(version=version)


def test_a_candidate_is_scored_beside_the_model_that_serves(assistant, host):
    version = _to_score(assistant)
    host.misses["eyecare-command"] = host.misses[""] = {"person"}
    services.evaluate(version.pk)
    version.refresh_from_db()
    assert (version.state, version.evaluation.is_passed) == (State.EVALUATED, True)
    assert host.loaded == [version.name]
    figures, against = version.evaluation.figures, version.evaluation.against_figures
    assert figures["person"]["right"] == figures["person"]["total"]
    assert against["person"]["right"] < against["person"]["total"]
    assert version.evaluation.against == "eyecare-command"
    assert {finding["name"] for finding in version.evaluation.findings} == set(gate.LABELS) - {"own"}


def test_a_candidate_that_misses_emergencies_does_not_pass_and_shows_which(assistant, host):
    version = _to_score(assistant)
    host.misses[version.name] = {"red_flag"}
    services.evaluate(version.pk)
    version.refresh_from_db()
    assert (version.state, version.evaluation.is_passed) == (State.EVALUATED, False)
    wrong = [case["kind"] for case in version.evaluation.wrong_cases]
    assert wrong.count("red_flag") == version.evaluation.figures["red_flag"]["total"] == 24
    with pytest.raises(NotBetter, match=r"Signs of an emergency that it noticed: fell from 100\.0 %"):
        services.promote(version=version, why="I want it")
    assert (_state(version), _serving(assistant)) == (State.EVALUATED, ("", ""))
    assert not Promotion.objects.exists()


def test_the_practices_own_messages_count(assistant, host):
    own = [{"text": "any chance of a pressure check", "commands": [{"name": "book_appointment"}]}]
    version = _to_score(assistant, own_cases=own)
    services.evaluate(version.pk)
    version.refresh_from_db()
    assert version.evaluation.figures["own"] == {"right": 0, "total": 1}


def test_a_host_that_is_away_leaves_a_candidate_unscored_and_is_asked_again_three_times(assistant, host):
    version = _to_score(assistant)
    host.is_down = True
    for _ in range(5):
        services.evaluate(version.pk)
    version.refresh_from_db()
    assert (version.state, version.evaluation, version.evaluation_tries) == (State.TRAINED, None, 3)
    assert version.evaluation_error == "The model host cannot be reached. Nothing was changed."
    host.is_down = False
    services.ask_for_figures(version=version)
    services.evaluate(version.pk)
    assert _state(version) == State.EVALUATED


def test_a_file_that_was_changed_since_is_not_scored(assistant, host):
    version = _to_score(assistant)
    Path(version.file).write_bytes(b"GGUF somebody else's")
    services.evaluate(version.pk)
    version.refresh_from_db()
    assert (version.state, host.loaded) == (State.TRAINED, [])
    assert "a checksum differs" in version.evaluation_error


def test_a_version_is_scored_by_one_worker(assistant, host):
    version = _to_score(assistant)
    ModelVersion.objects.filter(pk=version.pk).update(evaluation_claimed_at=version.evaluation_asked_at)
    services.evaluate(version.pk)
    assert host.loaded == []
    assert not Evaluation.objects.exists()


def test_a_version_that_passed_serves_from_the_next_message_on(assistant, host, builder):
    version = scored(candidate(assistant))
    logged = services.promote(version=version, why="Knows our words", actor=builder)
    assert _serving(assistant) == (version.name, "compact")
    assert _state(version) == State.PROMOTED
    assert host.loaded == [version.name]
    assert (logged.from_version, logged.to_version, logged.by, logged.why) == (
        None,
        version,
        builder,
        "Knows our words",
    )


def test_the_next_promotion_takes_the_mark_from_the_one_before(assistant, host):
    first, second = candidate(assistant), candidate(assistant)
    services.promote(version=scored(first), why="first")
    services.promote(version=scored(second, against=first.name), why="second")
    assert (_state(first), _state(second)) == (State.EVALUATED, State.PROMOTED)
    assert _serving(assistant) == (second.name, "compact")


def test_a_version_that_was_never_scored_is_not_promoted(assistant, host):
    version = candidate(assistant)
    with pytest.raises(WrongState, match="not been scored"):
        services.promote(version=version, why="quick")
    assert (_state(version), _serving(assistant), host.loaded) == (State.TRAINED, ("", ""), [])


def test_figures_against_a_model_that_no_longer_serves_promote_nothing(assistant, host):
    first, second = scored(candidate(assistant)), scored(candidate(assistant))
    services.promote(version=first, why="first")
    with pytest.raises(Outdated, match="Score it again"):
        services.promote(version=second, why="second")
    assert (_state(second), _serving(assistant)[0]) == (State.EVALUATED, first.name)


def test_figures_of_an_earlier_gate_promote_nothing(assistant, host):
    version = scored(candidate(assistant))
    Evaluation.objects.update(gate_sha256="0" * 64)
    with pytest.raises(Outdated):
        services.promote(version=version, why="old")
    assert _serving(assistant) == ("", "")


@pytest.mark.parametrize(
    ("trouble", "refusal"), [({"is_down": True}, HostUnreachable), ({"refuses": "No memory."}, HostRefused)]
)
def test_a_host_that_cannot_load_it_changes_nothing(assistant, host, trouble, refusal):
    version = scored(candidate(assistant))
    vars(host).update(trouble)
    with pytest.raises(refusal):
        services.promote(version=version, why="now")
    assert (_state(version), _serving(assistant)) == (State.EVALUATED, ("", ""))
    assert not Promotion.objects.exists()


def test_a_file_that_was_changed_since_is_not_promoted(assistant, host):
    version = scored(candidate(assistant))
    Path(version.file).write_bytes(b"GGUF somebody else's")
    with pytest.raises(BadModel):
        services.promote(version=version, why="now")
    assert _serving(assistant) == ("", "")


@pytest.mark.parametrize("why", ["", "  ", "\n"])
def test_a_promotion_and_a_roll_back_need_a_reason(assistant, host, why):
    version = scored(candidate(assistant))
    with pytest.raises(Invalid, match="Say why"):
        services.promote(version=version, why=why)
    with pytest.raises(Invalid, match="Say why"):
        services.roll_back(assistant=assistant, why=why)


def test_a_roll_back_returns_to_the_version_before_and_then_to_the_shipped_model(assistant, host, builder):
    first, second = candidate(assistant), candidate(assistant)
    services.promote(version=scored(first), why="first")
    services.promote(version=scored(second, against=first.name), why="second")
    back = services.roll_back(assistant=assistant, why="odd answers", actor=builder)
    assert (back.from_version, back.to_version, back.by) == (second, first, builder)
    assert (_state(first), _state(second)) == (State.PROMOTED, State.EVALUATED)
    assert _serving(assistant) == (first.name, "compact")
    services.roll_back(assistant=assistant, why="still odd")
    assert (_state(first), _serving(assistant)) == (State.EVALUATED, ("", ""))
    with pytest.raises(WrongState, match="none before it"):
        services.roll_back(assistant=assistant, why="more")
    assert Promotion.objects.count() == 4


def test_a_version_rolled_back_can_be_promoted_again_without_new_figures(assistant, host):
    version = scored(candidate(assistant))
    services.promote(version=version, why="first")
    services.roll_back(assistant=assistant, why="a doubt")
    services.promote(version=version, why="the doubt is gone")
    assert _serving(assistant)[0] == version.name


def test_a_roll_back_with_the_host_away_changes_nothing(assistant, host):
    version = scored(candidate(assistant))
    services.promote(version=version, why="first")
    host.is_down = True
    with pytest.raises(HostUnreachable):
        services.roll_back(assistant=assistant, why="odd answers")
    assert (_state(version), _serving(assistant)[0]) == (State.PROMOTED, version.name)


def test_an_assistants_versions_leave_another_assistant_alone(assistant, host):
    other = Assistant.objects.create(slug="optical", name="Optical shop")
    services.promote(version=scored(candidate(assistant)), why="first")
    services.promote(version=scored(candidate(other)), why="first")
    services.roll_back(assistant=other, why="odd")
    assert _serving(assistant)[0]
    assert _serving(other) == ("", "")


def test_a_retired_version_is_not_promoted(assistant, host):
    version = services.retire(version=scored(candidate(assistant)))
    assert version.state == State.RETIRED
    with pytest.raises(WrongState, match="retired"):
        services.promote(version=version, why="back")
    with pytest.raises(WrongState):
        services.ask_for_figures(version=version)


def test_what_serves_and_what_a_roll_back_returns_to_is_not_retired(assistant, host):
    first, second = candidate(assistant), candidate(assistant)
    services.promote(version=scored(first), why="first")
    with pytest.raises(WrongState, match="does not serve"):
        services.retire(version=first)
    services.promote(version=scored(second, against=first.name), why="second")
    with pytest.raises(WrongState, match="roll-back would return"):
        services.retire(version=first)
    assert (_state(first), _state(second)) == (State.EVALUATED, State.PROMOTED)


def _import(assistant: Assistant, path: Path, **changes: object) -> ModelVersion:
    given = {
        "name": "Llama 3.2 1B",
        "licence": "llama3.2",
        "prompt_style": "full",
        "context_tokens": 2048,
    } | changes
    return services.import_version(assistant=assistant, path=path, **given)


def test_a_model_from_elsewhere_becomes_a_candidate_and_its_file_a_lasting_name(assistant, workplace):
    path = workplace / "downloaded.gguf"
    path.write_bytes(b"GGUF from elsewhere")
    version = _import(assistant, path)
    assert (version.state, version.kind, version.prompt_style) == (State.TRAINED, "model", "full")
    assert Path(version.file) == workplace / "models" / f"{version.name}.gguf"
    assert Path(version.file).read_bytes() == b"GGUF from elsewhere"
    assert version.evaluation_asked_at is not None
    assert _serving(assistant) == ("", "")


def test_a_model_that_lies_among_the_models_is_used_where_it_is(assistant, workplace):
    path = workplace / "models" / "hub" / "big.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF from a hub")
    assert _import(assistant, path).file == str(path)
    assert path.exists()


@pytest.mark.parametrize(
    ("content", "changes", "refusal"),
    [
        (b"PK not a model", {}, BadModel),
        (b"GGUF", {"sha256": "0" * 64}, BadModel),
        (b"GGUF", {"prompt_style": "shouting"}, BadModel),
    ],
)
def test_a_file_that_is_no_model_is_not_taken_in(assistant, workplace, content, changes, refusal):
    path = workplace / "downloaded.gguf"
    path.write_bytes(content)
    with pytest.raises(refusal):
        _import(assistant, path, **changes)
    assert not ModelVersion.objects.exists()
    assert not list((workplace / "models").glob("*")) if (workplace / "models").exists() else True


def test_the_same_model_is_taken_in_once(assistant, workplace):
    path = workplace / "downloaded.gguf"
    path.write_bytes(b"GGUF from elsewhere")
    _import(assistant, path)
    with pytest.raises(Invalid, match="already"):
        _import(assistant, path)


def test_the_log_of_promotions_is_append_only(assistant, host):
    logged = services.promote(version=scored(candidate(assistant)), why="first")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Promotion.objects.filter(pk=logged.pk).update(why="otherwise")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Promotion.objects.filter(pk=logged.pk).delete()


@pytest.mark.parametrize("key", ["nonsense", None, -1, 10**30])
def test_a_version_that_is_none_is_not_found(db, key):
    with pytest.raises(NotFound):
        services.get_version(key)


def test_the_actor_of_a_promotion_cannot_be_forgotten(assistant, host):
    actor = factories.AccountFactory(is_staff=True)
    services.promote(version=scored(candidate(assistant)), why="first", actor=actor)
    with pytest.raises(DatabaseError), transaction.atomic():
        actor.delete()


def test_messages_of_the_bank_that_are_kept_back_score_a_candidate(assistant, host):
    Example.objects.create(
        text="any chance of a pressure check", commands=[{"name": "book_appointment"}], for_scoring=True
    )
    version = _to_score(assistant)
    services.evaluate(version.pk)
    version.refresh_from_db()
    assert version.evaluation.figures["own"] == {"right": 0, "total": 1}
