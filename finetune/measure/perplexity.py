"""How surprised models are by texts that none of them was trained on.

    python -m finetune perplexity small=a.gguf,adapter=own.gguf big=b.gguf --labelled held_out.jsonl
    python -m finetune perplexity big=b.gguf --texts leaflet.md

With --labelled, the loss is that on the right answers, each after its prompt as it is served; with --texts
it is that on every token but the first. Perplexities of models with different tokenizers cannot be
compared: bits a byte can.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from chatbot.prompt import Style
from finetune.data import DataRefused, files
from finetune.examples import Example
from finetune.measure import cases, systems, tables
from finetune.measure.loss import Loss, Reader
from finetune.measure.systems import BadSystem, System


def of(system: System, *, labelled: Sequence[Example] = (), texts: Sequence[str] = ()) -> Loss:
    """Return the loss of one GGUF on labelled messages, or else on whole texts."""
    adapter = system.options.get("adapter")
    reader = Reader(Path(system.where), adapter=Path(adapter) if adapter else None)
    try:
        if not labelled:
            return reader.texts(tqdm(texts, desc=system.name, unit="text"))
        asked = systems.hinted(labelled) if system.style is Style.HINTED else labelled
        return reader.answers(tqdm(asked, desc=system.name, unit="message"), system.style)
    finally:
        reader.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m finetune perplexity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("systems", nargs="+", help="NAME=FILE.gguf[,adapter=FILE.gguf][,style=…]")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--labelled", type=Path, nargs="+", default=[])
    given.add_argument("--texts", type=Path, nargs="+", default=[])
    chosen = parser.parse_args(arguments)
    try:
        named = [systems.parse(text) for text in chosen.systems]
        labelled = cases.read(chosen.labelled)
        texts = [files.read_text(path) for path in chosen.texts]
        if served := [system.name for system in named if system.is_endpoint]:
            raise BadSystem(f"{served[0]}: a server does not tell how likely a given text is.")
        losses = [of(system, labelled=labelled, texts=texts) for system in named]
    except (BadSystem, DataRefused) as problem:
        parser.error(str(problem))
    print(table(named, losses))


def table(named: Sequence[System], losses: Sequence[Loss]) -> str:
    heads = ("Model", "tokens", "loss", "perplexity", "bits a byte")
    rows = [
        (
            system.name,
            str(loss.tokens),
            tables.number(loss.per_token, 4),
            tables.number(loss.perplexity, 4),
            tables.number(loss.bits_per_byte, 4),
        )
        for system, loss in zip(named, losses, strict=True)
        if loss.tokens
    ]
    return tables.table(heads, rows)
