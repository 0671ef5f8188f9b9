"""What the model host adds to llama.cpp, and what it saves against the plain Python binding.

    python benchmarks/model_host.py [--model PATH] [--rounds 5]

The same messages, prompt and command grammar, likeliest token each time, go through: the binding's
own `create_chat_completion`, our loop over the low-level API in this process, and the model host over
HTTP, by 1 to 16 callers at a time. Milliseconds are for a whole answer. Every message begins with
another number, so that no prompt is remembered from the one before. Last comes the embedder: one
question, and sentences a second in batches. `processor` is the time that an answer takes of the
cores, all threads together.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eyecare.settings")
os.environ.setdefault("DEMO", "1")
os.environ["OMP_WAIT_POLICY"] = "passive"  # as in the model host; llama.cpp reads it once, when loaded
os.environ["LLM_CONSTRAINT"] = "grammar"
os.environ["LLM_DEADLINE_SECONDS"] = "60"

import django

django.setup()

import llama_cpp
import psutil

from chatbot.backends.openai import OpenAIBackend
from chatbot.grammar import command_grammar
from chatbot.modelhost.embedder import MiniLm
from chatbot.modelhost.llama import GgufModel, Prompt, Tally
from chatbot.prompt import Turn, render
from chatbot.tools import registry
from tests.chatbot import serving

MESSAGES = (
    "I need my eyes checked, sometime next week in the morning",
    "where are my glasses",
    "can you move my appointment on tuesday to friday afternoon please",
    "what do I owe and can I pay it here",
    "do you take vsp",
    "cancel it",
    "my contacts feel dry at the end of the day, is that normal?",
    "thanks!",
)
TOKENS = 96
CONTEXT = 512
CALLERS = (1, 2, 4, 8, 16)
SHIPPED = ROOT / "finetune" / "shipped" / "eyecare-command.gguf"

_DEFAULTS = llama_cpp.llama_cpp.llama_model_default_params

Ask = Callable[[str], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    print(f"{chosen.model.name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(f"{'':34}{'median':>9}{'p95':>9}{'a second':>10}{'processor':>11}   ms")
    answers = [measured(name, ask, chosen.rounds) for name, ask in in_process(chosen.model)]
    same = sum(one == other for one, other in zip(*answers, strict=True))
    print(f"  the two say the same to {same} of {len(MESSAGES)} messages (the binding drops long tokens)")
    over_http(chosen.model, chosen.rounds)
    embedding()


def measured(
    name: str, ask: Ask, rounds: int, callers: int = 1, clock: Callable[[], float] = time.process_time
) -> list[str]:
    """Time each message `rounds` times, print the figures, return the answers of the last round."""
    ask(MESSAGES[0])
    used, begun = clock(), time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        timed = list(pool.map(lambda message: _timed(ask, message), _numbered(rounds)))
    rate, busy = len(timed) / (time.perf_counter() - begun), 1000 * (clock() - used) / len(timed)
    took = sorted(milliseconds for milliseconds, _ in timed)
    middle, late = statistics.median(took), took[int(len(took) * 0.95)]
    print(f"{name:34}{middle:9.1f}{late:9.1f}{rate:10.1f}{busy:11.1f}", flush=True)
    return [answer for _, answer in timed[-len(MESSAGES) :]]


def _numbered(rounds: int) -> list[str]:
    """Return the messages so many times, the same numbers before them in each measurement."""
    return [f"{100 + turn} {message}" for turn in range(rounds) for message in MESSAGES]


def _timed(ask: Ask, message: str) -> tuple[float, str]:
    start = time.perf_counter()
    answer = ask(message)
    return (time.perf_counter() - start) * 1000, answer


def _grammar(message: str) -> str:
    return command_grammar(registry.outlines(), message)


def _without_amx() -> llama_cpp.llama_model_params:
    """As the model host does: the binding has no switch for it, and dies on processors with AMX."""
    parameters = _DEFAULTS()
    parameters.use_extra_bufts = False
    return parameters


def in_process(path: Path) -> Sequence[tuple[str, Ask]]:
    llama_cpp.llama_cpp.llama_model_default_params = _without_amx
    binding = llama_cpp.Llama(
        str(path), n_ctx=CONTEXT, n_batch=CONTEXT, n_threads=os.cpu_count(), flash_attn=True, verbose=False
    )
    model = GgufModel(path, context_tokens=CONTEXT)

    def by_binding(message: str) -> str:
        grammar = llama_cpp.LlamaGrammar.from_string(_grammar(message))
        answer = binding.create_chat_completion(
            render(Turn(message)), grammar=grammar, max_tokens=TOKENS, temperature=0
        )
        return str(answer["choices"][0]["message"]["content"])

    def by_ours(message: str) -> str:
        prompt = Prompt(render(Turn(message)), grammar=_grammar(message), max_tokens=TOKENS)
        return "".join(model.generate(prompt, Tally()))

    return [("the binding, in process", by_binding), ("our loop, in process", by_ours)]


def over_http(path: Path, rounds: int) -> None:
    """Ask a model host in a process of its own, as it runs beside the portal."""
    with serving.model_host(path, LLM_CONTEXT_TOKENS=str(CONTEXT)) as (url, number):
        backend, times = OpenAIBackend(url), psutil.Process(number).cpu_times

        def ask(message: str) -> str:
            return backend.complete(render(Turn(message)), grammar=_grammar(message), max_tokens=TOKENS)

        def first_piece(message: str) -> str:
            return next(iter(backend.stream(render(Turn(message)), grammar=_grammar(message))))

        measured(
            "the model host, first piece", first_piece, rounds, clock=lambda: times().user + times().system
        )
        for callers in CALLERS:
            name, often = f"the model host, callers: {callers}", rounds * max(1, callers // 2)
            measured(name, ask, often, callers, lambda: times().user + times().system)
        print(f"  the host's memory: {psutil.Process(number).memory_info().rss / 1e6:.0f} MB")


def embedding() -> None:
    start = time.perf_counter()
    embedder = MiniLm()
    print(f"\nthe embedder loads in {time.perf_counter() - start:.1f} s")
    measured("  one question", lambda message: str(len(list(embedder.embed([message])))), 5)
    start = time.perf_counter()
    count = sum(
        len(batch) for batch in embedder.embed([f"{text} {n}" for n in range(32) for text in MESSAGES])
    )
    print(f"  {count / (time.perf_counter() - start):.0f} sentences a second in batches")


if __name__ == "__main__":
    main()
