"""Files of weights: converted, merged, made smaller, described and checked, or refused with a sentence."""

import json
import shutil
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers.normalizers import Replace

from finetune.corpus.turns import compose
from finetune.large import standin
from finetune.large.recipe import read
from finetune.large.texts import Encoder, of_example
from finetune.weights import converter, importance, merge, metadata, parity, quantize
from finetune.weights.converter import ConversionRefused, UnknownTokenizer
from finetune.weights.merge import MergeRefused
from finetune.weights.metadata import Lineage, NotGguf, Tampered
from finetune.weights.parity import OtherModel, OtherTokenizer
from finetune.weights.quantize import Quantization, QuantizationRefused
from finetune.weights.runtime import Runtime, Unloadable, Vocabulary
from tests.finetune import standins

LINEAGE = Lineage(
    name="Mistral-7B-eyecare-command",
    licence="Apache-2.0",
    recipe="mistral-7b-command",
    recipe_sha256="a" * 64,
    base="mistralai/Mistral-7B-Instruct-v0.3",
    base_sha256="b" * 64,
    data_sha256="c" * 64,
    data_licences=("Apache-2.0", "own"),
    quantization="Q8_0",
)


@pytest.fixture(scope="module")
def exchanges():
    return [of_example(example) for example in compose(9, 12)]


@pytest.fixture(scope="module")
def encoder():
    from transformers import AutoTokenizer

    return Encoder(AutoTokenizer.from_pretrained(standins.model()))


@pytest.fixture(scope="module")
def expected(encoder, exchanges):
    """Token ids, and the logits that PyTorch gives after each."""
    model = torch_model()
    ids = [encoder.encode(exchange).ids[-60:] for exchange in exchanges[:2]]
    return [(each, parity.reference(model, each)) for each in ids]


def torch_model(folder=None):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder or standins.model(), dtype=torch.float32)


def test_the_gguf_gives_the_logits_of_pytorch(expected):
    found = parity.compare(expected, standins.gguf(), precision="F32")
    assert found.off < 1e-4
    assert found.same_choice == 1.0


def test_training_and_the_model_host_write_the_same_prompts(encoder, exchanges):
    parity.check_host(standins.gguf(), encoder, exchanges)


def test_llama_cpp_cuts_prompts_and_answers_as_in_training(encoder, exchanges):
    vocabulary = Vocabulary(standins.gguf())
    parity.check_tokenizer(vocabulary, encoder, exchanges)
    vocabulary.close()


def test_another_tokenizer_is_refused_before_training(tmp_path, exchanges):
    """One that puts no blank in front of a text, as the GGUF does."""
    from transformers import AutoTokenizer

    other = AutoTokenizer.from_pretrained(standins.model())
    other.backend_tokenizer.normalizer = Replace(" ", standin.BLANK)
    vocabulary = Vocabulary(standins.gguf())
    with pytest.raises(OtherTokenizer, match="cut the same text differently"):
        parity.check_tokenizer(vocabulary, Encoder(other), exchanges)
    vocabulary.close()


def test_a_tokenizer_that_llama_cpp_does_not_know_is_refused(tmp_path):
    from transformers import AutoTokenizer

    folder = tmp_path / "unknown"
    shutil.copytree(standins.model(), folder)
    (folder / "tokenizer.model").unlink()
    config = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    config["pre_tokenizer"] = {"type": "Whitespace"}
    config["model"]["byte_fallback"] = False
    (folder / "tokenizer.json").write_text(json.dumps(config), encoding="utf-8")
    AutoTokenizer.from_pretrained(folder)
    with pytest.raises(UnknownTokenizer, match="does not know this model's tokenizer"):
        converter.convert_vocabulary(folder, tmp_path / "vocabulary.gguf")
    assert not list(tmp_path.glob("*.gguf")) + list(tmp_path.glob("*.unfinished"))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ConversionRefused, match=r"there is no config\.json"):
        converter.convert(tmp_path, tmp_path / "out.gguf")
    with pytest.raises(ConversionRefused, match=r"there is no adapter_config\.json"):
        converter.convert_adapter(tmp_path, tmp_path, tmp_path / "out.gguf")


def test_an_architecture_that_llama_cpp_does_not_know_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["Oracle"], "model_type": "oracle"}))
    with pytest.raises(
        ConversionRefused, match="cannot convert this kind of model: Model Oracle is not supported"
    ):
        converter.convert(tmp_path, tmp_path / "out.gguf")


