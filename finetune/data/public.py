"""Public task dialogues, retold as turns and commands of our shape.

Reads the Schema-Guided Dialogue training turns (CC BY-SA 4.0), Restaurant-8k (CC BY 4.0) and NLU++
(CC BY 4.0) from a folder given on the command line. Nothing of them is ever written into the
repository; what the model learns from them is how people answer, correct and change the subject.
"""

import itertools
from pathlib import Path

from finetune.data import nlupp, restaurants, schema_guided
from finetune.examples import Example, fitting


def read(folder: Path | None) -> list[Example]:
    """Return every usable turn under `folder`; say plainly when there is none to read."""
    if folder is None or not folder.is_dir():
        print(f"No public dialogues at {folder or '(no --data given)'}: using our own corpus only.")
        return []
    retold = itertools.chain(schema_guided.read(folder), restaurants.read(folder), nlupp.read(folder))
    examples = list(fitting(retold))
    print(f"{len(examples)} public turns from {folder}")
    return examples
