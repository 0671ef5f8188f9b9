"""What the desk fills in for the assistant: the next thing to say, and the signs to watch for."""

import re
from typing import Any, ClassVar

from django import forms
from unfold.dataclasses import ActionDialog
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from chatbot import handoff, services
from chatbot.models import Conversation, RedFlag
from patients.models import Account


class ReplyForm(forms.ModelForm):
    """A conversation's only editable field is the next thing that a person says in it.

    `account` is who says it; the admin sets it on the form of each request.
    """

    account: ClassVar[Account]

    reply = forms.CharField(
        required=False,
        max_length=services.TEXT_LIMIT,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="Saving sends this to the patient, on the channel they use. The assistant is silent then.",
    )

    class Meta:
        model = Conversation
        fields: tuple[str, ...] = ()

    def clean_reply(self) -> str:
        """Refuse here what the service would refuse, so that what was typed stays on the page."""
        text: str = self.cleaned_data["reply"].strip()
        if text and handoff.is_with_another(conversation=self.instance, account=self.account):
            raise forms.ValidationError(
                "Somebody else has taken this conversation. Your words were not sent."
            )
        return text


def asked(title: str, submit: str, description: str) -> ActionDialog:
    """Return the dialog before a step: without one, unfold's buttons are links that write on GET."""
    return ActionDialog(
        title=title, description=description, form_class=BaseDialogForm, form_submit_text=submit
    )


class SignsField(forms.CharField):
    """Signs as a clinician reads them, one to a line: `hit, punched + eye, eyes`.

    What stands between commas are other words for the same thing; a plus joins what must stand near
    each other. The cleaned value is what triage reads: [["hit|punched", "eye|eyes"]].
    """

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 10})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return "\n".join(" + ".join(group.replace("|", ", ") for group in sign) for sign in value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)

    def clean(self, value: Any) -> list[list[str]]:
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        return [[_group(part) for part in line.split("+")] for line in lines]


def _group(text: str) -> str:
    words = [word.strip() for word in re.split("[,|]", text) if word.strip()]
    if not words:
        raise forms.ValidationError("There is a plus with no words beside it.")
    return "|".join(words)


class RedFlagForm(forms.ModelForm):
    patterns = SignsField(
        label="Signs",
        help_text="One sign to a line, for example: hit, punched, elbow* + eye, eyes. Commas part words "
        "for the same thing, a plus joins what must stand near each other, a star stands for any ending.",
    )
    exclusions = SignsField(
        label="Look-alikes", required=False, help_text="Written the same way: what is no sign after all."
    )

    class Meta:
        model = RedFlag
        fields = [
            "name",
            "level",
            "patterns",
            "exclusions",
            "advice",
            "source",
            "is_active",
            "approved_by",
            "approved_on",
        ]
