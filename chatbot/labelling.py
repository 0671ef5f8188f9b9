"""How staff say what a message means: a task from the list, its details picked as words of the message."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from chatbot import examples
from chatbot.commands import GENERAL_COMMANDS, Command
from chatbot.labelled import ASKED_BESIDES, Labelled
from chatbot.models import Assistant, Example
from chatbot.prompt import COMMAND_LIMIT, MESSAGE_LIMIT, allowed_arguments, tidied
from chatbot.tools import registry
from eyecare.errors import Refusal

Choices = list[tuple[str, str]]


def task_choices() -> Choices:
    return [(tool.name, tool.label) for tool in registry.tools().values()]


def argument_names() -> list[str]:
    """Return every detail that some task takes, each once."""
    return list(allowed_arguments(registry.outlines())["set"])


def command_choices() -> list[Any]:
    general = [(name, f"{name}: {meaning}") for name, meaning in GENERAL_COMMANDS.items()]
    return [("", "nothing more"), ("Tasks", task_choices()), ("Always possible", general)]


def _place_choices() -> Choices:
    asked = [*argument_names(), *ASKED_BESIDES]
    return [("", "nothing"), *((name, name.replace("_", " ")) for name in asked)]


def _open_choices() -> Choices:
    return [("", "nothing"), *task_choices()]


def in_words(commands: Iterable[Mapping[str, Any]]) -> str:
    """Return commands as staff read them: "Move an appointment (slot: thursday)"."""
    labels = dict(task_choices())
    return "; ".join(
        f"{labels.get(said['name'], said['name'])}{_details(said.get('arguments') or {})}"
        for said in commands
    )


def _details(arguments: Mapping[str, str]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')}: {words}" for name, words in arguments.items())
    return f" ({told})" if told else ""


class CommandsWidget(forms.Widget):
    """Up to three commands, each with a field for every detail; a script hides those that it cannot have.

    Without the script everything is there, and what does not fit is refused in words.
    """

    template_name = "admin/chatbot/example/commands.html"

    class Media:
        js = ("chatbot/labelling.js",)
        css = {"all": ("chatbot/labelling.css",)}

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        commands = [*_as_rows(value), *[("", {})] * COMMAND_LIMIT][:COMMAND_LIMIT]
        rows = [_row(name, place, *command) for place, command in enumerate(commands, start=1)]
        return {**super().get_context(name, None, attrs), "rows": rows}

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[dict[str, Any]]:
        return [
            {"name": said, "arguments": dict(_arguments(data, f"{name}-{place}"))}
            for place in range(1, COMMAND_LIMIT + 1)
            if (said := str(data.get(f"{name}-{place}-name", "")))
        ]

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return f"{name}-1-name" not in data

    def id_for_label(self, id_: str) -> str:
        return f"{id_}-1-name"


def _as_rows(value: Any) -> Iterator[tuple[str, Mapping[str, str]]]:
    return ((said["name"], said["arguments"]) for said in value or [])


def _arguments(data: Mapping[str, Any], row: str) -> Iterator[tuple[str, str]]:
    for argument in argument_names():
        if words := str(data.get(f"{row}-{argument}", "")).strip():
            yield argument, words


def _row(name: str, place: int, said: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    prefix = f"{name}-{place}"
    allowed = allowed_arguments(registry.outlines())
    choose = UnfoldAdminSelectWidget(choices=command_choices())
    return {
        "place": place,
        "id": f"id_{prefix}-name",
        "select": choose.render(f"{prefix}-name", said, {"id": f"id_{prefix}-name"}),
        "details": [
            {
                "label": argument.replace("_", " "),
                "id": f"id_{prefix}-{argument}",
                "input": UnfoldAdminTextInputWidget().render(
                    f"{prefix}-{argument}", arguments.get(argument, ""), {"id": f"id_{prefix}-{argument}"}
                ),
                "of": " ".join(name for name, names in allowed.items() if argument in names),
            }
            for argument in argument_names()
        ],
    }


def as_posted(name: str, commands: Sequence[Command]) -> dict[str, str]:
    """Return commands as the widget posts them."""
    posted = {f"{name}-{place}-name": "" for place in range(1, COMMAND_LIMIT + 1)}
    for place, said in enumerate(commands, start=1):
        posted[f"{name}-{place}-name"] = said.name
        posted |= {f"{name}-{place}-{argument}": words for argument, words in said.arguments.items()}
    return posted


class CommandsField(forms.Field):
    """What a message asks for; the cleaned value is a list of names with their arguments."""

    widget = CommandsWidget

    def clean(self, value: Any) -> list[dict[str, Any]]:
        if not value:
            raise ValidationError("Please choose at least one thing that the message asks for.")
        return list(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != (data or [])


class ExampleForm(forms.ModelForm):
    """A message and what it means; "is_trying" while the assistant is asked, then nothing is saved."""

    is_trying = False

    text = forms.CharField(
        label="Message",
        max_length=MESSAGE_LIMIT,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="As a patient wrote it, without names, numbers or dates of birth.",
    )
    commands = CommandsField(
        label="What it asks for",
        help_text="Every detail is words of the message: click into its field, then on the first and the "
        "last word of it.",
    )
    task = forms.ChoiceField(
        label="Open task",
        required=False,
        choices=_open_choices,
        widget=UnfoldAdminSelectWidget,
        help_text="What the conversation was about when it came.",
    )
    asked = forms.ChoiceField(
        label="Just asked for", required=False, choices=_place_choices, widget=UnfoldAdminSelectWidget
    )
    last = forms.ChoiceField(
        label="Task just finished", required=False, choices=_open_choices, widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = Example
        fields = (
            "text",
            "commands",
            "task",
            "asked",
            "last",
            "language",
            "licence",
            "assistant",
            "is_active",
            "for_scoring",
        )

    def is_valid(self) -> bool:
        return super().is_valid() and not self.is_trying

    def clean_text(self) -> str:
        return tidied(self.cleaned_data["text"])

    def clean(self) -> dict[str, Any]:
        """Refuse here what the service would refuse, beside the field that it is about."""
        cleaned = super().clean() or self.cleaned_data
        if {"text", "commands"} <= cleaned.keys() and not self.is_trying:
            try:
                message = examples.checked(self.message)
            except Refusal as refusal:
                self.add_error("commands", refusal.sentence)
            else:
                cleaned["commands"] = examples.columns(message)["commands"]
        return cleaned

    @property
    def message(self) -> Labelled:
        """Return what was filled in, in the shape of the exchange format."""
        said = self.cleaned_data
        return Labelled(
            said["text"],
            tuple(Command(command["name"], command["arguments"]) for command in said["commands"]),
            said.get("task", ""),
            said.get("asked", ""),
            said.get("last", ""),
            said.get("language") or "en",
            licence=said.get("licence", ""),
        )


class FileForm(forms.Form):
    """A file of examples; its text goes through the page once more before anything is written."""

    file = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".jsonl,.json,.csv,.txt"}),
        help_text="JSON Lines, or a table with the columns text and command and one for each detail. "
        f"At most {examples.IMPORT_LIMIT // 1_000_000} million characters.",
    )
    text = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)
    assistant = forms.ModelChoiceField(
        Assistant.objects.all(),
        required=False,
        empty_label="every assistant",
        widget=UnfoldAdminSelectWidget,
        help_text="Whom the examples are for.",
    )
    for_scoring = forms.BooleanField(
        required=False,
        label="Only to score with",
        help_text="Models are scored with them and never see them.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        text = _read(cleaned["file"]) if cleaned.get("file") else cleaned.get("text", "")
        if len(text) > examples.IMPORT_LIMIT:
            raise ValidationError("That file is too long. Please cut it in two.")
        if not text.strip():
            raise ValidationError("Please choose a file with at least one example.")
        return cleaned | {"text": text}


def _read(file: Any) -> str:
    if file.size > 4 * examples.IMPORT_LIMIT:
        raise ValidationError("That file is too long. Please cut it in two.")
    try:
        text: str = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationError("That is no text in UTF-8. Please save the file as UTF-8.") from error
    return text


def with_answer(posted: Any, commands: Sequence[Command]) -> Any:
    """Return what was posted, with these commands in the place of those that were chosen."""
    filled = posted.copy() if isinstance(posted, MultiValueDict) else MultiValueDict(posted)
    for key in [key for key in filled if key.startswith("commands-")]:
        del filled[key]
    for key, value in as_posted("commands", commands).items():
        filled[key] = value
    return filled