@pytest.mark.parametrize("kind", list(Quantization))
def test_a_smaller_file_stays_within_its_tolerance(expected, kind):
    small = standins.small(kind)
    assert small.stat().st_size < standins.gguf().stat().st_size * kind.bits * 1.3 / 32
    assert parity.compare(expected, small, precision=kind.value).holds
    assert not list(small.parent.glob("*.unfinished"))


def test_the_importance_matrix_brings_the_logits_closer(tmp_path, expected):
    model = torch_model()
    measured = importance.measure(model, [ids for ids, _ in expected])
    kept = importance.read(importance.write(measured, tmp_path / "importance.gguf", source="a test"))
    assert set(kept) == {name for name, _ in importance.matrices(model)}
    np.testing.assert_allclose(kept["output.weight"], measured.means()["output.weight"], rtol=1e-6)
    q4 = Quantization.Q4_K_M
    weighed_file = quantize.quantize(standins.gguf(), tmp_path / "q4.gguf", q4, importance=kept)
    plain, weighed = (
        parity.compare(expected, file, precision=q4) for file in (standins.small(q4), weighed_file)
    )
    assert weighed.off < plain.off


def test_hooks_of_the_measurement_are_gone_afterwards(expected):
    model = torch_model()
    importance.measure(model, [expected[0][0]])
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_an_importance_matrix_of_another_model_is_refused(tmp_path):
    wrong = {"blk.0.attn_q.weight": np.ones(3, np.float32)}
    with pytest.raises(QuantizationRefused, match="imatrix size 3 is different from tensor size 256"):
        quantize.quantize(standins.gguf(), tmp_path / "q.gguf", Quantization.Q4_K_M, importance=wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_or_missing_file_is_not_made_smaller(tmp_path):
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF and then nothing")
    for source, reason in ((damaged, "not a readable GGUF"), (tmp_path / "gone.gguf", "There is no file")):
        with pytest.raises(QuantizationRefused, match=reason):
            quantize.quantize(source, tmp_path / "small.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.gguf"]


def test_a_quantized_file_is_not_quantized_again(tmp_path):
    small = Path(shutil.copy(standins.small(Quantization.Q4_0), tmp_path / "small.gguf"))
    with pytest.raises(QuantizationRefused, match="requantizing"):
        quantize.quantize(small, tmp_path / "smaller.gguf", Quantization.Q8_0)
    assert [path.name for path in tmp_path.iterdir()] == ["small.gguf"]


def test_a_full_disk_is_refused_before_a_byte_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(0, 0, 2**20))
    with pytest.raises(QuantizationRefused, match="of disk"):
        quantize.quantize(standins.gguf(), tmp_path / "small.gguf")
    with pytest.raises(MergeRefused, match="of disk"):
        merge.merge(standins.model(), standins.adapter(tmp_path / "adapter"), tmp_path / "merged")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_merging_adds_the_adapters_change_and_nothing_else(tmp_path):
    merged = merge.merge(standins.model(), standins.adapter(tmp_path / "adapter"), tmp_path / "merged")
    before, after = torch_model().state_dict(), torch_model(merged).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"model.layers.1.self_attn.q_proj.weight", "model.layers.1.mlp.up_proj.weight"}
    lora = merge.read_adapter(tmp_path / "adapter")
    for name in changed:
        wanted = (before[name] + lora.change(name)).to(torch.bfloat16).float()
        torch.testing.assert_close(after[name], wanted, rtol=0, atol=0)


def test_merging_gives_what_peft_gives(tmp_path):
    peft = pytest.importorskip("peft", reason="finetune/requirements-plain.txt is not installed")
    folder = standins.adapter(tmp_path / "adapter", use_rslora=True)
    ours = torch_model(merge.merge(standins.model(), folder, tmp_path / "merged"))
    theirs = peft.PeftModel.from_pretrained(torch_model(), folder).merge_and_unload()
    ids = torch.arange(5, 40)[None]
    with torch.no_grad():
        difference = (ours(ids).logits - theirs(ids).logits).abs().max()
    assert difference < 0.02  # ours is rounded to bf16 once


