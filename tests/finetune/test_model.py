"""A tiny model learns, is exported, and answers in llama.cpp as it does in PyTorch."""

import itertools
from dataclasses import replace
from itertools import islice

import gguf
import pytest
import torch
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chatbot import prompt
from chatbot.prompt import Style, Turn
from finetune import recipe
from finetune.base import parity
from finetune.base.batches import Encoded, Mixture
from finetune.base.model import CommandModel
from finetune.base.muon import Muon
from finetune.base.tokenizer import PAD_ID
from finetune.base.train import Checkpoint, feed, new_optimizers, run_stage, train
from finetune.examples import CHAT_TEMPLATE, Example
from finetune.measure import evaluate
from finetune.progress import Cancelled
from finetune.recipe import Recipe, Stage
from finetune.tasks import TOOLS
from finetune.weights.quantize import quantize
from finetune.weights.runtime import Runtime

STAGE = Stage(
    "only", steps=20, learning_rate=5e-3, own_share=1.0, prompt_weight=0.1, warmup=2, batch_tokens=512
)


@pytest.fixture
def tiny(model) -> Recipe:
    return Recipe("tiny", seed=1, turns=600, shape=model.shape, stages=(STAGE,), compiled=False, threads=1)


@pytest.fixture(scope="module")
def mixture(examples, tokenizer) -> Mixture:
    own = Encoded.of(tokenizer.encode_examples(examples[:400], Style.COMPACT), context=256)
    return Mixture(own, Encoded.of(tokenizer.encode_examples(examples[400:], Style.COMPACT), context=256))


def test_twenty_steps_reduce_the_loss(model, tiny, mixture):
    losses = run_stage(model, new_optimizers(model), STAGE, feed(mixture, STAGE, seed=1), compiled=False)
    assert len(losses) == 20
    assert sum(losses[-3:]) < 0.85 * sum(losses[:3])


