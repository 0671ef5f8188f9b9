"""Stands in for `python -m finetune run`: keeps its protocol, trains nothing. The first argument says how."""

import argparse
import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

STEPS = 40


class Run:
    def __init__(self, folder: Path, base: Path) -> None:
        self.folder, self.base = folder, base
        self.checkpoint = folder / "checkpoint"

    def say(self, **sign: object) -> None:
        with (self.folder / "progress.jsonl").open("a") as lines:
            print(json.dumps({"at": "2026-03-02T09:00:00Z", **sign}), file=lines, flush=True)

    def train(self, *, pause: float = 0.0) -> None:
        begun = int(self.checkpoint.read_text()) if self.checkpoint.exists() else 0
        self.say(step="data", done=1, total=1)
        for step in range(begun, STEPS):
            self.say(step="train", done=step + 1, total=STEPS, loss=1.0 / (step + 1), note=f"from {begun}")
            self.checkpoint.write_text(str(step + 1))
            time.sleep(pause)

    def write(self, **changes: object) -> None:
        weights = b"GGUF adapter of " + self.folder.name.encode()
        (self.folder / "adapter.gguf").write_bytes(weights)
        held_out = {"text": "any chance of a pressure check", "commands": [{"name": "book_appointment"}]}
        (self.folder / "held_out.jsonl").write_text(json.dumps(held_out) + "\n")
        result = {
            "recipe": "fake",
            "recipe_sha256": "r" * 64,
            "kind": "adapter",
            "file": "adapter.gguf",
            "sha256": hashlib.sha256(weights).hexdigest(),
            "size_bytes": len(weights),
            "base": {"name": "base", "sha256": hashlib.sha256(self.base.read_bytes()).hexdigest()},
            "quantization": "F16",
            "metrics": {"held_out_loss": 0.25},
            "parity": {"holds": True},
            "licences": ["Apache-2.0"],
            "seed": 1,
            **changes,
        }
        (self.folder / "result.json").write_text(json.dumps(result))


def main() -> None:
    behaviour, *given = sys.argv[1:]
    parser = argparse.ArgumentParser()
    for name in ("--recipe", "--data"):
        parser.add_argument(name, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=Path(os.environ.get("XDG_FAKE_BASE", "")))
    parser.add_argument("--set", action="append", required=True)
    chosen = parser.parse_args(given)
    run = Run(chosen.folder, chosen.base)
    (run.folder / "seen.json").write_text(
        json.dumps({"arguments": given, "environment": sorted(os.environ)}), "utf-8"
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    BEHAVIOURS[behaviour](run)


def trains(run: Run) -> None:
    run.train()
    run.write()


def trains_slowly(run: Run) -> None:
    run.train(pause=0.05)
    run.write()


def refuses(run: Run) -> None:
    run.say(step="data", error="line 3: no such command.", hint="Look at the list of commands.")
    sys.exit(2)


def breaks_off(run: Run) -> None:
    run.train()
    raise RuntimeError("the tensor is of the wrong shape")


def is_killed(run: Run) -> None:
    run.train()
    os.kill(os.getpid(), signal.SIGKILL)


def mumbles(run: Run) -> None:
    """Say what is no sign at all between signs that are."""
    with (run.folder / "progress.jsonl").open("a") as lines:
        lines.write('not json\n[1, 2]\n{"step": "train", "done": "many"}\n{"step": "train", "loss": NaN}\n')
    run.say(step="export", done=10**30, total=-4, loss=1e400)
    run.write()


def leaves_half_a_file(run: Run) -> None:
    run.write(sha256="0" * 64)


def leaves_nothing(run: Run) -> None:
    run.train()


def names_a_file_elsewhere(run: Run) -> None:
    run.write(file="../../../etc/passwd")


def takes_another_base(run: Run) -> None:
    run.write(base={"name": "stranger", "sha256": "f" * 64})


def will_not_stop(run: Run) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run.train(pause=0.5)


BEHAVIOURS = {
    act.__name__: act
    for act in (
        trains,
        trains_slowly,
        refuses,
        breaks_off,
        is_killed,
        mumbles,
        leaves_half_a_file,
        leaves_nothing,
        names_a_file_elsewhere,
        takes_another_base,
        will_not_stop,
    )
}

if __name__ == "__main__":
    main()