@pytest.mark.parametrize("setting", ["use_dora", "modules_to_save", "rank_pattern"])
def test_an_adapter_of_another_kind_is_not_merged(tmp_path, setting):
    folder = standins.adapter(tmp_path / "adapter", **{setting: ["lm_head"]})
    with pytest.raises(MergeRefused, match=setting):
        merge.merge(standins.model(), folder, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_an_adapter_of_another_base_is_not_merged(tmp_path):
    folder = standins.adapter(tmp_path / "adapter", hidden=128)
    with pytest.raises(MergeRefused, match="trained on another base"):
        merge.merge(standins.model(), folder, tmp_path / "merged")


def test_a_damaged_adapter_is_not_merged(tmp_path):
    folder = standins.adapter(tmp_path / "adapter")
    (folder / "adapter_model.safetensors").write_bytes(b"nothing")
    with pytest.raises(MergeRefused, match="no readable adapter"):
        merge.merge(standins.model(), folder, tmp_path / "merged")


def test_an_adapter_on_its_base_answers_as_the_merged_model(tmp_path, expected):
    folder = standins.adapter(tmp_path / "adapter")
    merged = torch_model(merge.merge(standins.model(), folder, tmp_path / "merged"))
    wanted = [(ids, parity.reference(merged, ids)) for ids, _ in expected]
    written = converter.convert_adapter(folder, standins.model(), tmp_path / "adapter.gguf")
    laid_on = parity.compare(wanted, standins.gguf(), precision="BF16", adapter=written)
    assert laid_on.off < 0.01
    with pytest.raises(OtherModel, match="not the model that was trained"):
        parity.compare(wanted, standins.gguf(), precision="F32")


def test_an_adapter_of_another_base_is_not_laid_on(tmp_path):
    other = standins.adapter(tmp_path / "adapter")
    written = converter.convert_adapter(other, standins.model(), tmp_path / "adapter.gguf")
    whole = read(standins.RECIPE).architecture
    small = standin.make(tmp_path / "small", whole, replace(standin.TINY, hidden=128))
    base = converter.convert(small, tmp_path / "small.gguf")
    with pytest.raises(Unloadable, match="does not fit this base"):
        Runtime(base, adapter=written)


def test_the_lineage_stands_in_the_file_and_beside_it(tmp_path, expected):
    small = Path(shutil.copy(standins.small(Quantization.Q8_0), tmp_path / "small.gguf"))
    before = Runtime(small).logits(expected[0][0])
    metadata.inscribe(small, LINEAGE)
    assert np.array_equal(Runtime(small).logits(expected[0][0]), before)
    said = metadata.read(small)
    assert (said["general.name"], said["general.license"]) == (LINEAGE.name, "Apache-2.0")
    assert (said["eyecare.prompt_style"], said["eyecare.data_licences"]) == ("full", "Apache-2.0, own")
    beside = metadata.verify(small)
    assert (beside["sha256"], beside["base_sha256"]) == (metadata.sha256(small), "b" * 64)


def test_a_file_that_was_changed_afterwards_is_told_from_its_manifest(tmp_path):
    small = Path(shutil.copy(standins.small(Quantization.Q8_0), tmp_path / "small.gguf"))
    with pytest.raises(Tampered, match="no readable manifest"):
        metadata.verify(small)
    metadata.inscribe(small, LINEAGE)
    with small.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    with pytest.raises(Tampered, match="not the file that its manifest describes"):
        metadata.verify(small)


def test_a_file_that_is_no_gguf_says_nothing_of_itself(tmp_path):
    (tmp_path / "no.gguf").write_bytes(b"no")
    with pytest.raises(NotGguf):
        metadata.read(tmp_path / "no.gguf")


def test_a_model_with_other_weights_is_not_taken_for_the_trained_one(tmp_path, expected):
    whole = read(standins.RECIPE).architecture
    other = standin.make(tmp_path / "other", whole, standin.TINY, seed=1)
    written = converter.convert(other, tmp_path / "other.gguf")
    with pytest.raises(OtherModel, match=r"its logits are 1[0-9]{2}\.[0-9]% off"):
        parity.compare(expected, written, precision="Q4_0")


def test_the_converter_uses_no_network(tmp_path):
    """A machine that is cut off converts all the same, once the source lies in the cache."""
    script = (
        "import socket; socket.socket.connect = None\n"
        "from pathlib import Path\nfrom finetune.weights.converter import convert\n"
        f"convert(Path({str(standins.model())!r}), Path({str(tmp_path / 'out.gguf')!r}))"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert (tmp_path / "out.gguf").is_file()
