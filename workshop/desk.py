"""What a model builder fills in: each form asks the services and shows their no beside the field."""

from typing import Any, ClassVar, cast

from django import forms
from unfold.dataclasses import ActionDialog
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from chatbot.models import Assistant
from eyecare.errors import Refusal
from patients.models import Account
from workshop import intake, jobs, recipes, services
from workshop.models import Dataset, FineTuneJob, ModelVersion

USUAL = {"epochs": 3, "learning_rate": 2e-4}
"""What a form begins with where there is no recipe to take it from."""


class UploadForm(forms.ModelForm):
    """Takes in a file of examples."""

    actor: ClassVar[Account]

    file = forms.FileField(
        label="File",
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"A table (.csv) with the columns text and command, and one for each detail such as slot; "
        f"or JSON Lines (.jsonl). At most {intake.LARGEST_BYTES // 2**20} MB. Names, phone numbers and dates "
        "of birth are replaced, and the file itself is not kept.",
    )
    field_order = ["file", "name", "licence"]

    class Meta:
        model = Dataset
        fields = ["name", "licence"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "name" in self.fields:
            self.fields["name"].required = False
            self.fields["name"].help_text = "What you call it; the file's name when left empty."
            self.fields["licence"].initial = Dataset.Licence.OWN
            self.fields["licence"].help_text = "Who may use these messages. Yours are the practice's own."

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            self.instance = services.upload(**cleaned, actor=self.actor)
        except Refusal as refusal:
            self.add_error("file", refusal.sentence)
        return {**cleaned, "name": self.instance.name}


class StartForm(forms.ModelForm):
    """Starts a fine-tune; filled with values that do for most."""

    actor: ClassVar[Account]

    # not called "dataset": unfold takes a posted field of that name for the press of a button in a list
    examples = forms.ModelChoiceField(
        Dataset.objects.defer("report"),
        label="Training examples",
        widget=UnfoldAdminSelectWidget,
        help_text="What it learns from.",
    )
    recipe = forms.ChoiceField(
        widget=UnfoldAdminSelectWidget,
        help_text="How it learns. The first one runs on any machine; large models need a graphics card.",
    )

    class Meta:
        model = FineTuneJob
        fields = ["assistant", "recipe", "epochs", "learning_rate", "base"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "assistant" not in self.fields:  # a job that is only looked at
            return
        found = recipes.every()
        usual = vars(found[0]) if found else USUAL
        offered = cast(forms.ChoiceField, self.fields["recipe"])
        offered.choices = [(recipe.name, _in_words(recipe)) for recipe in found]
        for name, words in _WORDS.items():
            self.fields[name].help_text = words
        for name in USUAL:
            self.fields[name].initial = usual[name]
        self.fields["assistant"].initial = Assistant.objects.filter(is_default=True).first()
        self.fields["examples"].initial = Dataset.objects.first()
        base = cast(forms.ModelChoiceField, self.fields["base"])
        base.queryset = ModelVersion.objects.whole()
        base.label, base.empty_label = "Begin with", "The model that ships with the portal"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            self.instance = jobs.start(dataset=cleaned.pop("examples"), **cleaned, actor=self.actor)
        except Refusal as refusal:
            raise forms.ValidationError(refusal.sentence) from refusal
        return cleaned


_WORDS = {
    "assistant": "Whose words it learns. Nothing changes for patients until you promote the result.",
    "epochs": "How often it reads every example. 3 is right for some hundred examples; more for very few.",
    "learning_rate": "How fast it learns. Leave it, unless you were told otherwise: "
    "too fast, and it forgets what it knew.",
    "base": "Leave it, unless you have added another model.",
}


def _in_words(recipe: recipes.Recipe) -> str:
    return f"{recipe.title} (needs a graphics card)" if recipe.needs_gpu else recipe.title


class WhyDialog(BaseDialogForm):
    why = forms.CharField(
        label="Why",
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="One line for whoever looks it up later.",
    )


class BankDialog(BaseDialogForm):
    assistant = forms.ModelChoiceField(
        Assistant.objects.active(), empty_label=None, widget=UnfoldAdminSelectWidget
    )


def asked(
    title: str, submit: str, description: str, form: type[BaseDialogForm] = BaseDialogForm
) -> ActionDialog:
    """Return the dialog before a step: without one, unfold's buttons are links that write on GET."""
    return ActionDialog(title=title, description=description, form_class=form, form_submit_text=submit)
