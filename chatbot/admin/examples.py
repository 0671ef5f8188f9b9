"""The example bank for staff: written, corrected from conversations, tried, taken in and given out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.text import Truncator
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from chatbot import assistants, bank, corrections, engines, examples, labelled, labelling, prompt
from chatbot.labelled import Labelled
from chatbot.labelling import ExampleForm, FileForm, in_words, with_answer
from chatbot.models import Assistant, ChatMessage, Example
from eyecare.errors import Refusal
from patients.models import Account
from practice import audit
from practice.desk import Chooses

SHOWN = 50
"""Lines of a file that are shown before it is taken in, of each kind."""


class AskedFor(admin.SimpleListFilter):
    """Examples by the first thing that they ask for."""

    title = "asks for"
    parameter_name = "asks"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        general = [(name, name) for name in prompt.GENERAL_COMMANDS]
        return [*labelling.task_choices(), *general]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Example]) -> QuerySet[Example]:
        return queryset.filter(commands__0__name=self.value()) if self.value() else queryset


@admin.register(Example)
class ExampleAdmin(Chooses, ModelAdmin):
    """What messages mean; the assistant is hinted at by it within a minute, models are trained from it."""

    form = ExampleForm
    list_display = ("shown_text", "asks_for", "place", "origin", "assistant", "use")
    list_filter = ("source", "is_active", "for_scoring", AskedFor, "language", "assistant")
    list_select_related = ("assistant",)
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("text",)
    date_hierarchy = "changed_at"
    actions = ("use_again", "leave_out")
    actions_list = ("take_in", "as_lines", "as_table")
    fieldsets = (
        (None, {"fields": ("text", "commands")}),
        ("Where it was said", {"fields": ("task", "asked", "last")}),
        (
            "What it is used for",
            {"fields": ("assistant", ("language", "licence"), ("is_active", "for_scoring"))},
        ),
    )
    change_form_before_template = "admin/chatbot/example/corrected.html"
    change_form_after_template = "admin/chatbot/example/try.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Example]:
        return super().get_queryset(request).defer("vector")

    @display(description="message", ordering="text")
    def shown_text(self, example: Example) -> str:
        return Truncator(example.text).chars(70)

    @display(description="asks for")
    def asks_for(self, example: Example) -> str:
        return in_words(example.commands)

    @display(description="while")
    def place(self, example: Example) -> str:
        return " ".join(filter(None, (example.task, example.asked and f"({example.asked})"))) or "-"

    @display(
        description="from",
        label={"shipped": "info", "practice": "success", "conversation": "warning"},
        ordering="source",
    )
    def origin(self, example: Example) -> tuple[str, str]:
        return example.source, example.get_source_display()

    @display(description="used", label={"hints": "success", "scores": "info", "rests": ""})
    def use(self, example: Example) -> tuple[str, str]:
        if not example.is_active:
            return "rests", "left out"
        return ("scores", "only to score") if example.for_scoring else ("hints", "to hint and to learn")

    # Correcting a conversation

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with the patient's message, without what tells who wrote it."""
        corrected = _corrected(request)
        if corrected is None:
            return super().get_changeform_initial_data(request)
        begun = labelled.as_object(corrections.draft(corrected))
        return {**begun, "assistant": corrected.conversation.assistant_id}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        corrected = _corrected(request)
        if known := corrected and Example.objects.filter(message=corrected).first():
            return redirect("admin:chatbot_example_change", known.pk)
        if corrected and request.method == "GET":
            audit.read(corrected.conversation)
        context = {**(extra_context or {}), "corrected": corrected}
        return super().add_view(request, form_url, context)

    def save_model(self, request: HttpRequest, obj: Example, form: Any, change: bool) -> None:
        account = cast(Account, request.user)
        if not change:
            obj.created_by, obj.message = account, _corrected(request)
            obj.source = Example.Source.CONVERSATION if obj.message else Example.Source.PRACTICE
        examples.write(
            example=obj,
            message=form.message,
            actor=account,
            assistant=form.cleaned_data.get("assistant"),
            is_active=form.cleaned_data["is_active"],
            for_scoring=form.cleaned_data["for_scoring"],
        )

    def response_add(self, request: HttpRequest, obj: Example, post_url_continue: Any = None) -> HttpResponse:
        """Go back to the conversation that was corrected."""
        if obj.message is None:
            return super().response_add(request, obj, post_url_continue)
        messages.success(request, "Thank you. Messages like this one will be understood better.")
        return redirect("admin:chatbot_conversation_change", obj.message.conversation_id)

    # Trying

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_trying = request.method == "POST" and "_understand" in request.POST
        if is_trying and self.has_view_permission(request):
            request.POST = self._tried(request)
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:
            messages.error(request, refusal.sentence)
            return redirect(request.get_full_path())

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.is_trying = "_understand" in request.POST
        return form

    def _tried(self, request: HttpRequest) -> Any:
        """Ask the assistant what the message means, and return its answer as if it had been filled in."""
        said = request.POST
        text = prompt.normalise(said.get("text", ""))
        if not text:
            messages.error(request, "Please write a message first.")
            return said
        turn = prompt.Turn(text, said.get("task", ""), said.get("asked", ""), said.get("last", ""))
        assistant = _chosen(said.get("assistant", ""))
        tools = assistants.toolbox(assistant).outlines()
        understood = engines.understand(turn, tools, assistant=assistant)
        told = in_words(_as_columns(understood.commands)) or "nothing"
        messages.info(
            request,
            f"The assistant understands: {told}. (By {understood.engine or 'plain code'}; nothing is saved.)",
        )
        return with_answer(said, understood.commands)

    # Many at once

    @admin.action(description="Use these again")
    def use_again(self, request: HttpRequest, queryset: QuerySet[Example]) -> None:
        count = examples.switch(queryset, is_active=True)
        messages.success(request, f"{count} examples are in use again.")

    @admin.action(description="Leave these out")
    def leave_out(self, request: HttpRequest, queryset: QuerySet[Example]) -> None:
        count = examples.switch(queryset, is_active=False)
        messages.success(request, f"{count} examples are left out. They stay here.")

    @action(description="Take in a file", url_path="take-in", icon="upload_file", permissions=["add"])
    def take_in(self, request: HttpRequest) -> HttpResponse:
        """Show what a file holds and what of it is refused; write it on the second press."""
        form = FileForm(request.POST or None, request.FILES or None)
        lines = examples.read(form.cleaned_data["text"]) if form.is_valid() else []
        good = [line.labelled for line in lines if line.labelled]
        if good and "_take_in" in request.POST:
            self._write(request, good, form.cleaned_data)
            return redirect("admin:chatbot_example_changelist")
        return TemplateResponse(
            request,
            "admin/chatbot/example/take_in.html",
            {
                **self.admin_site.each_context(request),
                "title": "Take in examples",
                "opts": self.opts,
                "form": form,
                "is_read": form.is_valid(),
                "text": form.cleaned_data["text"] if form.is_valid() else "",
                "good": [
                    (message, in_words(labelled.as_object(message)["commands"])) for message in good[:SHOWN]
                ],
                "good_count": len(good),
                "refused": [line for line in lines if line.problem][:SHOWN],
                "refused_count": len(lines) - len(good),
            },
        )

    def _write(self, request: HttpRequest, good: Sequence[Labelled], told: dict[str, Any]) -> None:
        taken = examples.take_in(
            good,
            source=Example.Source.PRACTICE,
            actor=cast(Account, request.user),
            assistant=told["assistant"],
            for_scoring=told["for_scoring"],
        )
        messages.success(
            request,
            f"{taken.added} examples were added, {taken.changed} have a new answer, "
            f"{taken.the_same} were here already. {bank.waiting()} wait for their vectors.",
        )

    @action(description="As JSON Lines", url_path="as-lines", icon="download", permissions=["view"])
    def as_lines(self, request: HttpRequest) -> HttpResponse:
        return _download(labelled.as_lines(_messages()), "examples.jsonl", "application/jsonl")

    @action(description="As a table", url_path="as-table", icon="table", permissions=["view"])
    def as_table(self, request: HttpRequest) -> HttpResponse:
        rows = labelled.as_table(_messages(), labelling.argument_names())
        return _download(rows, "examples.csv", "text/csv; charset=utf-8")


