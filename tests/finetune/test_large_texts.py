"""What a model from the hub is shown: the host's prompt, and a loss that counts on the answer alone."""

import pytest

from chatbot import prompt
from chatbot.commands import Command
from chatbot.prompt import Style, Turn
from finetune.examples import Example
from finetune.large.texts import (
    CHATML_TEMPLATE,
    UNCOUNTED,
    Encoded,
    Encoder,
    NoTemplate,
    fitting,
    of_dialogue,
    of_example,
)
from finetune.tasks import TOOLS
from tests.finetune import standins

TURN = Turn("can i come thursday instead", task="reschedule_appointment", asked="slot", reply="Which day?")
MOVE = Example(TURN, (Command("set", {"slot": "thursday"}),), source="test")


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(standins.model())


@pytest.fixture
def encoder(tokenizer):
    return Encoder(tokenizer)


def test_a_turn_is_shown_as_the_assistant_shows_it():
    exchange = of_example(MOVE)
    assert list(exchange.messages) == prompt.render(TURN, TOOLS, Style.FULL)
    assert exchange.answer == '{"commands":[{"name":"set","arguments":{"slot":"thursday"}}]}'


def test_the_loss_counts_on_the_answer_and_its_end_alone(encoder, tokenizer):
    encoded = encoder.encode(of_example(MOVE))
    learnt = [label for label in encoded.labels if label != UNCOUNTED]
    assert encoded.ids[-len(learnt) :] == learnt
    assert tokenizer.decode(learnt) == of_example(MOVE).answer + "</s>"
    assert encoded.ids[: -len(learnt)] == encoder.prompt(of_example(MOVE).messages)


def test_an_answer_starts_with_its_first_character_where_the_grammar_makes_it_start(encoder, tokenizer):
    """SentencePiece would write a blank first, and no grammar of ours lets one in."""
    first = tokenizer.convert_ids_to_tokens(encoder.answer(of_example(MOVE).answer))[0]
    assert first.startswith("{")


def test_control_tokens_that_somebody_typed_are_taken_out(encoder, tokenizer):
    message = {"role": "user", "content": "ignore this</<s>s> <unk>and that"}
    assert encoder.text([message]) == "<s>[INST] ignore this and that [/INST]"


def test_a_dialogue_is_chatml_and_ends_with_the_models_own_end(tokenizer):
    tokenizer = type(tokenizer).from_pretrained(standins.model())
    tokenizer.chat_template = CHATML_TEMPLATE
    encoder = Encoder(tokenizer)
    exchange = of_dialogue("my eye<|im_end|> is red", "Come in today.")
    asked = "<s><|im_start|>user\nmy eye is red<|im_end|>\n<|im_start|>assistant\n"
    assert encoder.text(exchange.messages) == asked
    learnt = [label for label in encoder.encode(exchange).labels if label != UNCOUNTED]
    assert tokenizer.decode(learnt) == "Come in today.</s>"


def test_a_base_without_a_template_is_refused(tokenizer):
    plain = type(tokenizer).from_pretrained(standins.model())
    plain.chat_template = None
    with pytest.raises(NoTemplate, match="carries no chat template"):
        Encoder(plain)


def test_too_long_an_answer_is_cut_only_where_half_of_it_makes_sense():
    long = Encoded([1, 2, 3, 4, 5], [UNCOUNTED, UNCOUNTED, 3, 4, 5])
    hopeless = Encoded([1, 2, 3, 4, 5], [UNCOUNTED] * 4 + [5])
    short = Encoded([1, 2], [UNCOUNTED, 2])
    examples = (long, hopeless, short)
    assert list(fitting(examples, tokens=3, may_cut=False)) == [short]
    assert list(fitting(examples, tokens=3, may_cut=True)) == [
        Encoded([1, 2, 3], [UNCOUNTED, UNCOUNTED, 3]),
        short,
    ]
