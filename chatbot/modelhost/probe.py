"""Loads a model in a process of its own, so that a file which ends its reader does not end the host.

    python -m chatbot.modelhost.probe BASE [ADAPTER]

Prints what the model will take, as JSON, or `problem`: why it cannot be used.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from chatbot.modelhost.answers import ModelMissing, ModelUnusable

SECONDS = 900


@dataclass(frozen=True)
class Needs:
    """Bytes of the weights, and of each token that the cache has room for."""

    weights_bytes: int
    cell_bytes: int


def try_out(base: Path, adapter: Path | None) -> Needs:
    """Have the model say one token elsewhere; raises ModelUnusable with the reason."""
    command = [
        sys.executable,
        "-m",
        "chatbot.modelhost.probe",
        str(base),
        *([str(adapter)] if adapter else []),
    ]
    try:
        tried = subprocess.run(  # noqa: S603 - our own module, and two paths
            command, capture_output=True, timeout=SECONDS, check=False, cwd=Path(__file__).parents[2]
        )
    except subprocess.TimeoutExpired as error:
        raise ModelUnusable(f"{base.name} was not ready after {SECONDS} seconds.") from error
    if tried.returncode:
        raise ModelUnusable(f"{(adapter or base).name} is damaged: it ends the program that reads it.")
    told = json.loads(tried.stdout)
    if "problem" in told:
        raise ModelUnusable(told["problem"])
    return Needs(**told)


def main(base: Path, adapter: Path | None) -> None:
    from chatbot.modelhost.engine import Context, Row, Weights  # here: the host itself never needs a probe's

    try:
        weights = Weights(base, checks_values=True)
        worn = weights.adapter(adapter) if adapter else None
        context = Context(weights, cells=256, sequences=2, threads=1)
        context.decode([Row(1, 0, [weights.opening], True)], worn)
    except (ModelMissing, ModelUnusable) as problem:
        sys.stdout.write(json.dumps({"problem": str(problem)}))
        return
    sys.stdout.write(json.dumps(asdict(Needs(weights.size_bytes, context.cell_bytes))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
