"""How fast the shipped command model answers, and what the grammar costs.

    python benchmarks/command_model.py [GGUF] [--threads N]

The messages are the hand-written cases of `finetune/corpus/`; the model is driven by the model host's own
class, in this process, so the figures hold no network.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["OMP_WAIT_POLICY"] = "passive"  # as in the model host; llama.cpp reads it once, when loaded

from chatbot import grammar, prompt
from chatbot.modelhost.llama import GgufModel, Prompt, Tally
from finetune.corpus.cases import DEVELOPMENT, read_cases
from finetune.examples import Example
from finetune.measure.evaluate import ANSWER_TOKENS
from finetune.tasks import TOOLS

SHIPPED = ROOT / "finetune" / "shipped" / "eyecare-command.gguf"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=Path, nargs="?", default=SHIPPED)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    chosen = parser.parse_args()
    started = time.perf_counter()
    model = GgufModel(chosen.gguf, context_tokens=512, threads=chosen.threads)
    print(
        f"{chosen.gguf.name}, {chosen.gguf.stat().st_size / 1e6:.1f} MB, ready in "
        f"{1000 * (time.perf_counter() - started):.0f} ms"
    )
    cases = read_cases(DEVELOPMENT)
    for constrained in (False, True):
        report("under the grammar" if constrained else "freely", model, cases, constrained=constrained)


def report(title: str, model: GgufModel, cases: list[Example], *, constrained: bool) -> None:
    """Print the median and the slowest twentieth of the answers, and the tokens a second."""
    milliseconds, tokens = [], 0
    for case in cases:
        tally = Tally()
        started = time.perf_counter()
        rules = grammar.command_grammar(TOOLS, case.turn.message) if constrained else None
        asked = Prompt(messages=prompt.render(case.turn), grammar=rules, max_tokens=ANSWER_TOKENS)
        "".join(model.generate(asked, tally))
        milliseconds.append(1000 * (time.perf_counter() - started))
        tokens += tally.completion_tokens
    slowest = quantiles(milliseconds, n=20)[-1]
    rate = 1000 * tokens / sum(milliseconds)
    print(
        f"{title}: {median(milliseconds):.1f} ms a whole answer, 95 % within {slowest:.1f} ms, "
        f"{tokens / len(cases):.1f} tokens an answer, {rate:.0f} tokens a second"
    )


if __name__ == "__main__":
    main()
