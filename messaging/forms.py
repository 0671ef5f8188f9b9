"""What the phone simulator reads."""

from django import forms


class TextForm(forms.Form):
    body = forms.CharField(max_length=1000, strip=True)
