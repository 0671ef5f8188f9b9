"""Command line: `python -m finetune pretrain --recipe command-small`, or another thing to do.

pretrain            make the base model; also step by step: prepare, train, export, quantize, parity,
                    evaluate; `ship` puts it into the repository, `all` is pretrain and ship
run                 teach a model a practice's own examples, as the portal does
bank                write the example bank that the product starts with
study               compare shapes, vocabularies and hints, each for some minutes
corpus              print composed turns, to be read by people
rehearse            go through a large recipe with a tiny model
compare             measure any models and endpoints on the same messages
quantization-report what smaller weights cost a model
perplexity          how surprised models are by texts that they were not trained on
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
"""Set before torch is loaded: threads that spin while they wait are nine times slower on a busy machine."""

ROOT = Path(__file__).parent.parent
BANK = ROOT / "chatbot" / "examples.jsonl"
MAKING = ("pretrain", "corpus", "prepare", "train", "export", "quantize", "parity", "evaluate", "ship", "all")


def make(step: str, arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog=f"python -m finetune {step}")
    parser.add_argument("--recipe", default="command-small", help="a file of finetune/recipes, or a path")
    parser.add_argument("--data", type=Path, help="folder of the public dialogues (sgd_train, …)")
    parser.add_argument("--folder", type=Path, help="where to work (default: var/finetune/<recipe>)")
    chosen = parser.parse_args(arguments)
    from finetune import recipe
    from finetune.base import pretrain

    read = recipe.base(chosen.recipe)
    pretrain.make(step, read, chosen.folder or ROOT / "var" / "finetune" / read.name, chosen.data)


def write_bank(arguments: Sequence[str]) -> None:
    argparse.ArgumentParser(prog="python -m finetune bank").parse_args(arguments)
    from finetune.corpus.bank import bank
    from finetune.data import labelled

    examples = bank()
    labelled.write(BANK, examples)
    print(f"{len(examples)} examples in {BANK.relative_to(ROOT)}")


def run(arguments: Sequence[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # until the run listens: imports take seconds
    from finetune import run

    sys.exit(run.main(arguments))


def study(arguments: Sequence[str]) -> None:
    from finetune.base import study

    study.main(arguments)


def rehearse(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m finetune rehearse")
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--tiny", action="store_true", help="with a tiny model of random weights")
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args(arguments)
    from finetune.large import rehearse

    rehearse.main(chosen.recipe, chosen.folder or ROOT / "var" / "finetune" / chosen.recipe, chosen.tiny)


def compare(arguments: Sequence[str]) -> None:
    from finetune.measure import compare

    compare.main(arguments)


def perplexity(arguments: Sequence[str]) -> None:
    from finetune.measure import perplexity

    perplexity.main(arguments)


def report_quantization(arguments: Sequence[str]) -> None:
    from finetune.measure import quantization

    quantization.main(arguments)


OTHERS: dict[str, Callable[[Sequence[str]], None]] = {
    "run": run,
    "bank": write_bank,
    "study": study,
    "rehearse": rehearse,
    "compare": compare,
    "quantization-report": report_quantization,
    "perplexity": perplexity,
}


def main(arguments: Sequence[str] | None = None) -> None:
    step, *rest = [*(sys.argv[1:] if arguments is None else arguments)] or ["--help"]
    if step in OTHERS:
        OTHERS[step](rest)
    elif step in MAKING:
        make(step, rest)
    else:
        _explain([step])


def _explain(arguments: Sequence[str]) -> None:
    """Say what there is to do, or that there is no such thing."""
    parser = argparse.ArgumentParser(
        prog="python -m finetune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=[*MAKING, *OTHERS])
    parser.parse_args(arguments)


if __name__ == "__main__":
    main()
