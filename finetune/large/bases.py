"""Where a base lies: a folder, or a name on the hub that is fetched once and then found offline."""

import json
from pathlib import Path

from finetune.large.recipe import Architecture, BadRecipe

FILES = ("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*")


class BaseMissing(RuntimeError):
    """The base is not here and cannot be fetched."""

    hint = (
        "Give the folder of a downloaded model with --base, or check the network, the name, and whether "
        "the hub wants you to accept the model's licence first (HF_TOKEN)."
    )


def find(base: str) -> Path:
    """Return the folder of a base; a name is fetched from the hub (HF_ENDPOINT is honoured).

    Raises BaseMissing.
    """
    folder = Path(base).expanduser()
    if folder.is_dir():
        return _checked(folder)
    if folder.is_absolute() or base.startswith("."):
        raise BaseMissing(f"There is no folder {base}.")
    return _checked(_fetched(base))


def _checked(folder: Path) -> Path:
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise BaseMissing(f"{folder} holds no model: config.json or *.safetensors is missing.")
    return folder


def _fetched(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        raise BaseMissing(f"{name} could not be fetched from the hub ({type(error).__name__}).") from error


def architecture(folder: Path) -> Architecture:
    """Return the numbers of a base as its own config tells them; raises BadRecipe for another kind."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    try:
        heads = config["num_attention_heads"]
        return Architecture(
            model_type=config["model_type"],
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            feed_forward=config["intermediate_size"],
            heads=heads,
            key_value_heads=config.get("num_key_value_heads") or heads,
            vocabulary=config["vocab_size"],
            tied=bool(config.get("tie_word_embeddings")),
            context=config.get("max_position_embeddings", 8192),
        )
    except KeyError as error:
        raise BadRecipe(f"The base's config.json does not tell its {error.args[0]}.") from error
