"""What is written in the workshop's books: files taken in, versions scored, put to use, taken back.

Training itself is in `workshop.jobs`.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, F, Max, QuerySet, Value, When

from chatbot import assistants
from chatbot.models import Assistant
from eyecare import clock
from eyecare.errors import Invalid, NotFound, Refusal
from patients.models import Account
from workshop import bank, gate, intake, results, serving, sizing, tasks
from workshop.models import Dataset, Evaluation, FineTuneJob, ModelVersion, Promotion
from workshop.refusals import (
    BadModel,
    HostRefused,
    HostUnreachable,
    NotBetter,
    Outdated,
    WrongState,
)

State = ModelVersion.State


def upload(*, file: intake.Uploaded, licence: str, name: str = "", actor: Account | None = None) -> Dataset:
    """Take in a file of labelled messages and keep what is left of it once it is clean.

    The same file again under the same licence returns what is there. Raises BadFile with the line, NoRoom.
    """
    if licence not in Dataset.Licence.values:
        raise Invalid("Say under which licence the messages may be used.")
    called = _plain(name or Path(file.name or "").stem)[:120] or "examples"
    with intake.arriving(file) as arrived:
        known = Dataset.objects.filter(sha256=arrived.sha256, licence=licence).first()
        return known or _keep(arrived, name=called, licence=licence, actor=actor)


def take_from_bank(*, assistant: Assistant, actor: Account | None = None) -> Dataset:
    """Take in what the practice wrote into the bank, or corrected in conversations. Raises BadFile."""
    name = f"Example bank of {assistant}, {clock.today():%B %-d, %Y}"
    return upload(file=bank.Taken(assistant), licence=Dataset.Licence.OWN, name=name, actor=actor)


def _keep(arrived: intake.Arrived, *, name: str, licence: str, actor: Account | None) -> Dataset:
    cleaned = intake.clean(arrived, name=name, licence=licence)
    dataset = Dataset(
        name=name,
        format=cleaned.format,
        licence=licence,
        sha256=arrived.sha256,
        size_bytes=arrived.size_bytes,
        rows=cleaned.rows,
        kept=len(cleaned.examples),
        dropped=cleaned.dropped,
        report=cleaned.report,
        uploaded_by=actor,
    )
    cleaned.write(dataset.path)
    try:
        with transaction.atomic():
            dataset.save(force_insert=True)
    except IntegrityError:  # the same file came in twice at the same moment
        dataset.path.unlink(missing_ok=True)
        return Dataset.objects.get(sha256=arrived.sha256, licence=licence)
    return dataset


def _plain(name: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())


def get_version(version_id: Any) -> ModelVersion:
    """Return a version with its lineage; raises NotFound."""
    try:
        return ModelVersion.objects.with_lineage().get(pk=version_id)
    except (ModelVersion.DoesNotExist, ValueError, TypeError, OverflowError) as missing:
        raise NotFound("There is no such model version.") from missing


def record(*, job: FineTuneJob, result: results.Result, own_cases: list[Any]) -> ModelVersion:
    """Write down what a training made, as a candidate; the gate's figures follow by themselves.

    Raises BadModel for an adapter whose base is not here, and WrongState when the job was taken from the
    worker that asks; then nothing is written.
    """
    base = _base_of(job)
    if result.kind == ModelVersion.Kind.ADAPTER and result.base_sha256 != results.check(base.file):
        raise BadModel("The training made an adapter for another base model than the one it was given.")
    lineage: dict[str, Any] = {
        "base_name": result.base_name or base.name,
        "base_file": str(base.file),
        "base_sha256": result.base_sha256,
        "recipe": result.recipe or job.recipe,
        "recipe_sha256": result.recipe_sha256,
        "quantization": result.quantization,
        "metrics": result.metrics,
        "parity": result.parity,
        "licences": result.licences,
        "details": result.details,
        "own_cases": own_cases,
        "created_by": job.started_by,
        **_served_as(result, base),
    }
    with serving.shelved(result.file) as shelved, transaction.atomic():
        version = _write(job.assistant, shelved, kind=result.kind, sha256=result.sha256, **lineage)
        version.datasets.add(job.dataset)
        ours = FineTuneJob.objects.claimed_as(job)
        if not ours.update(state=FineTuneJob.State.DONE, version=version, finished_at=clock.now()):
            raise WrongState("The job was taken over or cancelled meanwhile.")
    return version


def import_version(
    *,
    assistant: Assistant,
    path: Path,
    name: str,
    licence: str,
    prompt_style: str,
    context_tokens: int,
    sha256: str = "",
    actor: Account | None = None,
) -> ModelVersion:
    """Take in a GGUF from elsewhere as a candidate: it serves only once it has passed the gate.

    Raises BadModel, NoRoom; Invalid when the assistant has this very file already.
    """
    found = results.check(path, sha256)
    if ModelVersion.objects.filter(assistant=assistant, sha256=found).exists():
        raise Invalid(f"{assistant} has this model already.")
    with serving.shelved(path) as shelved, transaction.atomic():
        return _write(
            assistant,
            shelved,
            kind=ModelVersion.Kind.MODEL,
            sha256=found,
            base_name=_plain(name)[:120],
            base_sha256=found,
            licences=[licence] if licence else [],
            prompt_style=_style(prompt_style),
            context_tokens=context_tokens,
            details={"from": path.name},
            created_by=actor,
        )


def _write(assistant: Assistant, shelved: serving.Shelved, **lineage: Any) -> ModelVersion:
    """Write a candidate under the assistant's next number and ask for its figures."""
    Assistant.objects.select_for_update().get(pk=assistant.pk)
    highest = assistant.versions.aggregate(highest=Max("number"))["highest"] or 0
    number = highest + 1
    name = f"{assistant.slug}-{number}@{lineage['sha256'][:8]}"
    file = shelved.named(name)
    version = ModelVersion.objects.create(
        assistant=assistant,
        number=number,
        name=name,
        file=str(file),
        size_bytes=file.stat().st_size,
        evaluation_asked_at=clock.now(),
        **lineage,
    )
    tasks.evaluate.delay_on_commit(version.pk)
    return version


