"""Two processes that train one model learn what one process learns from both of their batches."""

import functools
import multiprocessing

import pytest
import torch

from chatbot.prompt import Style
from finetune.base.batches import Encoded, Mixture
from finetune.base.crew import Crew, crew
from finetune.base.model import CommandModel, Shape
from finetune.base.train import batch_loss, feed, new_optimizers, set_learning_rate, slope, train
from finetune.recipe import Recipe, Stage

STEPS = 3
STAGE = Stage(
    "only", steps=STEPS, learning_rate=5e-3, own_share=1.0, prompt_weight=0.1, warmup=1, batch_tokens=512
)


@pytest.fixture
def recipe(tokenizer) -> Recipe:
    shape = Shape(vocabulary=len(tokenizer), width=64, layers=2, heads=2, feed_forward=128, context=256)
    return Recipe("tiny", seed=1, turns=600, shape=shape, stages=(STAGE,), compiled=False, threads=1)


@pytest.fixture
def mixture(tokenizer, examples) -> Mixture:
    pairs = tokenizer.encode_examples(examples, Style.COMPACT)
    return Mixture(Encoded.of(pairs, context=256), Encoded.of([], context=256))


def take_part(recipe: Recipe, mixture: Mixture, member: Crew) -> CommandModel:
    model, _ = train(recipe, mixture, vocabulary=recipe.shape.vocabulary, crew=member)
    return model


def test_two_processes_learn_from_the_mean_of_their_batches(recipe, mixture):
    with crew(2, functools.partial(take_part, recipe, mixture)) as lead:
        together = take_part(recipe, mixture, lead).state_dict()
    for name, learnt in by_hand(recipe, mixture).state_dict().items():
        torch.testing.assert_close(together[name], learnt, rtol=1e-4, atol=1e-5)


def by_hand(recipe: Recipe, mixture: Mixture) -> CommandModel:
    """Learn in this process from the batches of both members, half of each gradient."""
    torch.manual_seed(recipe.seed)
    model = CommandModel(recipe.shape)
    optimizers = new_optimizers(model)
    feeds = [feed(mixture, STAGE, seed=recipe.seed, crew=Crew(rank, 2)) for rank in range(2)]
    for step in range(STEPS):
        set_learning_rate(optimizers, STAGE.learning_rate * slope(STAGE, step, step / STEPS))
        for batch in map(next, feeds):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = batch_loss(model, model.hidden(batch.ids), batch) / 2
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return model


def test_the_members_of_a_crew_share_out_one_stream_of_batches(mixture):
    shares = [feed(mixture, STAGE, seed=1, crew=Crew(rank, 2)) for rank in range(2)]
    whole = feed(mixture, STAGE, seed=1)
    for _ in range(4):
        for share in shares:
            assert torch.equal(next(share).ids, next(whole).ids)


def test_a_crew_that_is_left_leaves_no_process_behind(recipe, mixture):
    with crew(2, functools.partial(take_part, recipe, mixture)):
        pass
    assert [child for child in multiprocessing.active_children() if child.is_alive()] == []
