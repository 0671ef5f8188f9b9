"""What a patient says when they pay."""

from django import forms

from billing.money import cents


class PayForm(forms.Form):
    amount = forms.CharField(
        label="Amount to pay now",
        help_text="In dollars: the whole balance, or a part of it.",
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def clean_amount(self) -> int:
        """Return the amount in cents."""
        try:
            return cents(self.cleaned_data["amount"])
        except ValueError as error:
            raise forms.ValidationError("Please write an amount in dollars, such as 85 or 12.50.") from error
