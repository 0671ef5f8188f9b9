"""What a shared beginning and a conversation's own beginning cost: ours, llama-server, llama-cpp-python.

    python benchmarks/shared_prefix.py [--prefix 2000] [--conversations 8] [--turns 5] [--server PATH]

Conversations take turns, so none is ever continued at once. All of them begin with the same system
prompt; each turn ends in one token, so what is timed is the reading of the prompt. The weights are a
Llama of the 1B's exact shape (see random_llama.py), the history is the same for every program, and each
turn is put to all programs before the next one comes, so that a busy machine is busy for all of them.
Processor seconds are told beside those on the clock: other work on the machine changes them less.
Then comes the time of a token: llama.cpp's bare loop, ours in this process and ours over HTTP.

`--server` names llama.cpp's own server (`make llama-server`); without it that row is left out.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eyecare.settings")
os.environ.setdefault("DEMO", "1")
os.environ["OMP_WAIT_POLICY"] = "passive"  # as in the model host; llama.cpp reads it once, when loaded

import django

django.setup()

import ctypes

import httpx
import llama_cpp
import numpy as np
import psutil

from benchmarks.random_llama import SHAPES, write
from chatbot.modelhost.answers import Prompt, Tally
from chatbot.modelhost.app import Host
from chatbot.modelhost.engine import Weights
from chatbot.modelhost.lane import Lane
from chatbot.modelhost.llama import GgufModel
from chatbot.modelhost.scheduler import Default, Scheduler
from chatbot.modelhost.shelf import Limits
from tests.chatbot import serving

CACHE = ROOT / "var" / "cache"
SERVER = CACHE / "llama-server" / "llama-server"
SAID = "The practice is open from nine to five, and the doctor has time for you on Thursday morning."
ASKED = "Number {number} asks for turn {turn}: when may I come, and what does a pair of lenses cost me?"

TURN_TOKENS = 12
"""Tokens that a program writes before it is another one's turn."""

Message = dict[str, str]
Ask = Callable[[list[Message]], None]

_DEFAULTS = llama_cpp.llama_cpp.llama_model_default_params


@dataclass(frozen=True)
class Plan:
    """The size of the experiment."""

    model: Path
    system: str
    conversations: int
    turns: int
    context_tokens: int
    threads: int

    @property
    def cells(self) -> int:
        return 4 * self.context_tokens

    def turn(self, number: int, turn: int) -> list[Message]:
        """Return the prompt of one turn: the system's part, all that was said, and a question."""
        messages = [{"role": "system", "content": self.system}]
        for earlier in range(turn):
            messages += [_user(number, earlier), {"role": "assistant", "content": SAID}]
        return [*messages, _user(number, turn)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a GGUF; without it random weights of --shape")
    parser.add_argument("--shape", choices=SHAPES, default="1b")
    parser.add_argument("--weights", default="q8_0")
    parser.add_argument("--prefix", type=int, default=2000, help="tokens of the system prompt")
    parser.add_argument("--conversations", type=int, default=8)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=48, help="tokens that are timed one by one")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--server", type=Path, default=SERVER)
    parser.add_argument("--attention", nargs="*", default=["auto", "off"], help="-fa of llama-server")
    chosen = parser.parse_args()
    plan = _plan(chosen)
    print(
        f"{plan.model.name}, {plan.threads} threads, load {os.getloadavg()[0]:.1f}: "
        f"{plan.conversations} conversations in turns, {plan.turns} turns, {chosen.prefix} tokens in common\n"
    )
    if plan.turns:
        compare_prompts(plan, chosen.server, chosen.attention)
    compare_tokens(plan, chosen.tokens)


def _plan(chosen: argparse.Namespace) -> Plan:
    model = chosen.model or CACHE / f"random-llama-{chosen.shape}-{chosen.weights}.gguf"
    if not model.is_file():
        write(model, SHAPES[chosen.shape], chosen.weights)
    context = chosen.prefix + 80 * chosen.turns + 256
    system = _system(model, chosen.prefix)
    return Plan(model, system, chosen.conversations, chosen.turns, context, chosen.threads)


