"""Reads a GGUF of ours back: which prompt it was trained on, later its weights and its tokenizer."""

from pathlib import Path

import gguf

from chatbot.prompt import Style

STYLE_KEY = "eyecare.prompt_style"


def style_of(path: Path) -> Style:
    """Return how the prompt is written for the model in the file; those of before hints do not say."""
    field = gguf.GGUFReader(path).fields.get(STYLE_KEY)
    return Style(field.contents()) if field else Style.COMPACT