@dataclass(frozen=True)
class _Base:
    """The whole model that a training begins with."""

    name: str
    file: Path
    prompt_style: str
    context_tokens: int


def _base_of(job: FineTuneJob) -> _Base:
    if job.base is None:
        shipped = Path(settings.LLM_MODEL_PATH)
        return _Base(settings.LLM_MODEL, shipped, settings.LLM_PROMPT_STYLE, settings.LLM_CONTEXT_TOKENS)
    return _Base(job.base.name, Path(job.base.file), job.base.prompt_style, job.base.context_tokens)


def _served_as(result: results.Result, base: _Base) -> dict[str, Any]:
    """Return how the model is spoken to: an adapter as its base is, a whole model as its file says."""
    if result.kind == ModelVersion.Kind.ADAPTER:
        return {"prompt_style": _style(base.prompt_style), "context_tokens": base.context_tokens}
    advice = sizing.advise(sizing.read(result.file), sizing.this_machine())
    return {"prompt_style": _style(advice.prompt_style), "context_tokens": advice.context_tokens}


def _style(name: str) -> str:
    if name not in Assistant.PromptStyle.values:
        raise BadModel(f"There is no way of prompting called {name[:20]!r}.")
    return name


def ask_for_figures(*, version: ModelVersion) -> ModelVersion:
    """Have a version scored beside the model that serves now; a worker does it within minutes."""
    waiting = ModelVersion.objects.filter(pk=version.pk, state__in=[State.TRAINED, State.EVALUATED])
    asked = waiting.update(
        evaluation_asked_at=clock.now(), evaluation_claimed_at=None, evaluation_tries=0, evaluation_error=""
    )
    if not asked:
        raise WrongState("Only a version that is neither in use nor retired is scored.")
    tasks.evaluate.delay_on_commit(version.pk)
    return get_version(version.pk)


