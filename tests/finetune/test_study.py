"""A study trains each variant for its minutes and adds to one table; curves are kept where they can be."""

import tomllib

import numpy as np
import pytest

from finetune import recipe, tracking
from finetune.base import hints, study
from finetune.base.study import Finding, Study

FOUND = Finding("plain", 1000, 64, 2, True, 200_000, 4.0, 50, 1.5, 0.5, 0.75, 0.25, 0.5, 9.0)

TOLD = {
    "seed": 1,
    "turns": 300,
    "learning_rate": 1e-3,
    "own_share": 1.0,
    "prompt_weight": 0.05,
    "batch_tokens": 512,
    "threads": 1,
    "compiled": False,
    "plain": {
        "vocabulary": 900,
        "width": 32,
        "layers": 1,
        "heads": 2,
        "feed_forward": 64,
        "hints": 0.85,
    },
    "variants": {"plain": {}, "deep": {"layers": 2, "hints": 0.0}},
}


def test_a_variant_is_the_plain_one_with_some_things_changed(tmp_path):
    deep = Study(TOLD, tmp_path, None, minutes=3).recipe("deep")
    assert (deep.shape.layers, deep.shape.width, deep.hints, deep.stages[0].minutes) == (2, 32, 0.0, 3)


def test_every_variant_of_the_repositorys_study_is_a_model_that_can_be_built(tmp_path):
    told = tomllib.loads(recipe.path_of("study").read_text(encoding="utf-8"))
    for variant in told["variants"]:
        shape = Study(told, tmp_path, None, minutes=1).recipe(variant).shape
        assert shape.width % 256 == shape.feed_forward % 256 == shape.width % shape.heads == 0


def test_a_variant_is_trained_for_its_time_and_scored(tmp_path, monkeypatch, examples):
    monkeypatch.setattr(
        hints,
        "vectors",
        lambda texts, folder, *, progress=None: np.full((len(texts), 4), 0.5, dtype=np.float32),
    )
    monkeypatch.setattr("finetune.base.pretrain.read_cases", lambda path: examples[:4])
    found = Study(TOLD, tmp_path, None, minutes=0.01).try_out("plain")
    assert found.steps > 0
    assert 0 <= found.held_out_commands <= 1
    study.keep(found, tmp_path)
    assert study.found(tmp_path) == [found]


def test_findings_of_later_calls_are_added_and_renewed(tmp_path):
    study.keep(FOUND, tmp_path)
    better = Finding(**{**vars(FOUND), "variant": "deep", "held_out_exact": 0.9})
    study.keep(better, tmp_path)
    study.keep(FOUND, tmp_path)
    rows = (tmp_path / "study.md").read_text(encoding="utf-8").splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| deep", "| plain"]
    assert "25.0%" in rows[1]


def test_a_variant_that_there_is_not_is_named(capsys):
    with pytest.raises(SystemExit):
        study.main(["--only", "round"])
    assert "no variant round" in capsys.readouterr().err


def test_curves_go_to_nobody_when_nobody_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda package: None)
    assert tracking.services() == []
    with tracking.tracked(tmp_path, "any") as tracker:
        tracker.log(1, {"train/loss": 0.5})
    assert list(tmp_path.iterdir()) == []


def test_curves_are_written_for_tensorboard(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with tracking.tracked(tmp_path, "any") as tracker:
        tracker.log(1, {"train/loss": 2.5})
        tracker.log(2, {"train/loss": 1.5})
    kept = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("train/loss")
    assert [(event.step, event.value) for event in kept] == [(1, 2.5), (2, 1.5)]


def test_a_key_without_the_package_asks_nobody(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "key")
    monkeypatch.setattr(tracking, "find_spec", lambda package: None)
    assert "wandb" not in tracking.services()
