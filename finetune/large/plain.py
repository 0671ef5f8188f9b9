"""A base in 4 bits with an adapter on it, by transformers, peft and bitsandbytes (arXiv 2305.14314)."""

from pathlib import Path
from typing import Any

from finetune.large import packages
from finetune.large.recipe import LargeRecipe


def load(base: Path, recipe: LargeRecipe) -> tuple[Any, Any]:
    """Return the model, ready to train, and its tokenizer; raises PackagesMissing.

    NF4 with doubly quantized scales. A CPU computes it, too, which is slow: for small bases and rehearsals.
    """
    packages.check_plain()
    import peft
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    number = compute_type()
    four_bits = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=number,
    )
    device = {"": 0} if torch.cuda.is_available() else {"": "cpu"}
    model = AutoModelForCausalLM.from_pretrained(
        base, quantization_config=four_bits, dtype=number, device_map=device, local_files_only=True
    )
    model.config.use_cache = False
    torch.manual_seed(recipe.seed)
    prepared = peft.prepare_model_for_kbit_training(
        model, use_gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": False}
    )
    return peft.get_peft_model(prepared, lora(recipe)), AutoTokenizer.from_pretrained(base)


def lora(recipe: LargeRecipe) -> Any:
    """Return peft's description of the recipe's adapter."""
    from peft import LoraConfig

    adapter = recipe.adapter
    return LoraConfig(
        r=adapter.r,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=list(adapter.targets),
        bias="none",
        task_type="CAUSAL_LM",
    )


def compute_type() -> Any:
    """Return the type of number in which this machine multiplies: bf16 where it can."""
    import torch

    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