def evaluate(version_id: int) -> None:
    """Score a version that waits for it, and the one that serves, on the same messages. Safe to run twice."""
    claimed_at = clock.now()
    waiting = ModelVersion.objects.to_evaluate().filter(pk=version_id)
    if not waiting.update(evaluation_claimed_at=claimed_at, evaluation_tries=F("evaluation_tries") + 1):
        return
    version = ModelVersion.objects.select_related("assistant").get(pk=version_id)
    try:
        found = _hear(version)
    except (HostUnreachable, HostRefused, BadModel) as refusal:
        _put_off(version, refusal)
        return
    _keep_figures(version, found)


def _hear(version: ModelVersion) -> Evaluation:
    """Ask both models everything; nothing is written but signs of life."""
    assistant = version.assistant
    own = [*version.own_cases, *bank.for_scoring(assistant, gate.MOST_OWN_CASES)]
    held_against = gate.cases(own)
    serving.make_ready(version)
    against, style = serving.model_of(assistant), serving.style_of(assistant)
    candidate = serving.hear(
        assistant, held_against, version.name, version.prompt_style, beat=partial(_beat, version)
    )
    current = serving.hear(assistant, held_against, against, style, beat=partial(_beat, version))
    findings = gate.verdict(candidate.figures, current.figures)
    return Evaluation(
        version=version,
        against=against,
        figures=candidate.as_json(),
        against_figures=current.as_json(),
        findings=[finding.as_json() for finding in findings],
        is_passed=not any(finding.objection for finding in findings),
        wrong_cases=candidate.wrong,
        gate_sha256=gate.fingerprint(),
    )


def _beat(version: ModelVersion) -> None:
    """Show that somebody is at it; raises WrongState when another worker is."""
    now = clock.now()
    if not _claimed(version).update(evaluation_claimed_at=now):
        raise WrongState("Another worker scores this version.")
    version.evaluation_claimed_at = now


def _claimed(version: ModelVersion) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(pk=version.pk, evaluation_claimed_at=version.evaluation_claimed_at)


def _put_off(version: ModelVersion, refusal: Refusal) -> None:
    """Say why there are no figures; a host that was only away is asked again by the sweep."""
    again = isinstance(refusal, HostUnreachable) and version.evaluation_tries < ModelVersion.MOST_TRIES
    asked = {} if again else {"evaluation_asked_at": None}
    _claimed(version).update(evaluation_error=refusal.sentence[:300], evaluation_claimed_at=None, **asked)


@transaction.atomic
def _keep_figures(version: ModelVersion, found: Evaluation) -> None:
    found.save()
    kept = (
        _claimed(version)
        .exclude(state__in=[State.RETIRED])
        .update(
            evaluation=found,
            state=Case(When(state=State.TRAINED, then=Value(State.EVALUATED)), default=F("state")),
            evaluation_asked_at=None,
            evaluation_claimed_at=None,
            evaluation_error="",
        )
    )
    if not kept:
        transaction.set_rollback(True)


def promote(*, version: ModelVersion, why: str, actor: Account | None = None) -> Promotion:
    """Let a version serve its assistant from the next message on, if it passes the gate.

    Raises WrongState, Outdated (what it was held against no longer serves), NotBetter (with the figures that
    fell), HostRefused and HostUnreachable; nothing has changed then.
    """
    reason = _reason(why)
    _check_gate(get_version(version.pk))
    serving.make_ready(version)
    with transaction.atomic():
        assistant = Assistant.objects.select_for_update().get(pk=version.assistant_id)
        chosen = get_version(version.pk)
        _check_gate(chosen)
        before = ModelVersion.objects.serving(assistant)
        logged = Promotion.objects.create(
            assistant=assistant,
            from_version=before,
            to_version=chosen,
            from_model=assistant.model_name,
            from_style=assistant.prompt_style,
            why=reason,
            evaluation=chosen.evaluation,
            by=actor,
        )
        _swap(before, chosen)
        assistants.serve(assistant, model_name=chosen.name, prompt_style=chosen.prompt_style, actor=actor)
    return logged


