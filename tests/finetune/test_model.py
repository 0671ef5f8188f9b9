"""A tiny model learns, is exported, and answers in llama.cpp as it does in PyTorch."""

import gguf
import pytest
import torch

from chatbot import prompt
from chatbot.prompt import Turn
from finetune import recipe
from finetune.base import batches, parity
from finetune.base.model import CommandModel
from finetune.base.train import Checkpoint, new_optimizers, run_stage, train
from finetune.examples import CHAT_TEMPLATE, Example
from finetune.measure import evaluate
from finetune.recipe import Recipe, Stage
from finetune.tasks import TOOLS
from finetune.weights.quantize import Runtime, quantize

STAGE = Stage(
    "only", steps=20, learning_rate=5e-3, own_share=1.0, prompt_weight=0.1, warmup=2, batch_tokens=512
)


@pytest.fixture
def tiny(model) -> Recipe:
    return Recipe("tiny", seed=1, turns=600, shape=model.shape, stages=(STAGE,), compiled=False, threads=1)


def test_twenty_steps_reduce_the_loss(model, tiny, tokenizer, examples):
    encoded = batches.encode(examples, tokenizer, context=256)
    stream = batches.mix(encoded, [], own_share=1.0, seed=1)
    losses = run_stage(model, new_optimizers(model), STAGE, stream, recipe=tiny)
    assert len(losses) == 20
    assert sum(losses[-3:]) < 0.85 * sum(losses[:3])


def test_training_goes_on_from_its_checkpoint(tiny, tokenizer, examples, tmp_path):
    encoded = batches.encode(examples, tokenizer, context=256)
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt")
    trained = train(tiny, encoded, [], vocabulary=len(tokenizer), checkpoint=checkpoint)
    resumed = train(tiny, encoded, [], vocabulary=len(tokenizer), checkpoint=checkpoint)
    _, _, stage, step = checkpoint.load()
    assert (stage, step) == ("only", 20)
    assert torch.equal(trained.token_embd.weight, resumed.token_embd.weight)


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
    fields = gguf.GGUFReader(fp32).fields
    assert fields["tokenizer.chat_template"].contents() == CHAT_TEMPLATE
    model = evaluate.load(fp32)
    for example in examples[:20]:
        rendered = model._template(messages=prompt.render(example.turn)).prompt
        assert rendered == example.prompt


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
    shape = recipe.load("command-small").shape
    assert shape.width % 256 == shape.feed_forward % 256 == 0
    assert CommandModel(shape).parameter_count() == 6_163_712
