"""How long it takes to teach the small model a practice's own words, from the upload's file to the adapter.

    python benchmarks/finetune_small.py [--base GGUF] [--examples 300] [--set epochs=4]

The practice is made up: its own names for visits, offices, people and offers, in a few hundred messages.
The run is the very command that the portal starts; the times are those of its own progress.jsonl.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chatbot.commands import Command
from chatbot.prompt import Turn
from finetune.data import labelled
from finetune.examples import Example, fitting

VISITS = (
    "NightLens checkup",
    "dry eye spa",
    "school vision day",
    "macula photo",
    "driver's letter",
    "SportsSpex fitting",
)
PLACES = ("the Barn", "Harbour house", "the mobile van", "Quince Mall")
PEOPLE = ("Dr. Okonjo", "Dr. Lindqvist", "Miss Teo", "old Dr. Baum")
TIMES = (
    "next tuesday at 4",
    "the first saturday in march",
    "thursday after school",
    "mañana temprano",
    "any evening",
    "june 3rd",
)
OFFERS = (
    "Clarity Club",
    "two pair Tuesday",
    "the frame exchange",
    "our lens bank",
    "Sunny Eye plan",
    "the loaner program",
)
BOOKINGS = (
    "can i get a {visit} {time}",
    "{visit} at {place}, {time}?",
    "need {visit} with {person}",
    "hi! {time} for a {visit} please",
    "sign my boy up for the {visit} {time} at {place}",
    "is {person} at {place} {time}",
)
QUESTIONS = (
    "how does {offer} work",
    "what does {offer} cost for students",
    "does {offer} cover progressives",
    "can my wife use {offer} too",
    "when does {offer} start again",
    "is {offer} on at {place}",
)
MOVES = ("move my {visit} to {time}", "the {visit} has to be {time} instead", "shift {visit} please, {time}")
CANCELS = ("drop me from the {visit}", "won't make the {visit}, take it off", "no {visit} for us this time")
NAMES = {"visit": "visit_type", "time": "slot", "place": "location", "person": "provider"}


def made_up(count: int, seed: int = 1) -> list[Example]:
    """Return that many different messages with what they mean."""
    chance = random.Random(seed)
    found: dict[str, Example] = {}
    while len(found) < count:
        [(command, frames)] = chance.choices(KINDS, [5, 4, 2, 2])
        example = _filled(chance.choice(frames), command, chance)
        found.setdefault(example.turn.message, example)
    return list(fitting(found.values()))


KINDS: Sequence[tuple[str, Sequence[str]]] = (
    ("book_appointment", BOOKINGS),
    ("ask_practice", QUESTIONS),
    ("reschedule_appointment", MOVES),
    ("cancel_appointment", CANCELS),
)


def _filled(frame: str, command: str, chance: random.Random) -> Example:
    said = {
        "visit": chance.choice(VISITS),
        "time": chance.choice(TIMES),
        "place": chance.choice(PLACES),
        "person": chance.choice(PEOPLE),
        "offer": chance.choice(OFFERS),
    }
    said = {name: words for name, words in said.items() if f"{{{name}}}" in frame}
    text = frame.format(**said)
    text = chance.choice((text, text.lower(), f"{text}!", f"Hello, {text}", f"{text}, thank you"))
    spans = {NAMES[name]: _as_written(words, text) for name, words in said.items() if name in NAMES}
    if command == "ask_practice":
        spans = {"question": _as_written(frame.format(**said), text)}
    elif command != "book_appointment":
        spans["appointment"] = spans.pop("visit_type")
    order = ("visit_type", "appointment", "slot", "provider", "location", "question")
    arguments = {name: spans[name] for name in order if name in spans}
    return Example(Turn(text), (Command(command, arguments),), "made up", licence="Apache-2.0")


def _as_written(words: str, text: str) -> str:
    at = text.casefold().index(words.casefold())
    return text[at : at + len(words)]


def steps(folder: Path, started: datetime) -> list[tuple[str, float]]:
    """Return each step with the seconds it took, by the times in progress.jsonl."""
    lines = [json.loads(line) for line in (folder / "progress.jsonl").open(encoding="utf-8")]
    moments = [("start", started), *((line["step"], datetime.fromisoformat(line["at"])) for line in lines)]
    took: dict[str, float] = {}
    for (_, before), (step, after) in pairwise(moments):
        took[step] = took.get(step, 0.0) + (after - before).total_seconds()
    return list(took.items())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, default=ROOT / "finetune" / "shipped" / "eyecare-command.gguf")
    parser.add_argument("--examples", type=int, default=300)
    parser.add_argument("--set", action="append", default=[], help="such as epochs=2")
    parser.add_argument("--folder", type=Path, help="keep the run here (default: a folder that is removed)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as somewhere:
        sys.exit(time_run(chosen, chosen.folder or Path(somewhere)))


def time_run(chosen: argparse.Namespace, folder: Path) -> int:
    """Do the run, print what took how long and what came of it, and return its exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    words = folder / "words.jsonl"
    labelled.write(words, made_up(chosen.examples))
    command = [sys.executable, "-m", "finetune", "run", "--recipe", "command-small", "--folder", str(folder)]
    command += ["--base", str(chosen.base), "--data", str(words)]
    for setting in chosen.set:
        command += ["--set", setting]
    began, started = datetime.now().astimezone(), time.monotonic()
    code = subprocess.run(command, cwd=ROOT, stderr=subprocess.DEVNULL, check=False).returncode
    seconds = time.monotonic() - started
    if code:
        print((folder / "progress.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        return code
    for step, took in steps(folder, began):
        print(f"{step:12} {took:6.0f} s")
    print(f"{'in all':12} {seconds:6.0f} s on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(json.dumps(json.loads((folder / "result.json").read_text(encoding="utf-8"))["metrics"], indent=1))
    return 0


if __name__ == "__main__":
    main()
