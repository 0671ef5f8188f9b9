"""How the workshop's pages say what programs wrote."""

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def in_words(text: str) -> str:
    """Return names of tasks and details as people write them: `book_appointment slot`."""
    return text.replace("_", " ")


@register.filter
def parity(found: Mapping[str, Any]) -> str:
    """Return how the file compares with the trained model, as the run wrote it down."""
    return ", ".join(f"{in_words(name)}: {_shown(value)}" for name, value in found.items())


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({parity(value)})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
