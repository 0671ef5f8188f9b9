"""What a patient may say about themselves on the portal."""

from django import forms

from patients.models import Consent

QUESTIONS = {
    Consent.Kind.CARE_TEXTS: (
        "Text me about my visits and orders",
        "Reminders, changes, “your glasses are here”.",
    ),
    Consent.Kind.BILLING_TEXTS: ("Text me about bills", "When a statement is ready. Never an amount."),
    Consent.Kind.EMAIL: ("E-mail me", "The same news by e-mail."),
}


class ConsentForm(forms.Form):
    """One box for each thing that we may or may not do; an empty box is a no."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        for kind, (label, hint) in QUESTIONS.items():
            self.fields[kind.value] = forms.BooleanField(label=label, help_text=hint, required=False)

    @property
    def answers(self) -> dict[str, bool]:
        return {kind: self.cleaned_data[kind] for kind in self.fields}
