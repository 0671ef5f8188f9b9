"""Answers that are written together are those that would be written alone, and nothing is read twice."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chatbot.modelhost.answers import Prompt, Tally
from chatbot.modelhost.batch import Batch
from chatbot.modelhost.catalogue import Entry
from chatbot.modelhost.engine import Weights
from chatbot.modelhost.generation import Generation, Request, Voice
from chatbot.modelhost.llama import GgufModel
from tests.chatbot.tiny_gguf import write_tiny_adapter

ENTRY = Entry("tiny", "/tiny.gguf", "0" * 64)
PLAIN = Voice("tiny", 256)
RULES = "You answer patients of an eye practice, briefly and kindly, in plain words."
QUESTIONS = ("where are my glasses", "what do I owe", "thanks!", "can I come on monday at nine or so?")


@dataclass(eq=False)
class Asked:
    """A request to a batch, and what came of it."""

    messages: Sequence[dict[str, str]]
    max_tokens: int = 24
    voice: Voice = PLAIN
    is_wanted: bool = True
    tally: Tally = field(default_factory=Tally)
    said: list[str] = field(default_factory=list)
    ends: list[Exception | None] = field(default_factory=list)
    generation: Generation | None = None

    @property
    def text(self) -> str:
        return "".join(self.said)

    def come_in(self, batch: Batch) -> "Asked":
        prompt = Prompt(self.messages, max_tokens=self.max_tokens)
        request = Request(
            ENTRY, prompt, self.tally, self.said.append, self.ends.append, lambda: self.is_wanted
        )
        self.generation = batch.admit(request, self.voice)
        return self


@pytest.fixture
def batch(tiny_gguf: Path) -> Iterator[Batch]:
    batch = Batch(Weights(tiny_gguf), cells=2048, parallel=8, threads=1)
    yield batch
    batch.close()


@pytest.fixture
def alone(tiny_gguf: Path) -> Iterator[GgufModel]:
    model = GgufModel(tiny_gguf, context_tokens=256, threads=1)
    yield model
    model.close()


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def ruled(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": RULES}, *user(text)]


def written(batch: Batch, *asked: Asked) -> list[str]:
    """Have all of them written together, and return what they say."""
    for one in asked:
        one.come_in(batch)
    while batch.running:
        batch.step()
    assert [one.ends for one in asked] == [[None]] * len(asked)
    return [one.text for one in asked]


def says(model: GgufModel, messages: Sequence[dict[str, str]], max_tokens: int = 24) -> str:
    return "".join(model.generate(Prompt(messages, max_tokens=max_tokens), Tally()))


def restores(batch: Batch) -> float:
    return float(batch.metrics.restores._value.get())


def test_answers_written_together_are_those_written_alone(batch: Batch, alone: GgufModel) -> None:
    together = written(batch, *[Asked(user(text)) for text in QUESTIONS])
    assert together == [says(alone, user(text)) for text in QUESTIONS]


def test_who_comes_in_later_is_written_along_and_changes_nothing(batch: Batch, alone: GgufModel) -> None:
    first = Asked(user(QUESTIONS[0])).come_in(batch)
    for _ in range(5):
        batch.step()
    assert first.tally.completion_tokens == 5
    second = Asked(user(QUESTIONS[1])).come_in(batch)
    batch.step()
    assert (first.tally.completion_tokens, second.tally.completion_tokens) == (6, 1)
    while batch.running:
        batch.step()
    assert [first.text, second.text] == [says(alone, user(text)) for text in QUESTIONS[:2]]


def test_a_shared_beginning_is_read_once_for_all_who_come_together(batch: Batch, alone: GgufModel) -> None:
    stable = batch.weights.stable_tokens(ruled(""))
    asked = [Asked(ruled(text)) for text in QUESTIONS]
    assert written(batch, *asked) == [says(alone, ruled(text)) for text in QUESTIONS]
    prompts = sum(one.tally.prompt_tokens for one in asked)
    read = sum(one.tally.prompt_tokens - one.tally.cached_tokens for one in asked)
    assert stable > 80
    assert read == prompts - stable * (len(asked) - 1)


def test_a_shared_beginning_is_there_for_who_comes_much_later(batch: Batch) -> None:
    stable = batch.weights.stable_tokens(ruled(""))
    written(batch, Asked(ruled("one")))
    later = Asked(ruled("quite another question"))
    written(batch, later)
    assert later.tally.cached_tokens == stable


def test_an_abandoned_beginning_is_read_on_by_the_next(batch: Batch, alone: GgufModel) -> None:
    long = [{"role": "system", "content": RULES * 2}, *user("hello")]
    gone, next_one = Asked(long), Asked(long)
    gone.come_in(batch)
    batch.step()
    gone.is_wanted = False
    assert written(batch, next_one) == [says(alone, long)]
    assert gone.said == []
    assert next_one.tally.cached_tokens == 128


def test_a_conversation_goes_on_from_where_it_rested(batch: Batch, alone: GgufModel) -> None:
    first = Asked(ruled(QUESTIONS[0]))
    [answer] = written(batch, first)
    written(batch, *[Asked(ruled(text)) for text in QUESTIONS[1:]])
    history = [*ruled(QUESTIONS[0]), {"role": "assistant", "content": answer}, *user("and then?")]
    second = Asked(history)
    assert written(batch, second) == [says(alone, history)]
    assert restores(batch) == 1
    assert second.tally.cached_tokens >= first.tally.prompt_tokens


def test_of_a_longer_text_only_the_longer_version_rests(batch: Batch) -> None:
    history = ruled(QUESTIONS[0])
    for _ in range(3):
        [answer] = written(batch, Asked(history, max_tokens=8))
        history = [*history, {"role": "assistant", "content": answer}, *user("and?")]
    assert len(batch.cache._resting) == 1


def test_what_rested_longest_is_forgotten_when_memory_is_short(tiny_gguf: Path) -> None:
    small = Batch(Weights(tiny_gguf), cells=512, parallel=2, threads=1, resting_bytes=40_000)
    texts = [f"{letter * 40} is what number {letter} wants to know" for letter in "abcdef"]
    for text in texts:
        written(small, Asked(user(text), max_tokens=2))
    assert 0 < small.cache.held_bytes <= 40_000
    oldest, newest = Asked(user(texts[0]), max_tokens=2), Asked(user(texts[-1]), max_tokens=2)
    written(small, newest)
    written(small, oldest)
    assert newest.tally.cached_tokens == newest.tally.prompt_tokens - 1
    assert oldest.tally.cached_tokens == 0
    small.close()


def test_nobody_is_let_in_for_whom_there_is_no_room_and_room_comes_back(tiny_gguf: Path) -> None:
    small = Batch(Weights(tiny_gguf), cells=256, parallel=4, threads=1)
    first, second = Asked(user("x" * 100), max_tokens=60), Asked(user("y" * 100), max_tokens=60)
    first.come_in(small)
    assert second.come_in(small).generation is None
    while small.running:
        small.step()
    assert second.come_in(small).generation is not None
    small.finish(second.generation)  # type: ignore[arg-type]
    assert small.cache._free_cells == 256
    small.close()


def test_systems_prompts_that_nobody_uses_make_room_for_others(tiny_gguf: Path) -> None:
    small = Batch(Weights(tiny_gguf), cells=256, parallel=4, threads=1)
    for number in range(6):
        system = {"role": "system", "content": f"{number}. {RULES}"}
        asked = Asked([system, *user("hello")], max_tokens=4)
        written(small, asked)
        assert asked.tally.cached_tokens == 0
    assert len(small.cache._trunks) == 2
    small.close()


def test_who_waited_while_the_model_was_loaded_anew_is_answered(tiny_gguf: Path, alone: GgufModel) -> None:
    first = Batch(Weights(tiny_gguf), cells=256, parallel=2, threads=1)
    in_the_way = Asked(user("hi"), max_tokens=256).come_in(first)
    waiting = Asked(user("hello"))
    request = Request(
        ENTRY,
        Prompt(waiting.messages, max_tokens=24, grammar='root ::= "well" [a-z ]*'),
        waiting.tally,
        waiting.said.append,
        waiting.ends.append,
    )
    assert first.admit(request, PLAIN) is None
    first.finish(in_the_way.generation)  # type: ignore[arg-type]
    first.close()
    second = Batch(Weights(tiny_gguf), cells=256, parallel=1, threads=1)
    assert second.admit(request, PLAIN) is not None
    while second.running:
        second.step()
    assert waiting.text.startswith("well")
    second.close()


def test_a_long_prompt_is_read_in_slices_between_which_others_go_on(batch: Batch) -> None:
    writer = Asked(user("hi"), max_tokens=40).come_in(batch)
    batch.step()
    batch._token_seconds = 0.01  # a slow machine: fifteen tokens fit into the time others may be held up
    reader = Asked(user("long " * 45), max_tokens=2).come_in(batch)
    said = []
    while not reader.said:
        batch.step()
        batch._token_seconds = 0.01
        said.append(writer.tally.completion_tokens)
    assert said == list(range(2, 2 + len(said)))
    assert len(said) == -(-reader.tally.prompt_tokens // 16)


def test_prompts_of_several_are_read_in_turns(batch: Batch) -> None:
    first, second = (Asked(user(letter * 200), max_tokens=2).come_in(batch) for letter in "ab")
    batch.step()
    assert first.generation is not None
    assert second.generation is not None
    assert first.generation.evaluated == second.generation.evaluated == 64


def test_adapters_differ_and_do_not_leak(batch: Batch, tiny_gguf: Path, tmp_path: Path) -> None:
    files = {key: write_tiny_adapter(tmp_path / f"{key}.gguf", seed=ord(key)) for key in "ab"}
    voices = {key: Voice(key, 256, key, batch.weights.adapter(path)) for key, path in files.items()}
    expected = {key: _alone_with(tiny_gguf, path) for key, path in {**files, "": None}.items()}
    for _ in range(2):
        asked = [Asked(ruled("hello"), voice=voices.get(key, PLAIN)) for key in ("a", "", "b", "")]
        assert written(batch, *asked) == [expected["a"], expected[""], expected["b"], expected[""]]
    assert len(set(expected.values())) == 3


def test_what_was_read_under_one_adapter_is_not_used_under_another(batch: Batch, tmp_path: Path) -> None:
    adapter = batch.weights.adapter(write_tiny_adapter(tmp_path / "a.gguf", seed=1))
    written(batch, Asked(ruled("hello")))
    under = Asked(ruled("hello"), voice=Voice("a", 256, "a", adapter))
    written(batch, under)
    assert under.tally.cached_tokens == 0
    batch.drop_adapter("a", adapter)
    assert {trunk.adapter for trunk in batch.cache._trunks.values()} == {""}
    assert {resting.adapter for resting in batch.cache._resting.values()} == {""}


def test_after_any_coming_and_going_every_place_is_free_again(tiny_gguf: Path, alone: GgufModel) -> None:
    chance = random.Random(7)
    batch = Batch(Weights(tiny_gguf), cells=512, parallel=4, threads=1, resting_bytes=200_000)
    asked: list[Asked] = []
    for number in range(150):
        write = chance.choice([user, ruled])
        if chance.random() < 0.4:
            asked.append(
                Asked(write(f"{number % 9} asks"), max_tokens=chance.randrange(1, 20)).come_in(batch)
            )
        if asked and chance.random() < 0.2:
            chance.choice(asked).is_wanted = False
        batch.step()
    while batch.running:
        batch.step()
    cache = batch.cache
    held = sum(len(trunk.tokens) for trunk in cache._trunks.values())
    assert cache._free_cells == batch.context.cells - held
    assert len(set(cache._free_sequences)) == batch.context.sequences - 1 - len(cache._trunks)
    assert all(batch.context.length(sequence) == 0 for sequence in [0, *cache._free_sequences])
    assert [one.ends for one in asked if one.generation] == [[None]] * sum(
        1 for one in asked if one.generation
    )
    assert written(batch, Asked(ruled("hello"))) == [says(alone, ruled("hello"))]
    batch.close()


def test_one_answer_that_cannot_go_on_ends_alone(batch: Batch, alone: GgufModel) -> None:
    fine = Asked(user("hello")).come_in(batch)
    stuck = Asked(user("hello there")).come_in(batch)
    batch.step()
    assert stuck.generation is not None
    stuck.generation.hear = _break  # type: ignore[method-assign]
    while batch.running:
        batch.step()
    assert [str(problem) for problem in stuck.ends] == ["broken"]
    assert fine.text == says(alone, user("hello"))


def test_after_a_failed_step_everybody_is_told_and_the_next_is_answered(
    batch: Batch, alone: GgufModel
) -> None:
    asked = [Asked(ruled(text)).come_in(batch) for text in QUESTIONS]
    batch.step()
    batch.abort(RuntimeError("failed"))
    assert [str(problem) for one in asked for problem in one.ends] == ["failed"] * len(asked)
    assert written(batch, Asked(ruled("hello"))) == [says(alone, ruled("hello"))]


def _break(*unused: object) -> bool:
    raise RuntimeError("broken")


def _alone_with(base: Path, adapter: Path | None) -> str:
    model = GgufModel(base, context_tokens=256, threads=1, adapter=adapter)
    try:
        return says(model, ruled("hello"))
    finally:
        model.close()