class KilledAt:
    """Progress of a run that is killed without a word in the middle of a step."""

    def __init__(self, step: int, error: type[BaseException]) -> None:
        self.left, self.error = step, error

    def report(self, *told: object, **figures: object) -> None:
        return

    def stop_if_cancelled(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise self.error


@pytest.mark.parametrize("killed_at", [3, 11, 17])
def test_a_cancelled_run_goes_on_as_if_it_had_never_stopped(tiny, mixture, tmp_path, killed_at):
    first = replace(STAGE, name="first", steps=8)
    recipe = replace(tiny, stages=(first, replace(STAGE, name="second", steps=12, own_share=0.5)))
    vocabulary = tiny.shape.vocabulary
    whole, losses = train(recipe, mixture, vocabulary=vocabulary)
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt")
    with pytest.raises(Cancelled):
        train(
            recipe,
            mixture,
            vocabulary=vocabulary,
            checkpoint=checkpoint,
            progress=KilledAt(killed_at, Cancelled),
        )
    resumed, rest = train(recipe, mixture, vocabulary=vocabulary, checkpoint=checkpoint)
    assert rest == losses[killed_at:]
    assert torch.equal(whole.token_embd.weight, resumed.token_embd.weight)


def test_a_killed_run_goes_on_from_its_last_checkpoint(tiny, mixture, tmp_path, monkeypatch):
    monkeypatch.setattr("finetune.base.train.CHECKPOINT_EVERY", 5)
    vocabulary, checkpoint = tiny.shape.vocabulary, Checkpoint(tmp_path / "checkpoint.pt")
    _, losses = train(tiny, mixture, vocabulary=vocabulary)
    killed = KilledAt(13, MemoryError)
    with pytest.raises(MemoryError):
        train(tiny, mixture, vocabulary=vocabulary, checkpoint=checkpoint, progress=killed)
    *_, step = checkpoint.load()
    assert step == 10
    _, rest = train(tiny, mixture, vocabulary=vocabulary, checkpoint=checkpoint)
    assert rest == losses[10:]
    _, nothing_left = train(tiny, mixture, vocabulary=vocabulary, checkpoint=checkpoint)
    assert nothing_left == []


def test_batches_depend_on_seed_stage_and_step_alone(mixture):
    drawn = list(islice(feed(mixture, STAGE, seed=1), 40))
    later = list(islice(feed(mixture, STAGE, seed=1, first_step=30), 10))
    assert all(torch.equal(one.ids, other.ids) for one, other in zip(drawn[30:], later, strict=True))
    other = next(feed(mixture, STAGE, seed=2))
    assert other.ids.shape != drawn[0].ids.shape or not torch.equal(other.ids, drawn[0].ids)


def test_every_example_of_both_sources_is_gone_through(mixture):
    halves = replace(STAGE, own_share=0.5)
    rows = (row for batch in islice(feed(mixture, halves, seed=1), 400) for row in batch.ids)
    seen = {tuple(row[row != PAD_ID].tolist()) for row in rows}
    both = mixture.own + mixture.other
    assert {tuple(both[place][0].tolist()) for place in range(len(both))} <= seen


def test_encoded_examples_are_the_same_after_being_kept(mixture, tmp_path):
    mixture.own.save(tmp_path / "own.npz")
    kept = Encoded.load(tmp_path / "own.npz")
    assert [tuple(kept[place][0]) for place in range(len(kept))] == [
        tuple(mixture.own[place][0]) for place in range(len(kept))
    ]


def test_an_example_that_is_longer_than_the_context_is_left_out():
    assert len(Encoded.of([([1] * 200, [2] * 57), ([1] * 200, [2] * 56)], context=256)) == 1


def test_our_muon_moves_as_the_one_of_pytorch_does():
    torch.manual_seed(3)
    ours = [torch.nn.Parameter(torch.randn(32, 48)), torch.nn.Parameter(torch.randn(48, 32))]
    theirs = [torch.nn.Parameter(matrix.detach().clone()) for matrix in ours]
    mine = Muon(ours, weight_decay=0.05)
    known = torch.optim.Muon(theirs, lr=0.01, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        mine.param_groups[0]["lr"] = 0.01
        mine.step()
        known.step()
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, atol=2e-3)


def test_llama_cpp_cuts_messages_into_the_same_tokens(fp32, tokenizer, examples):
    runtime = Runtime(fp32)
    awkward = [
        Example(Turn(message), (), "written")
        for message in (
            "",
            "naïve café 👍🏽 — “ok”?",
            "3:30pm/4pm  w/ Dr. O'Brien",
            "task: none yes,no;set",
            "Ж字",
        )
    ]
    for example in [*examples, *awkward]:
        text = example.prompt + example.answer
        assert runtime.encode(text) == tokenizer.encode(text)
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_llama_cpp_computes_the_same_logits(model, fp32, tokenizer, examples):
    found = parity.compare(model, tokenizer, fp32, examples[:20])
    assert found.different_ids == 0
    assert found.largest_difference < parity.TOLERANCE
    assert found.holds


def test_a_model_that_was_changed_after_its_export_is_found_out(model, fp32, tokenizer, examples):
    with torch.no_grad():
        model.blk[1].ffn_down.weight.add_(0.05)
    assert not parity.compare(model, tokenizer, fp32, examples[:3]).holds


def test_the_chat_template_renders_the_prompt_of_the_training(fp32, examples):
    written = gguf.GGUFReader(fp32).fields["tokenizer.chat_template"].contents()
    assert written == CHAT_TEMPLATE
    template = ImmutableSandboxedEnvironment().from_string(written)
    for style, example in itertools.product((Style.COMPACT, Style.HINTED), examples[:20]):
        messages = prompt.render(example.turn, style=style)
        assert template.render(messages=messages, add_generation_prompt=True) == example.prompt_in(style)


def test_a_quantized_model_answers_within_the_grammar(fp32, tmp_path, examples):
    small = quantize(fp32, tmp_path / "tiny-q8_0.gguf")
    assert small.stat().st_size < 0.5 * fp32.stat().st_size
    model = evaluate.load(small)
    for example in examples[:10]:
        answer = evaluate.answer(model, example.turn)
        if len(answer) < 300:  # random weights may talk on until they are cut off
            assert prompt.read(answer, message=example.turn.message, tools=TOOLS)


def test_a_score_counts_what_was_understood_otherwise(fp32, examples):
    score = evaluate.evaluate(evaluate.load(fp32), examples[:5])
    assert score.total == 5
    assert score.exact == 1 - len(score.misses) / 5


def test_weights_have_the_names_and_shapes_that_llama_cpp_looks_for(model, fp32):
    tensors = {tensor.name: tuple(tensor.shape) for tensor in gguf.GGUFReader(fp32).tensors}
    assert len(tensors) == 2 + 9 * model.shape.layers
    assert tensors["blk.0.ffn_down.weight"] == (128, 64)
    assert "output.weight" not in tensors


def test_the_shipped_recipe_is_of_the_size_it_claims():
    shape = recipe.base("command-small").shape
    assert shape.width % 256 == shape.feed_forward % 256 == 0
    assert CommandModel(shape).parameter_count() == 6_163_712