def roll_back(*, assistant: Assistant, why: str, actor: Account | None = None) -> Promotion:
    """Let the model serve again that served before the last promotion. No gate: it has served already.

    Raises WrongState when there is nothing to go back to, Outdated when somebody else has just done so.
    """
    reason, undone = _reason(why), last_promotion(assistant)
    if undone is None:
        raise WrongState(f"{assistant} runs on the model it began with: there is none before it.")
    serving.load(undone.from_model or settings.LLM_MODEL)
    try:
        with transaction.atomic():
            return _undo(undone, why=reason, actor=actor)
    except IntegrityError as clash:
        raise Outdated("Somebody else has just rolled this back.") from clash


def take_back(*, version: ModelVersion, why: str, actor: Account | None = None) -> Promotion:
    """Roll an assistant back from a version, which must be the one that serves; raises WrongState."""
    if not ModelVersion.objects.promoted().filter(pk=version.pk).exists():
        raise WrongState("It does not serve, so there is nothing to take back.")
    return roll_back(assistant=version.assistant, why=why, actor=actor)


def last_promotion(assistant: Assistant) -> Promotion | None:
    """Return the promotion that a roll-back would undo."""
    standing = Promotion.objects.filter(assistant=assistant, rolls_back=None, rolled_back_by=None)
    return standing.select_related("from_version", "to_version").first()


def _undo(undone: Promotion, *, why: str, actor: Account | None) -> Promotion:
    assistant = Assistant.objects.select_for_update().get(pk=undone.assistant_id)
    if last_promotion(assistant) != undone:
        raise Outdated("Something else was put to use meanwhile. Please look again.")
    logged = Promotion.objects.create(
        assistant=assistant,
        from_version=undone.to_version,
        to_version=undone.from_version,
        from_model=assistant.model_name,
        from_style=assistant.prompt_style,
        why=why,
        rolls_back=undone,
        by=actor,
    )
    _swap(undone.to_version, undone.from_version)
    assistants.serve(assistant, model_name=undone.from_model, prompt_style=undone.from_style, actor=actor)
    return logged


def _swap(before: ModelVersion | None, after: ModelVersion | None) -> None:
    """Take the mark of serving from one version and give it to another."""
    if before:
        ModelVersion.objects.promoted().filter(pk=before.pk).update(state=State.EVALUATED)
    if after and not ModelVersion.objects.filter(pk=after.pk, state=State.EVALUATED).update(
        state=State.PROMOTED
    ):
        raise WrongState(f"{after} is retired, or was never scored.")


def objections_to(version: ModelVersion) -> list[str]:
    """Return why a version may not serve, figure by figure; raises WrongState, Outdated."""
    if version.state != State.EVALUATED or version.evaluation is None:
        raise WrongState(_WHY_NOT[State(version.state)])
    scored, now = version.evaluation, serving.model_of(version.assistant)
    if scored.against != now or scored.gate_sha256 != gate.fingerprint():
        raise Outdated(
            f"It was held against {scored.against}, or by earlier rules; {now} serves now. Score it again."
        )
    return [finding["objection"] for finding in scored.findings if finding["objection"]]


_WHY_NOT = {
    State.TRAINED: "It has not been scored yet: no version serves without the gate's figures.",
    State.EVALUATED: "It has no figures. Score it first.",
    State.PROMOTED: "It serves already.",
    State.RETIRED: "It is retired.",
}


def _check_gate(version: ModelVersion) -> None:
    if objections := objections_to(version):
        raise NotBetter(
            f"It is not as good as the model that serves. {' '.join(objections)}", alternatives=objections
        )


def retire(*, version: ModelVersion) -> ModelVersion:
    """Put a version away for good: it can no longer be promoted. What it was stays in the books."""
    last = last_promotion(version.assistant)
    if last and last.from_version_id == version.pk:
        raise WrongState("A roll-back would return to this version: it is kept for that.")
    free = ModelVersion.objects.filter(pk=version.pk, state__in=[State.TRAINED, State.EVALUATED])
    if not free.update(state=State.RETIRED, evaluation_asked_at=None):
        raise WrongState("Only a version that does not serve can be retired.")
    return get_version(version.pk)


def _reason(why: str) -> str:
    reason = _plain(why)[:200]
    if not reason:
        raise Invalid("Say why, for those who look it up later.")
    return reason
