"""Models and endpoints as they are named on the command line, and how each is measured."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import gguf
from tqdm import tqdm

from chatbot.prompt import Style
from finetune.examples import Example
from finetune.measure import endpoint, measured, one
from finetune.measure.endpoint import Endpoint
from finetune.measure.measured import Answer, Measured, read, summarise

ROOT = Path(__file__).resolve().parents[2]
BANK = ROOT / "chatbot" / "examples.jsonl"
STYLE_KEY = "eyecare.prompt_style"
LEVEL_CASES = 48
"""Messages that each number of callers is tried with."""

Tell = Callable[[int, int], None]
"""Is told how many of how many cases are done."""

_NAME = re.compile(r"[\w.@ +-]{1,60}")
_OPTIONS = {"style", "model", "adapter", "constraint"}


class BadSystem(ValueError):
    """What was named cannot be measured; the text says why."""


class Failed(RuntimeError):
    """Measuring a model ended without figures."""


@dataclass(frozen=True)
class System:
    """One thing to measure: NAME=FILE.gguf or NAME=http://host/v1, with options behind commas."""

    name: str
    where: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_endpoint(self) -> bool:
        return self.where.startswith(("http://", "https://"))

    @property
    def style(self) -> Style:
        if named := self.options.get("style"):
            return Style(named)
        return Style.FULL if self.is_endpoint else style_of(Path(self.where))


def parse(text: str) -> System:
    """Read "small=model.gguf,adapter=own.gguf" or "big=http://host/v1,model=llama,style=full"."""
    name, _, rest = text.partition("=")
    where, *given = rest.split(",")
    options = dict(option.partition("=")[::2] for option in given)
    if not _NAME.fullmatch(name) or not where:
        raise BadSystem(f"{text!r} is not NAME=FILE.gguf or NAME=http://host/v1.")
    if unknown := options.keys() - _OPTIONS:
        raise BadSystem(f"{name}: no option {sorted(unknown)[0]!r}; there are {', '.join(sorted(_OPTIONS))}.")
    system = System(name, where, options)
    _check(system)
    return system


def _check(system: System) -> None:
    if system.is_endpoint and not urlsplit(system.where).hostname:
        raise BadSystem(f"{system.name}: {system.where} is no address.")
    files = [] if system.is_endpoint else [system.where]
    for path in (*files, *filter(None, [system.options.get("adapter")])):
        if not Path(path).is_file():
            raise BadSystem(f"{system.name}: there is no file {path}.")
    try:
        _ = system.style
    except ValueError as error:
        raise BadSystem(f"{system.name}: {error}.") from error


def style_of(path: Path) -> Style:
    """Return the prompt that a GGUF was trained on; a model that does not say gets all the instructions."""
    try:
        fields = gguf.GGUFReader(path).fields
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise BadSystem(f"{path.name} is not a readable GGUF file.") from error
    if STYLE_KEY in fields:
        return Style(fields[STYLE_KEY].contents())
    named = fields["general.name"].contents() if "general.name" in fields else ""
    return Style.COMPACT if str(named).startswith("eyecare") else Style.FULL


def key(system: System, cases: Sequence[Example], *, levels: bool) -> str:
    """Return what tells one measurement from another: the file's bytes, the options, the cases."""
    paths = [system.where] if not system.is_endpoint else []
    paths += filter(None, [system.options.get("adapter")])
    said = {
        "system": [system.where if system.is_endpoint else "", sorted(system.options.items())],
        "files": [_sha256(Path(path)) for path in paths],
        "cases": [one.as_row(case) for case in cases],
        "levels": levels and system.is_endpoint,
        "bank": _sha256(BANK) if system.style is Style.HINTED and BANK.exists() else "",
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def once(
    system: System, cases: Sequence[Example], path: Path, *, levels: bool = False, again: bool = False
) -> Measured:
    """Return the figures kept at `path`, or measure, show a bar, and keep them there."""
    kept = key(system, cases, levels=levels)
    if not again and (known := measured.load(path, kept)):
        print(f"{system.name}: measured before", flush=True)
        return known
    with tqdm(total=len(cases), desc=system.name, unit="message", mininterval=1) as bar:
        fresh = measure(system, cases, lambda done, total: _show(bar, done), levels=levels)
    measured.save(path, fresh, kept)
    return fresh


def _show(bar: "tqdm[object]", done: int) -> None:
    bar.update(done - bar.n)


def measure(system: System, cases: Sequence[Example], tell: Tell, *, levels: bool = False) -> Measured:
    """Measure one system on the cases; raises Failed or endpoint.Unreachable."""
    asked = hinted(cases) if system.style is Style.HINTED else list(cases)
    if system.is_endpoint:
        return _endpoint(system, asked, tell, levels=levels)
    return in_a_process_of_its_own(
        one.Job(
            name=system.name,
            path=system.where,
            style=system.style.value,
            cases=[one.as_row(case) for case in asked],
            adapter=system.options.get("adapter", ""),
            context_tokens=2048 if system.style is Style.FULL else 512,
        ),
        tell,
    )


def hinted(cases: Sequence[Example]) -> list[Example]:
    """Return the cases with the hints that the product's bank gives them."""
    from finetune.base.hints import Hinter
    from finetune.data import labelled

    return Hinter(labelled.read(BANK), ROOT / "var" / "finetune" / "vectors").tell(cases)


def in_a_process_of_its_own(job: one.Job, tell: Tell) -> Measured:
    """Measure one GGUF apart from this process; raises Failed with its last words."""
    command = [sys.executable, "-m", "finetune.measure.one"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"OMP_WAIT_POLICY": "passive"},  # as in the model host; read once, when loaded
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        asked, told, complaints = process.stdin, process.stdout, process.stderr
        if not (asked and told and complaints):
            raise Failed(f"{job.name}: no pipe to its process.")
        with asked:
            asked.write(json.dumps(asdict(job)))
        found = _listen(told, len(job.cases), tell)
        complaint = complaints.read().strip().splitlines()
    if process.returncode or found is None:
        raise Failed(f"{job.name}: {complaint[-1] if complaint else f'ended with {process.returncode}'}")
    return read(found)


def _listen(told: IO[str], cases: int, tell: Tell) -> dict[str, Any] | None:
    """Pass on how far the process is; return its figures, if it came that far."""
    found = None
    for line in told:
        said = json.loads(line)
        if "done" in said:
            tell(said["done"], cases)
        found = said.get("measured", found)
    return found


def _endpoint(system: System, cases: Sequence[Example], tell: Tell, *, levels: bool) -> Measured:
    asked = Endpoint(
        system.where,
        system.options.get("model", ""),
        system.style,
        system.options.get("constraint", "schema"),
    )
    if not asked.model:
        asked = replace(asked, model=asked.first_model())
    answers: list[Answer] = []
    with asked.client() as client:
        endpoint.ask(client, asked, cases[0].turn)
        for case in cases:
            answers.append(endpoint.ask(client, asked, case.turn))
            tell(len(answers), len(cases))
    tried = [cases[place % len(cases)] for place in range(LEVEL_CASES)]
    return summarise(
        cases,
        answers,
        name=system.name,
        where=system.where,
        style=system.style.value,
        levels=endpoint.concurrency(asked, tried) if levels else (),
    )
