"""The front desk's recalls: who should come again, who was asked, who needs a call; and the rules."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import date
from typing import Any, cast
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from appointments import recalls
from appointments.desk import asked
from appointments.models import Recall, RecallAttempt, RecallInterval, RecallRule
from appointments.recalls import letters
from eyecare import clock
from eyecare.errors import Refusal
from practice import services as practice
from practice.desk import History, Kept, RecordsReads, attempt

MOST_AT_ONCE = 500
"""Recalls that one press of a button acts on."""

MOST_LISTED = 10_000
"""Recalls that are counted for the list, and letters that are written at once."""

SHOWN_REFUSALS = 5
STATE_COLORS = {
    Recall.State.WAITING: "info",
    Recall.State.EXHAUSTED: "warning",
    Recall.State.DECLINED: "danger",
}


class Pages(Paginator):
    """Counts no further than anybody turns pages: a practice's first day may have all its patients due."""

    @cached_property
    def count(self) -> int:
        return cast(QuerySet[Recall], self.object_list)[:MOST_LISTED].count()


class StandingFilter(admin.SimpleListFilter):
    """What there is to do; the board opens with those whose turn it is."""

    title = "standing"
    parameter_name = "standing"
    usual = "due"
    asks: dict[str, tuple[str, Callable[[Any], QuerySet[Recall]]]] = {
        "due": ("Due now", lambda board: board.live().due()),
        "overdue": ("Overdue", lambda board: board.live().overdue()),
        "unreachable": ("Not reached: call", lambda board: board.live().unreachable()),
        "asked": ("Asked, no answer yet", lambda board: board.live().asked()),
        "snoozed": ("Snoozed", lambda board: board.live().snoozed()),
        "exhausted": ("Asked often enough", lambda board: board.live().exhausted()),
        "booked": ("Booked ahead", lambda board: board.live().booked_ahead()),
        "declined": ("Declined", lambda board: board.filter(state=Recall.State.DECLINED)),
        "off": ("Taken off", lambda board: board.filter(state=Recall.State.OFF)),
        "all": ("All", lambda board: board),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, label) for name, (label, _) in self.asks.items()]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        everything, *choices = super().choices(changelist)
        for (name, _), choice in zip(self.lookup_choices, choices, strict=True):
            is_chosen = choice["selected"] or (everything["selected"] and name == self.usual)
            yield {**choice, "selected": is_chosen}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Recall]) -> QuerySet[Recall]:
        _, narrowed = self.asks.get(self.value() or self.usual, self.asks[self.usual])
        return narrowed(queryset)


