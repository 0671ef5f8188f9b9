"""What a Hugging Face model is shown and what it should answer, as token ids with the answer marked.

The text is rendered by the tokenizer's own chat template, the same one that travels in the GGUF and that
the model host renders from: there is no second renderer that could drift.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot import prompt
from chatbot.prompt import Style
from finetune.examples import Example
from finetune.tasks import TOOLS

UNCOUNTED = -100
"""The label of a token whose loss does not count (torch's cross_entropy)."""

CHATML_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set said = message['content'] | replace('<|im_start|>', '') | replace('<|im_end|>', '') | trim %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + said }}"
    "{{ eos_token if message['role'] == 'assistant' else '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML in ordinary tokens: new special ones would need embeddings that an adapter does not hold.

An answer ends with the base's own end token, at which every server stops by itself.
"""

Message = Mapping[str, str]


class NoTemplate(ValueError):
    """The base does not say how its messages are written."""

    hint = "Take the instruction-tuned version of this base: a plain one has no chat template."


@dataclass(frozen=True)
class Exchange:
    """Messages, and the answer that is learnt."""

    messages: tuple[Message, ...]
    answer: str


@dataclass(frozen=True)
class Encoded:
    """Token ids; labels are the ids where they count and UNCOUNTED in front of the answer."""

    ids: list[int]
    labels: list[int]


def of_example(example: Example) -> Exchange:
    """Return a labelled turn as the assistant will show it to a model of the full style."""
    return Exchange(tuple(prompt.render(example.turn, TOOLS, Style.FULL)), example.answer)


def of_dialogue(patient: str, doctor: str) -> Exchange:
    """Return a patient's question and the doctor's reply."""
    return Exchange(({"role": "user", "content": patient},), doctor)


class Encoder:
    """Turns exchanges into token ids, in training as in serving, with a tokenizer of transformers."""

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.chat_template:
            raise NoTemplate("This base carries no chat template, so nobody knows how to speak to it.")
        self._tokenizer = tokenizer
        marks = "|".join(re.escape(mark) for mark in _control_marks(tokenizer))
        self._controls = re.compile(marks or r"(?!)")

    def text(self, messages: Sequence[Message]) -> str:
        """Return what stands in front of the answer, as the model host renders it."""
        harmless = [{**message, "content": self._disarm(message["content"])} for message in messages]
        text: str = self._tokenizer.apply_chat_template(harmless, tokenize=False, add_generation_prompt=True)
        return text

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the ids in front of the answer, as the model host computes them."""
        return self._ids(self.text(messages))

    def encode(self, exchange: Exchange) -> Encoded:
        """Return the whole exchange; the loss counts from the answer's first token to its end mark."""
        asked = self.prompt(exchange.messages)
        learnt = [*self.answer(exchange.answer), self._tokenizer.eos_token_id]
        return Encoded(asked + learnt, [UNCOUNTED] * len(asked) + learnt)

    def answer(self, text: str) -> list[int]:
        """Return the ids of an answer that starts with its first character, as the grammar makes it start.

        SentencePiece would put a blank in front, in a token that no grammar allows there.
        """
        line = self._ids("\n")
        whole = self._ids("\n" + self._disarm(text))
        return whole[len(line) :] if whole[: len(line)] == line else self._ids(self._disarm(text))

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def _disarm(self, text: str) -> str:
        """Take out control tokens that somebody typed, as the model host does."""
        while self._controls.search(text):
            text = self._controls.sub("", text)
        return text


def fitting(encoded: Iterable[Encoded], *, tokens: int, may_cut: bool) -> Iterator[Encoded]:
    """Leave out what is too long; a doctor's words may be cut, half a command would teach nonsense."""
    for example in encoded:
        if len(example.ids) <= tokens:
            yield example
        elif may_cut and any(label != UNCOUNTED for label in example.labels[:tokens]):
            yield Encoded(example.ids[:tokens], example.labels[:tokens])


def _control_marks(tokenizer: Any) -> list[str]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    special = [str(token) for token in added.values() if token.special]
    return sorted({*special, *tokenizer.all_special_tokens}, key=len, reverse=True)
