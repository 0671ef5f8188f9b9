"""One training example: what the model is shown, and what it should answer."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chatbot import prompt
from chatbot.commands import Command
from chatbot.prompt import Style, Turn

_WORD = re.compile(r"(?P<lead>\W*)(?P<core>\S*\w|\S)(?P<trail>\W*?)(?=\s|$)")


@dataclass(frozen=True)
class Example:
    """A turn with the commands that it means, and where it comes from.

    `frames` names the hand-written sentences that the message was composed of, `conversation` what it was
    said in: neither may stand on both sides of a split. `licence` is that of the source.
    """

    turn: Turn
    commands: tuple[Command, ...]
    source: str
    frames: frozenset[str] = frozenset()
    conversation: str = ""
    language: str = "en"
    licence: str = ""

    @property
    def answer(self) -> str:
        return prompt.answer(self.commands)

    @property
    def prompt(self) -> str:
        """The text in front of the answer, exactly as the chat template in the GGUF renders it."""
        return self.prompt_in(Style.COMPACT)

    def prompt_in(self, style: Style) -> str:
        """Return the text in front of the answer in one of the two styles of a model of ours."""
        [message] = prompt.render(self.turn, style=style)
        return message["content"] + ANSWER_PREFIX

    @property
    def fits(self) -> bool:
        """Whether the grammar could have produced every argument: runs of whole words of the message."""
        edges = word_edges(prompt.normalise(self.turn.message))
        said = prompt.normalise(self.turn.message)
        return all(
            _is_run_of_words(span, said, edges)
            for command in self.commands
            for span in command.arguments.values()
        )


ANSWER_PREFIX = "\nanswer:"
"""What stands between the patient's message and the answer; no message can hold a line break."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ message['content'] }}"
    "{% elif message['role'] == 'assistant' %}{{ '\\nanswer:' + message['content'] + eos_token }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\nanswer:' }}{% endif %}"
)
"""Jinja: one user message, then the answer. It holds no begin-of-text token, so none can be doubled."""


def word_edges(said: str) -> list[tuple[int, int]]:
    """Return where each word of a normalised message starts and ends, without its punctuation."""
    return [(match.start("core"), match.end("core")) for match in _WORD.finditer(said)]


def trim(span: str) -> str:
    """Return the span without the punctuation around it, which the grammar hardly ever writes."""
    said = prompt.normalise(span)
    edges = [edge for edge in word_edges(said) if any(map(str.isalnum, said[slice(*edge)]))]
    return said[edges[0][0] : edges[-1][1]] if edges else ""


def _is_run_of_words(span: str, said: str, edges: list[tuple[int, int]]) -> bool:
    starts, ends = {start for start, _ in edges}, {end for _, end in edges}
    return any(
        match.start() in starts and match.start() + len(span) in ends
        for match in re.finditer(f"(?={re.escape(span)})", said)
    )


def fitting(examples: Iterable[Example]) -> Iterator[Example]:
    """Keep the examples whose answer the grammar allows."""
    return (example for example in examples if example.fits)
