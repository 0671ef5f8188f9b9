"""Models from elsewhere: brings a GGUF here, checks that it fits, and says how to serve it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from chatbot import assistants
from chatbot.models import Assistant
from eyecare.errors import NotFound, Refusal
from workshop import hub, services, sizing
from workshop.models import ModelVersion
from workshop.sizing import Advice, Machine, Shape


class Command(BaseCommand):
    """`manage.py models add SOURCE`, `manage.py models list`."""

    help = "Adds a GGUF from a path or a hub as a candidate version, and lists what there is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="what is there, and what each assistant answers with")
        add = verbs.add_parser("add", help="bring a model here; it answers nobody before it is promoted")
        add.add_argument("source", help="a GGUF file, or the name of a repository: owner/name")
        add.add_argument("--file", default="", help="which GGUF there; without it, the best that fits")
        add.add_argument("--revision", default="main", help="branch, tag or commit of the repository")
        add.add_argument("--sha256", default="", help="refuse the file unless this is its checksum")
        add.add_argument("--assistant", default="", help="whose candidate it becomes")
        add.add_argument("--check", action="store_true", help="say what would be done, and do nothing")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        try:
            self._list() if verb == "list" else self._add(**options)
        except Refusal as refusal:
            raise CommandError(refusal.sentence) from refusal

    def _list(self) -> None:
        versions = ModelVersion.objects.select_related("assistant").order_by("assistant", "-pk")
        for version in versions.iterator():
            self.stdout.write(
                f"{version.name:40} {version.assistant.slug:16} {version.get_state_display():10} "
                f"{version.size_bytes / 1e6:9.1f} MB  {version.sha256[:12]}"
            )

    def _add(self, *, source: str, check: bool, sha256: str, assistant: str, **options: Any) -> None:
        machine = sizing.this_machine()
        owner = self._owner(assistant)
        path = Path(source) if Path(source).is_file() else self._fetched(source, machine, check, **options)
        if path is None:
            return
        shape = sizing.read(path)
        advice = sizing.advise(shape, machine)
        self._tell(shape, machine, advice)
        if not advice.fits:
            raise CommandError(f"It does not fit this machine. What would: {advice.smaller}.")
        found = _hashed(path)
        if sha256 and found != sha256.lower():
            raise CommandError(f"The checksum is {found}, not {sha256.lower()}: nothing was added.")
        if check:
            return
        version = services.import_version(
            assistant=owner,
            path=path,
            sha256=found,
            name=shape.name,
            licence=shape.licence,
            prompt_style=advice.prompt_style,
            context_tokens=advice.context_tokens,
        )
        self.stdout.write(
            self.style.SUCCESS(
                f"Added as {version.name}, a candidate for {owner.name}. Promote it in the admin,"
                " under Model versions; until then everything stays as it is."
            )
        )

    def _owner(self, slug: str) -> Assistant:
        if not slug:
            return assistants.default()
        try:
            return assistants.get(slug)
        except NotFound as missing:
            raise CommandError(f"There is no assistant {slug!r}.") from missing

    def _fetched(self, source: str, machine: Machine, check: bool, **options: Any) -> Path | None:
        """Return the file that was brought from the hub; None when only looking."""
        if source.endswith(".gguf") or source.startswith((".", "/", "~")):
            raise CommandError(f"There is no file {source}.")
        offered = {file.path: file for file in hub.ggufs(source, revision=options["revision"])}
        if not offered:
            raise CommandError(f"{source} holds no GGUF in one piece with a checksum.")
        wanted = options["file"] or sizing.best_of(
            {path: file.size_bytes for path, file in offered.items()}, machine
        )
        for path, file in offered.items():
            mark = "→" if path == wanted else " "
            self.stdout.write(f"{mark} {path}  {file.size_bytes / 1e9:.2f} GB")
        if not wanted:
            raise CommandError("None of them fits this machine: take a smaller model.")
        if wanted not in offered:
            raise CommandError(f"{source} holds no {wanted}.")
        if check:
            return None
        return hub.fetch(offered[wanted], settings.MODELS_DIR / source.replace("/", "--"))

    def _tell(self, shape: Shape, machine: Machine, advice: Advice) -> None:
        where = machine.gpu_name or f"{machine.cores} cores"
        self.stdout.write(
            f"{shape.name}: {shape.architecture}, {_amount(shape.parameters)} parameters, "
            f"{shape.bits_per_weight:.1f} bits a weight, trained for {shape.trained_context} tokens\n"
            f"licence: {shape.licence or 'not stated in the file: look it up before patients use it'}\n"
            f"needs about {advice.needs / 1e9:.1f} GB with {sizing.CONVERSATIONS} conversations of "
            f"{advice.context_tokens} tokens; there are {advice.room / 1e9:.1f} GB to use ({where})"
        )
        for name, value in advice.settings.items():
            self.stdout.write(f"    {name}={value}")


def _hashed(path: Path) -> str:
    with tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc="checksum") as bar:
        return hub.sha256_of(path, bar.update)


def _amount(parameters: int) -> str:
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e8 else f"{parameters / 1e6:.1f}M"
