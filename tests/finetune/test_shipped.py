"""The model in the repository: small enough, fit for today's prompt, and as good as its card says."""

import gguf
import pytest

from chatbot.commands import Command
from chatbot.modelhost.llama import GgufModel
from chatbot.prompt import Turn
from finetune.base.pretrain import SHIPPED
from finetune.base.shipped import style_of
from finetune.corpus.cases import DEVELOPMENT, read_cases
from finetune.examples import CHAT_TEMPLATE
from finetune.measure import evaluate


@pytest.fixture(scope="module")
def shipped() -> GgufModel:
    return evaluate.load(SHIPPED)


def test_the_file_is_small_and_names_its_licence_and_its_template():
    fields = gguf.GGUFReader(SHIPPED).fields
    assert SHIPPED.stat().st_size < 25_000_000
    assert "CC BY-SA 4.0" in fields["general.license"].contents()
    assert fields["tokenizer.chat_template"].contents() == CHAT_TEMPLATE


@pytest.mark.parametrize(
    ("turn", "commands"),
    [
        (
            Turn("I need my eyes checked, sometime next week in the morning"),
            (
                Command(
                    "book_appointment",
                    {"visit_type": "eyes checked", "slot": "sometime next week in the morning"},
                ),
            ),
        ),
        (Turn("what do I owe?"), (Command("balance"),)),
        (Turn("the second one", "book_appointment", "slot"), (Command("set", {"slot": "the second one"}),)),
        (Turn("no, wednesday", "book_appointment", "confirmation"), (Command("set", {"slot": "wednesday"}),)),
        (
            Turn("actually make it 3pm instead", last="book_appointment"),
            (Command("reschedule_appointment", {"slot": "3pm"}),),
        ),
        (
            Turn("cancel tuesday and how much do I owe"),
            (Command("cancel_appointment", {"appointment": "tuesday"}), Command("balance")),
        ),
        (Turn("I suddenly can't see out of my left eye"), (Command("urgent"),)),
    ],
    ids=lambda value: value.message if isinstance(value, Turn) else "",
)
def test_the_plainest_messages_are_understood(shipped, turn, commands):
    assert evaluate.understand(shipped, turn, style_of(SHIPPED)) == commands


def test_the_score_on_the_development_cases_has_not_fallen_even_without_hints(shipped):
    score = evaluate.evaluate(shipped, read_cases(DEVELOPMENT), style=style_of(SHIPPED))
    assert score.exact >= 0.65, "\n".join(map(str, score.misses))
