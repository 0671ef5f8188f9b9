"""The model builder's pages: examples in, trainings watched, versions compared, one put to use, the log."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import path, reverse
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from patients.models import Account
from practice.desk import Kept, ReadOnly, attempt
from workshop import desk, gate, jobs, recipes, reports, services
from workshop.models import Dataset, FineTuneJob, ModelVersion, Promotion

JOB_COLOURS = {
    "queued": "info",
    "running": "info",
    "cancelling": "warning",
    "cancelled": "",
    "failed": "danger",
    "done": "success",
}
VERSION_COLOURS = {"trained": "info", "evaluated": "warning", "promoted": "success", "retired": ""}


class WorkshopAdmin(Kept):
    """Rows that are added through a form which asks the services, and read ever after."""

    report: ClassVar[str]
    """The template above a row's fields; `watch` answers with it alone."""

    states: ClassVar[dict[str, set[str]]] = {}
    """The states in which each button is shown; pressed too late, the service says no."""

    class Media:
        css: ClassVar = {"all": ["eyecare/workshop.css"]}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_act_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Say whether somebody may act on rows: cancel, resume, score, retire."""
        return request.user.has_perm(f"workshop.change_{self.opts.model_name}")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        row = self.get_object(request, object_id)
        offered = super().get_actions_detail(request, object_id)
        return [step for step in offered if row and row.state in self.states[step.method.__name__]]

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.actor = request.user
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write nothing: the form has written through the services already."""

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        """Show what has come of it."""
        return redirect(reverse(f"admin:workshop_{self.opts.model_name}_change", args=[obj.pk]))

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_report"
        watch = self.admin_site.admin_view(self.watch)
        return [path("<path:object_id>/report/", watch, name=name), *super().get_urls()]

    def watch(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer the page's question what is new."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            return HttpResponse(status=404)
        return render(request, self.report, {"original": row, **self.shown(row)})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        more = self.shown(row) if row else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return super().add_view(request, form_url, {**(extra_context or {}), **self.introduced()})

    def introduced(self) -> dict[str, Any]:
        """Return what the same template needs above an empty form."""
        return {}

    def shown(self, row: Any) -> dict[str, Any]:
        """Return what the report's template needs beside the row."""
        raise NotImplementedError

    def done(self, request: HttpRequest, row: Any, act: Callable[[], object], success: str) -> HttpResponse:
        """Do something, tell how it went, and show the row again."""
        attempt(request, act, success)
        page = reverse(f"admin:workshop_{self.opts.model_name}_change", args=[row.pk])
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Redirect": page})
        return redirect(page)


@admin.register(Dataset)
class DatasetAdmin(WorkshopAdmin):
    """Examples that were uploaded, each with what became of its rows."""

    form = desk.UploadForm
    report = change_form_outer_before_template = "admin/workshop/dataset/report.html"
    list_display = ["name", "licence", "examples", "left_out", "uploaded_by", "uploaded_at"]
    list_filter = ["licence", "uploaded_at"]
    list_select_related = ["uploaded_by"]
    search_fields = ["name"]
    fields = ["file", "name", "licence"]
    actions = None
    actions_list = ["take_from_bank"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        found = super().get_queryset(request)
        match = request.resolver_match
        return found.defer("report") if match and match.url_name == "workshop_dataset_changelist" else found

    def get_fields(self, request: HttpRequest, obj: Dataset | None = None) -> list[str]:
        return ["name", "licence", "format", "uploaded_by", "uploaded_at"] if obj else self.fields

    def shown(self, row: Dataset) -> dict[str, Any]:
        return {"tables": reports.of_upload(row), "named": reports.rows_named(row)}

    def has_take_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("workshop.add_dataset")

    @action(
        description="Take from the example bank",
        icon="library_add",
        permissions=["take"],
        dialog=desk.asked(
            "Take the practice's own examples?",
            "Take them",
            "Everything that you wrote into the bank or corrected in conversations, for one assistant.",
            desk.BankDialog,
        ),
    )
    def take_from_bank(self, request: HttpRequest, form: desk.BankDialog) -> HttpResponse:
        act = partial(
            services.take_from_bank, assistant=form.cleaned_data["assistant"], actor=_staff(request)
        )
        attempt(request, act, "They are taken in. Open them to read the report.")
        page = reverse("admin:workshop_dataset_changelist")
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Redirect": page})
        return redirect(page)

    @display(description="Examples", ordering="kept")
    def examples(self, dataset: Dataset) -> str:
        return f"{dataset.kept:,}"

    @display(description="Left out")
    def left_out(self, dataset: Dataset) -> str:
        return f"{dataset.left_out:,}"


@admin.register(FineTuneJob)
class FineTuneJobAdmin(WorkshopAdmin):
    """Trainings: started, watched, cancelled, resumed."""

    form = desk.StartForm
    report = change_form_outer_before_template = "admin/workshop/finetunejob/progress.html"
    list_display = ["what", "assistant", "standing", "progress", "started_by", "created_at"]
    list_filter = ["state", "assistant"]
    list_select_related = ["assistant", "dataset", "started_by"]
    search_fields = ["dataset__name", "recipe"]
    fields = ["assistant", "examples", "recipe", ("epochs", "learning_rate"), "base"]
    seen_fields = [
        ("assistant", "dataset"),
        ("recipe", "base"),
        ("epochs", "learning_rate"),
        ("started_by", "created_at"),
        ("began_at", "finished_at"),
        ("tries", "machine"),
    ]
    actions = None
    actions_detail = ["cancel", "resume"]
    states: ClassVar = {"cancel": {"queued", "running"}, "resume": {"cancelled", "failed"}}

    def get_queryset(self, request: HttpRequest) -> QuerySet[FineTuneJob]:
        return FineTuneJob.objects.with_details()

    def get_fields(self, request: HttpRequest, obj: FineTuneJob | None = None) -> list[Any]:
        return self.seen_fields if obj else self.fields

    def introduced(self) -> dict[str, Any]:
        return {"recipes": recipes.every()}

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {name: value for name, value in request.GET.items() if name == "examples"}

    def shown(self, row: FineTuneJob) -> dict[str, Any]:
        return {
            "steps": reports.steps(row),
            "step": reports.step_in_words(row),
            "time_left": reports.time_left(row),
        }

    @display(description="Learns from", ordering="dataset__name")
    def what(self, job: FineTuneJob) -> str:
        return job.dataset.name

    @display(description="State", ordering="state", label=JOB_COLOURS)
    def standing(self, job: FineTuneJob) -> tuple[str, str]:
        return job.state, job.get_state_display()

    @display(description="Progress")
    def progress(self, job: FineTuneJob) -> str:
        if job.state != FineTuneJob.State.RUNNING or not job.total:
            return ""
        return f"{reports.step_in_words(job)}: {100 * job.done // job.total} %"

    @action(
        description="Cancel",
        icon="stop_circle",
        variant=ActionVariant.DANGER,
        permissions=["act"],
        dialog=desk.asked(
            "Cancel this fine-tune?", "Cancel it", "What it has learnt is kept: you can resume it later."
        ),
    )
    def cancel(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        job = jobs.get(object_id)
        return self.done(request, job, partial(jobs.cancel, job=job), "It stops within a minute.")

    @action(
        description="Resume",
        icon="resume",
        permissions=["act"],
        dialog=desk.asked("Resume this fine-tune?", "Resume", "It goes on from where it was."),
    )
    def resume(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        job = jobs.get(object_id)
        return self.done(request, job, partial(jobs.resume, job=job), "It waits for its turn.")


class PassedFilter(admin.SimpleListFilter):
    title = "gate"
    parameter_name = "gate"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("passed", "Passed"), ("refused", "Did not pass"), ("unscored", "Not scored")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> QuerySet[ModelVersion]:
        narrowed: dict[str, dict[str, Any]] = {
            "passed": {"evaluation__is_passed": True},
            "refused": {"evaluation__is_passed": False},
            "unscored": {"evaluation": None},
        }
        return queryset.filter(**narrowed.get(self.value() or "", {}))


@admin.register(ModelVersion)
class ModelVersionAdmin(WorkshopAdmin):
    """Versions: figures beside those of the model in use, the gate's verdict, promotion and roll-back."""

    report = change_form_outer_before_template = "admin/workshop/modelversion/report.html"
    list_display = ["title", "standing", "gate", "task", "size", "recipe", "created_at"]
    list_filter = ["assistant", "state", PassedFilter]
    list_select_related = ["assistant", "evaluation"]
    search_fields = ["name", "recipe", "base_name"]
    fields = [("name", "kind"), ("created_by", "created_at")]
    actions = None
    actions_detail = ["promote", "roll_back", "score_again", "retire"]
    states: ClassVar = {
        "promote": {"evaluated"},
        "roll_back": {"promoted"},
        "score_again": {"trained", "evaluated"},
        "retire": {"trained", "evaluated"},
    }

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_promote_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Say whether somebody may put versions to use and take them back."""
        return request.user.has_perm("workshop.promote_modelversion")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        found = ModelVersion.objects.select_related("assistant", "evaluation", "made_by", "created_by")
        match = request.resolver_match
        if match and match.url_name == "workshop_modelversion_changelist":
            return found.defer(*ModelVersion.LONG, "evaluation__wrong_cases", "evaluation__findings")
        return found.defer("own_cases").prefetch_related("datasets")

    def shown(self, row: ModelVersion) -> dict[str, Any]:
        serving = ModelVersion.objects.serving(row.assistant)
        return {
            "verdict": reports.verdict(row),
            "rows": reports.rows(row),
            "metrics": reports.metrics(row, serving),
            "wrong": reports.wrong(row),
            "kinds": gate.LABELS,
            "serving": serving,
            "log": row.assistant.promotions.select_related("from_version", "to_version", "by")[:5],
        }

    @display(description="Version", ordering="number")
    def title(self, version: ModelVersion) -> str:
        return str(version)

    @display(description="State", ordering="state", label=VERSION_COLOURS)
    def standing(self, version: ModelVersion) -> tuple[str, str]:
        return version.state, version.get_state_display()

    @display(description="Gate", label={"passed": "success", "refused": "danger", "waits": "info"})
    def gate(self, version: ModelVersion) -> tuple[str, str] | str:
        if version.evaluation is None:
            return ("waits", "being scored") if version.evaluation_asked_at else ""
        return ("passed", "passed") if version.evaluation.is_passed else ("refused", "did not pass")

    @display(description="Understood")
    def task(self, version: ModelVersion) -> str:
        if version.evaluation is None or "task" not in version.evaluation.figures:
            return ""
        return f"{100 * gate.Figure(**version.evaluation.figures['task']).share:.1f} %"

    @display(description="Size", ordering="size_bytes")
    def size(self, version: ModelVersion) -> str:
        return filesizeformat(version.size_bytes)

    @action(
        description="Promote",
        icon="rocket_launch",
        variant=ActionVariant.PRIMARY,
        permissions=["promote"],
        dialog=desk.asked(
            "Put this version to use?",
            "Promote",
            "The assistant understands with it from the next message on. You can roll back at any time.",
            desk.WhyDialog,
        ),
    )
    def promote(self, request: HttpRequest, form: desk.WhyDialog, object_id: str) -> HttpResponse:
        version = services.get_version(object_id)
        act = partial(services.promote, version=version, why=form.cleaned_data["why"], actor=_staff(request))
        return self.done(request, version, act, "It is in use from the next message on.")

    @action(
        description="Roll back",
        icon="undo",
        variant=ActionVariant.DANGER,
        permissions=["promote"],
        dialog=desk.asked(
            "Take this version out of use?",
            "Roll back",
            "The assistant understands with the model before it again, from the next message on.",
            desk.WhyDialog,
        ),
    )
    def roll_back(self, request: HttpRequest, form: desk.WhyDialog, object_id: str) -> HttpResponse:
        version = services.get_version(object_id)
        act = partial(
            services.take_back, version=version, why=form.cleaned_data["why"], actor=_staff(request)
        )
        return self.done(request, version, act, "The model before it is in use again.")

    @action(
        description="Score again",
        icon="fact_check",
        permissions=["act"],
        dialog=desk.asked(
            "Score it again?", "Score", "It is held against the model that serves now; some minutes."
        ),
    )
    def score_again(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        version = services.get_version(object_id)
        act = partial(services.ask_for_figures, version=version)
        return self.done(request, version, act, "It is being scored.")

    @action(
        description="Retire",
        icon="inventory_2",
        permissions=["act"],
        dialog=desk.asked("Retire this version?", "Retire", "It can never be put to use after this."),
    )
    def retire(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        version = services.get_version(object_id)
        return self.done(request, version, partial(services.retire, version=version), "It is retired.")


@admin.register(Promotion)
class PromotionAdmin(ReadOnly):
    """The log: which model served when, who decided it and why. Nobody can change it."""

    list_display = ["at", "assistant", "deed", "before", "after", "by", "why"]
    list_filter = ["assistant", "at"]
    list_select_related = ["assistant", "from_version__assistant", "to_version__assistant", "by"]
    search_fields = ["why"]
    fields = readonly_fields = ["at", "assistant", "deed", "before", "after", "by", "why"]
    actions = None

    @display(description="What", label={"promoted": "success", "rolled back": "warning"})
    def deed(self, logged: Promotion) -> str:
        return "rolled back" if logged.rolls_back_id else "promoted"

    @display(description="From")
    def before(self, logged: Promotion) -> str:
        return _named(logged.from_version)

    @display(description="To")
    def after(self, logged: Promotion) -> str:
        return _named(logged.to_version)


def _named(version: ModelVersion | None) -> str:
    if version is None:
        return "the model of the settings"
    address = reverse("admin:workshop_modelversion_change", args=[version.pk])
    link = '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>'
    return format_html(link, address, version)


def _staff(request: HttpRequest) -> Account:
    return cast(Account, request.user)