def _corrected(request: HttpRequest) -> ChatMessage | None:
    """Return the patient's message that the page is about; 404 for one that is none."""
    key = request.GET.get("message")
    if key is None:
        return None
    if not request.user.has_perm("chatbot.view_conversation"):
        raise PermissionDenied
    said = ChatMessage.objects.filter(author=ChatMessage.Author.PATIENT).select_related(
        "conversation__patient", "conversation__assistant", "conversation__account"
    )
    return get_object_or_404(said, pk=int(key) if key.isdecimal() and len(key) < 18 else 0)


def _chosen(key: str) -> Assistant:
    """Return the assistant that was chosen in the form, else the usual one."""
    found = Assistant.objects.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 18 else None
    return found or assistants.default()


def _as_columns(commands: Iterable[Any]) -> list[dict[str, Any]]:
    return [{"name": said.name, "arguments": dict(said.arguments)} for said in commands]


def _messages() -> Iterator[Labelled]:
    rows = Example.objects.order_by("pk").defer("vector").iterator(chunk_size=500)
    return map(examples.as_labelled, rows)


def _download(pieces: Iterable[str], name: str, kind: str) -> HttpResponse:
    # a few thousand short lines: joined, so that the database is read inside the request
    response = HttpResponse("".join(pieces), content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