def _system(model: Path, tokens: int) -> str:
    """Return the beginning of our own guides that has about so many tokens."""
    weights = Weights(model)
    text = " ".join(" ".join(path.read_text().split()) for path in sorted((ROOT / "docs").glob("*.md")))
    text *= 1 + tokens // 4000
    count = len(weights.tokens([{"role": "user", "content": text[:8000]}]))
    weights.close()
    return text[: 8000 * tokens // count]


def _user(number: int, turn: int) -> Message:
    return {"role": "user", "content": ASKED.format(number=number, turn=turn)}


# Prompts


def compare_prompts(plan: Plan, server: Path, attentions: Sequence[str]) -> None:
    """Put every turn of every conversation to each program."""
    with ExitStack() as running:
        programs = {"ours": Program(running.enter_context(ours(plan)), time.process_time)}
        for attention in attentions if server.is_file() else ():
            started = running.enter_context(llama_server(plan, server, attention))
            programs[f"llama-server, -fa {attention}"] = started
        programs["llama-cpp-python, LlamaRAMCache"] = Program(binding(plan), time.process_time)
        for turn in range(plan.turns):
            for number in range(plan.conversations):
                for program in programs.values():
                    program.put(plan.turn(number, turn), is_first=turn == 0)
    print(
        f"{'seconds for a prompt':34}{'very first':>11}{'turn 1':>9}{'later':>10}{'all':>9}{'processor':>11}"
    )
    for name, program in programs.items():
        program.report(name)
    if not server.is_file():
        print(f"  left out: there is no llama-server at {server}")


@dataclass
class Program:
    """Something that is asked, the processor time it has used, and how long it took."""

    ask: Ask
    clock: Callable[[], float]
    first: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    processor: float = 0.0

    def put(self, messages: list[Message], *, is_first: bool) -> None:
        used, start = self.clock(), time.perf_counter()
        self.ask(messages)
        (self.first if is_first else self.later).append(time.perf_counter() - start)
        self.processor += self.clock() - used

    def report(self, name: str) -> None:
        """Print the very first prompt, the median of a first and of a later turn, and the sums."""
        opening, *first = self.first
        print(
            f"  {name:32}{opening:11.2f}{statistics.median(first or [opening]):9.2f}"
            f"{statistics.median(self.later or [0]):10.2f}{sum(self.first + self.later):9.1f}"
            f"{self.processor:11.1f}",
            flush=True,
        )


@contextmanager
def our_host(plan: Plan) -> Iterator[str]:
    limits = Limits(memory_bytes=8 * 10**9, cache_tokens=plan.cells, threads=plan.threads)
    host = Host(
        chat=Scheduler(Default(plan.model, plan.context_tokens), limit=32, limits=limits),
        embeddings=Lane("embedder", serving.WordEngine, limit=32),
        deadline_seconds=600,
    )
    with serving.listening(host) as url:
        yield f"{url}/v1"


@contextmanager
def ours(plan: Plan) -> Iterator[Ask]:
    with our_host(plan) as url, _asking(url) as ask:
        yield ask


@contextmanager
def llama_server(plan: Plan, program: Path, attention: str) -> Iterator[Program]:
    """Run llama.cpp's server with its own defaults (--cache-ram 8192), but for what has to be equal."""
    options = ["-c", plan.cells, "-t", plan.threads, "-fa", attention]
    with serving.llama_server(program, plan.model, *map(str, options)) as (url, process):
        times = psutil.Process(process).cpu_times
        with _asking(url) as ask:
            yield Program(ask, lambda: times().user + times().system)


@contextmanager
def _asking(url: str) -> Iterator[Ask]:
    with httpx.Client(base_url=url, timeout=600, trust_env=False) as client:

        def ask(messages: list[Message]) -> None:
            body = {"messages": messages, "max_tokens": 1, "temperature": 0}
            client.post(
                "/chat/completions", json=body, headers={"Deadline-Seconds": "600"}
            ).raise_for_status()

        yield ask


def binding(plan: Plan) -> Ask:
    """The Python binding with the cache of its own that keeps whole states in memory."""
    llama_cpp.llama_cpp.llama_model_default_params = _without_amx
    model = llama_cpp.Llama(
        str(plan.model),
        n_ctx=plan.context_tokens,
        n_threads=plan.threads,
        n_threads_batch=plan.threads,
        flash_attn=True,
        verbose=False,
    )
    model.set_cache(llama_cpp.LlamaRAMCache(8 << 30))

    def ask(messages: list[Message]) -> None:
        model.create_chat_completion(messages, max_tokens=1, temperature=0)

    return ask


def _without_amx() -> llama_cpp.llama_model_params:
    """As the model host does: the binding has no switch for it, and dies on processors with AMX."""
    parameters = _DEFAULTS()
    parameters.use_extra_bufts = False
    return parameters


# Tokens


def compare_tokens(plan: Plan, count: int) -> None:
    """Time tokens after a short prompt, a few from each program in turn."""
    bare = BareLoop(plan)
    model = GgufModel(plan.model, plan.context_tokens, threads=plan.threads)
    question = [_user(0, 0)]
    prompt = model.weights.tokens(question)
    names = ("llama.cpp's bare loop", "ours, in process", "ours, over HTTP")
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with our_host(plan) as url:
        for _ in range(max(count // TURN_TOKENS, 1)):
            wanted = Prompt(question, max_tokens=TURN_TOKENS + 1)
            writers = (bare.pieces(prompt), model.generate(wanted, Tally()), _streamed(url, question))
            for name, pieces in zip(names, writers, strict=True):
                took[name] += _gaps(pieces)
    print(f"\n{'milliseconds a token':34}{'clock':>9}{'over bare':>11}{'processor':>11}{'over bare':>11}")
    base = _medians(took[names[0]])
    for name in names:
        clock, processor = _medians(took[name])
        print(
            f"  {name:32}{1000 * clock:9.2f}{100 * (clock / base[0] - 1):+10.1f}%"
            f"{1000 * processor:11.2f}{100 * (processor / base[1] - 1):+10.1f}%"
        )


def _gaps(pieces: Iterator[str]) -> list[tuple[float, float]]:
    """Return the times between two pieces, on the clock and of the processor, once the prompt is read."""
    times = [(time.perf_counter(), time.process_time()) for piece in pieces if piece]
    return [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(times)]


def _medians(gaps: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(clock for clock, _ in gaps), statistics.median(used for _, used in gaps)


def _streamed(url: str, messages: Sequence[Message]) -> Iterator[str]:
    body = {"messages": list(messages), "max_tokens": TURN_TOKENS + 1, "temperature": 0, "stream": True}
    with httpx.stream("POST", f"{url}/chat/completions", json=body, timeout=600) as response:
        for line in response.iter_lines():
            if '"content"' in line:
                yield line


class BareLoop:
    """llama_decode, the likeliest token, llama_decode: nothing else."""

    def __init__(self, plan: Plan) -> None:
        self.model = llama_cpp.llama_model_load_from_file(str(plan.model).encode(), _without_amx())
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = plan.context_tokens
        parameters.n_threads = parameters.n_threads_batch = plan.threads
        parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.words = llama_cpp.llama_vocab_n_tokens(vocabulary)

    def pieces(self, prompt: Sequence[int]) -> Iterator[str]:
        """Yield something for each of so many tokens after the prompt."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), False)
        token = self._next(list(prompt))
        yield str(token)
        for _ in range(TURN_TOKENS):
            token = self._next([token])
            yield str(token)

    def _next(self, tokens: list[int]) -> int:
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(array, len(tokens)))
        scores = llama_cpp.llama_get_logits_ith(self.context, -1)
        pointer = ctypes.cast(scores, ctypes.POINTER(ctypes.c_float))
        return int(np.ctypeslib.as_array(pointer, shape=(self.words,)).argmax())


if __name__ == "__main__":
    main()