class RecallForm(forms.ModelForm):
    """Puts a patient on a recall, or changes what is known of it."""

    class Meta:
        model = Recall
        fields = ["patient", "rule", "last_seen_on", "months", "note"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            self.instance = self._write(cleaned)
        except Refusal as refusal:
            raise forms.ValidationError(refusal.sentence) from refusal
        return cleaned

    def _write(self, cleaned: dict[str, Any]) -> Recall:
        if self.instance._state.adding:
            return recalls.put_on(**cleaned)
        return recalls.change(recall=self.instance, **cleaned)


class DayInput(UnfoldAdminTextInputWidget):
    """The browser's own field for a day, which brings its calendar."""

    input_type = "date"


class SnoozeForm(forms.Form):
    until = forms.DateField(label="Ask no sooner than", widget=DayInput, initial=recalls.later)


class SnoozeDialog(SnoozeForm, BaseDialogForm):
    """The same for one recall, in a dialog."""


class AttemptInline(History):
    model = RecallAttempt
    verbose_name_plural = "attempts"
    fields = readonly_fields = ["at", "number", "due_on", "result"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RecallAttempt]:
        return super().get_queryset(request).select_related("message")

    @display(description="What became of it")
    def result(self, made: RecallAttempt) -> str:
        return made.result


@admin.register(Recall)
class RecallAdmin(RecordsReads, Kept):
    """Who should come again. Lists hold one page of rows, and their figures come with it."""

    form = RecallForm
    list_display = [
        "who",
        "phone",
        "rule",
        "due_on",
        "seen",
        "asked_so_far",
        "next_attempt_on",
        "comes",
        "standing",
        "book_link",
    ]
    list_display_links = ["who"]
    list_filter = [StandingFilter, "rule"]
    list_select_related = ["patient__guarantor", "rule__books", "last_visit"]
    search_fields = ["patient__last_name", "patient__first_name", "patient__number", "patient__phone"]
    ordering = ["due_on", "pk"]
    paginator = Pages
    autocomplete_fields = ["patient", "rule"]
    fields = [("patient", "rule"), ("last_seen_on", "months"), "note"]
    derived_fields = [("due_on", "next_attempt_on"), ("state", "attempts"), ("snoozed_until", "last_visit")]
    inlines = [AttemptInline]
    actions = ["ask_all", "snooze_all", "decline_all", "take_off_all", "put_back_all", "export_letters"]
    actions_detail = ["ask", "book", "snooze", "decline", "take_off", "put_back"]
    list_before_template = "admin/appointments/recall/standings.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what there is to do as a row of links: the filters lie behind a button."""
        return super().changelist_view(request, {**(extra_context or {}), "standings": _standings(request)})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recall]:
        attempts = RecallAttempt.objects.select_related("message").order_by("-at")
        history = Prefetch("history", queryset=attempts)
        return Recall.objects.with_next_visit().prefetch_related(history)

    def get_fields(self, request: HttpRequest, obj: Recall | None = None) -> list[Any]:
        return [*self.fields, *self.derived_fields] if obj else self.fields

    def get_inlines(self, request: HttpRequest, obj: Recall | None) -> list[Any]:
        return self.inlines if obj else []

    def get_readonly_fields(self, request: HttpRequest, obj: Recall | None = None) -> list[str]:
        derived = [name for line in self.derived_fields for name in line]
        return ["patient", "rule", *derived] if obj else derived

    def save_model(self, request: HttpRequest, obj: Recall, form: forms.ModelForm, change: bool) -> None:
        """Write nothing: the form has written through the services already."""

    @display(description="Patient", ordering="patient__last_name")
    def who(self, recall: Recall) -> str:
        return f"{recall.patient} ({recall.patient.number})"

    @display(description="Phone")
    def phone(self, recall: Recall) -> str:
        phone = recall.patient.phone or recall.patient.payer.phone
        return phone.as_national if phone else ""

    @display(description="Last seen")
    def seen(self, recall: Recall) -> date | None:
        return letters.last_seen(recall)

    @display(description="Asked", ordering="attempts")
    def asked_so_far(self, recall: Recall) -> str:
        count = f"{recall.attempts} of {recall.rule.most_attempts}"
        last = next(iter(recall.history.all()), None)  # prefetched, the newest first
        return f"{count}; {last.result}" if last and recall.attempts else count

    @display(description="Comes", ordering="next_visit_at")
    def comes(self, recall: Recall) -> str:
        starts_at = recall.next_visit_at  # type: ignore[attr-defined]
        return f"{starts_at.astimezone(practice.zone()):%b %-d, %Y}" if starts_at else ""

    @display(description="State", ordering="state", label=STATE_COLORS)
    def standing(self, recall: Recall) -> tuple[str, str]:
        is_snoozed = recall.snoozed_until and recall.snoozed_until > clock.today()
        return recall.state, f"until {recall.snoozed_until}" if is_snoozed else recall.get_state_display()

    @display(description="Book")
    def book_link(self, recall: Recall) -> str:
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">Book a visit</a>', _booking(recall)
        )

    # What is done to one

    @action(
        description="Ask now",
        icon="send",
        variant=ActionVariant.PRIMARY,
        permissions=["change"],
        dialog=asked("Ask the patient now?", "Ask now"),
    )
    def ask(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._one(request, object_id, recalls.ask, "they are asked")

    @action(description="Book a visit", icon="event", url_path="book", permissions=["change"])
    def book(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(_booking(get_object_or_404(Recall.objects.with_details(), pk=object_id)))

    @action(
        description="Snooze",
        icon="snooze",
        permissions=["change"],
        dialog=asked("When may they be asked again?", "Snooze", SnoozeDialog),
    )
    def snooze(self, request: HttpRequest, form: SnoozeDialog, object_id: str) -> HttpResponse:
        until = form.cleaned_data["until"]
        return self._one(request, object_id, recalls.snooze, f"not before {until}", until=until)

    @action(
        description="Does not want it",
        icon="do_not_disturb_on",
        permissions=["change"],
        dialog=asked("The patient does not want this recall?", "Note that"),
    )
    def decline(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._one(request, object_id, recalls.decline, "declined")

    @action(
        description="Take off",
        icon="playlist_remove",
        variant=ActionVariant.DANGER,
        permissions=["change"],
        dialog=asked("This recall is not for the patient?", "Take off"),
    )
    def take_off(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._one(request, object_id, recalls.take_off, "taken off")

    @action(
        description="Begin anew",
        icon="restart_alt",
        permissions=["change"],
        dialog=asked("Begin this recall anew?", "Begin anew"),
    )
    def put_back(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._one(request, object_id, recalls.put_back, "begins anew")

    # What is done to many

    @action(description="Ask now", permissions=["change"])
    def ask_all(self, request: HttpRequest, queryset: QuerySet[Recall]) -> None:
        self._many(request, queryset, recalls.ask, "asked")

    @action(description="Snooze until …", permissions=["change"])
    def snooze_all(self, request: HttpRequest, queryset: QuerySet[Recall]) -> HttpResponse | None:
        """Ask for the day on a page of its own; the selection comes back with it."""
        form = SnoozeForm(request.POST if "until" in request.POST else None)
        if form.is_valid():
            until = form.cleaned_data["until"]
            self._many(request, queryset, recalls.snooze, f"not before {until}", until=until)
            return None
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        context = self.admin_site.each_context(request) | {
            "title": "Snooze recalls",
            "opts": self.opts,
            "form": form,
            "selected": selected,
            "select_across": request.POST.get("select_across", "0"),
            "count": queryset.count(),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/appointments/recall/snooze.html", context)

    @action(description="Do not want it", permissions=["change"])
    def decline_all(self, request: HttpRequest, queryset: QuerySet[Recall]) -> None:
        self._many(request, queryset, recalls.decline, "declined")

    @action(description="Take off", permissions=["change"])
    def take_off_all(self, request: HttpRequest, queryset: QuerySet[Recall]) -> None:
        self._many(request, queryset, recalls.take_off, "taken off")

    @action(description="Begin anew: reset the attempts", permissions=["change"])
    def put_back_all(self, request: HttpRequest, queryset: QuerySet[Recall]) -> None:
        self._many(request, queryset, recalls.put_back, "begin anew")

    @action(description="Export for letters (CSV)", permissions=["change"])
    def export_letters(self, request: HttpRequest, queryset: QuerySet[Recall]) -> HttpResponseBase | None:
        chosen = list(queryset.values_list("pk", flat=True)[: MOST_LISTED + 1])
        if len(chosen) > MOST_LISTED:
            messages.error(request, f"Nothing was written: please choose {MOST_LISTED} letters at most.")
            return None
        letters.note_reading(chosen)
        headers = {
            "Content-Disposition": f'attachment; filename="recalls-{clock.today()}.csv"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return StreamingHttpResponse(_stream(chosen), content_type="text/csv; charset=utf-8", headers=headers)

    def _one(
        self, request: HttpRequest, object_id: str, verb: Callable[..., Any], became: str, **given: Any
    ) -> HttpResponse:
        recall = get_object_or_404(Recall.objects.with_details(), pk=object_id)
        attempt(request, lambda: verb(recall=recall, **given), f"{recall.patient}: {became}.")
        return _back_to(request, recall)

    def _many(
        self,
        request: HttpRequest,
        queryset: QuerySet[Recall],
        verb: Callable[..., Any],
        became: str,
        **given: Any,
    ) -> None:
        chosen = list(queryset.select_related("patient", "rule").prefetch_related(None)[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            messages.error(request, f"Nothing was done: please choose {MOST_AT_ONCE} recalls at most.")
            return
        refusals = [sentence for recall in chosen if (sentence := _refused(verb, recall, given))]
        if done := len(chosen) - len(refusals):
            messages.success(request, f"{done} {'recall' if done == 1 else 'recalls'}: {became}.")
        if refusals:
            more = ["…"] if len(refusals) > SHOWN_REFUSALS else []
            told = " ".join(refusals[:SHOWN_REFUSALS] + more)
            messages.warning(request, f"{len(refusals)} not: {told}")


class IntervalInline(TabularInline):
    model = RecallInterval
    verbose_name, verbose_name_plural = "interval from an age on", "intervals by age"
    fields = ["from_age", "months"]
    extra = 0


@admin.register(RecallRule)
class RecallRuleAdmin(Kept):
    """After which visits, after how long. A change is worked through for everybody in the background."""

    list_display = ["name", "books", "months", "is_for_everyone", "most_attempts", "is_active", "progress"]
    list_filter = ["is_active", "is_for_everyone"]
    list_select_related = ["books", "run"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    autocomplete_fields = ["after", "books"]
    fields = [
        ("name", "slug"),
        "after",
        "books",
        ("months", "is_for_everyone"),
        ("first_days_before", "pause_days"),
        ("most_attempts", "most_a_day"),
        "is_active",
    ]
    inlines = [IntervalInline]
    change_form_outer_before_template = "admin/appointments/recallrule/progress.html"

    def get_urls(self) -> list[Any]:
        watch = self.admin_site.admin_view(self.watch)
        return [
            path("<int:rule_id>/progress/", watch, name="appointments_recallrule_progress"),
            *super().get_urls(),
        ]

    @transaction.atomic
    def save_related(
        self, request: HttpRequest, form: forms.ModelForm, formsets: Sequence[Any], change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        if form.has_changed() or any(formset.has_changed() for formset in formsets):
            recalls.refresh(form.instance)

    @display(description="Worked through")
    def progress(self, rule: RecallRule) -> str:
        run = getattr(rule, "run", None)
        if run is None:
            return "not yet"
        return "yes" if run.finished_at else f"{run.worked} of {run.in_all}"

    def watch(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        """Answer the page's question how far the work is."""
        if not self.has_view_permission(request):
            return HttpResponse(status=403)
        rule = get_object_or_404(RecallRule.objects.select_related("run"), pk=rule_id)
        return render(request, self.change_form_outer_before_template, {"original": rule})


def _standings(request: HttpRequest) -> list[tuple[str, str, bool]]:
    """Return label and address of every standing, and whether it is the one shown."""
    shown = request.GET.get(StandingFilter.parameter_name, StandingFilter.usual)
    kept = {name: value for name, value in request.GET.items() if name not in ("p", "standing")}
    return [
        (label, f"?{urlencode({**kept, 'standing': name})}", name == shown)
        for name, (label, _) in StandingFilter.asks.items()
    ]


def _refused(verb: Callable[..., Any], recall: Recall, given: dict[str, Any]) -> str:
    """Act on one recall; return the sentence of a refusal, or ""."""
    try:
        verb(recall=recall, **given)
    except Refusal as refusal:
        return refusal.sentence
    return ""


async def _stream(chosen: list[int]) -> AsyncIterator[str]:
    """Send the table as it is made; under ASGI an ordinary generator would be collected first."""
    pieces = letters.parts(chosen)
    following = sync_to_async(lambda: next(pieces, None))
    while (piece := await following()) is not None:
        yield piece


def _booking(recall: Recall) -> str:
    """Return the page on which a visit is booked, filled as far as it is known."""
    known = urlencode({"patient": recall.patient_id, "visit_type": recall.rule.books_id})
    return f"{reverse('admin:appointments_appointment_add')}?{known}"


def _back_to(request: HttpRequest, recall: Recall) -> HttpResponse:
    page = reverse("admin:appointments_recall_change", args=[recall.pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)
