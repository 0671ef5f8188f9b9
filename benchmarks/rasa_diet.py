"""Trains Rasa's DIET classifier on examples from stdin and writes what it makes of texts: JSON in, JSON out.

    /path/to/python3.10 benchmarks/rasa_diet.py < asked.json > told.json

Runs under a Python that has Rasa (`pip install "rasa==3.6.*"` wants Python 3.8 to 3.10) and knows nothing of
this project: `benchmarks/understanding.py` starts it. The pipeline is the one that `rasa init` writes:
words, their shapes, letters in fours, DIET with 100 epochs (Bunk et al. 2020, arXiv 2004.09936).

In:  {"examples": [{"text", "intent", "entities": [{"start", "end", "entity"}]}], "texts": [], "epochs": 100}
Out: {"version", "training_seconds", "told": [{"ranking": [[intent, confidence]], "entities": {name: words},
"milliseconds"}]}
"""

import asyncio
import json
import logging
import os
import random
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3", RASA_TELEMETRY_ENABLED="false", SQLALCHEMY_SILENCE_UBER_WARNING="1"
)
warnings.filterwarnings("ignore")
SEED = 65

CONFIG = """
recipe: default.v1
language: en
assistant_id: benchmark
pipeline:
  - name: WhitespaceTokenizer
  - name: RegexFeaturizer
  - name: LexicalSyntacticFeaturizer
  - name: CountVectorsFeaturizer
  - name: CountVectorsFeaturizer
    analyzer: char_wb
    min_ngram: 1
    max_ngram: 4
  - name: DIETClassifier
    epochs: {epochs}
    constrain_similarities: true
    random_seed: {seed}
policies: []
"""


def main() -> None:
    asked = json.load(sys.stdin)
    answer_to, sys.stdout = sys.stdout, sys.stderr  # Rasa writes bars and notes to stdout
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # Rasa keeps a cache where it is started
        started = time.monotonic()
        model = train(Path(folder), asked["examples"], asked.get("epochs", 100))
        seconds = time.monotonic() - started
        told = asyncio.run(understand(model, asked["texts"]))
    import rasa

    json.dump({"version": rasa.__version__, "training_seconds": seconds, "told": told}, answer_to)


def train(folder, examples, epochs):
    """Return the path of a trained model."""
    from rasa.model_training import train_nlu

    random.seed(SEED)
    (folder / "config.yml").write_text(CONFIG.format(epochs=epochs, seed=SEED))
    data = {"rasa_nlu_data": {"common_examples": [_valued(example) for example in examples]}}
    (folder / "nlu.json").write_text(json.dumps(data))
    return train_nlu(str(folder / "config.yml"), str(folder / "nlu.json"), str(folder / "models"))


def _valued(example):
    entities = [
        {**entity, "value": example["text"][entity["start"] : entity["end"]]}
        for entity in example["entities"]
    ]
    return {**example, "entities": entities}


async def understand(model, texts):
    """Return for each text the intents by confidence, and the words of each entity."""
    from rasa.core.agent import Agent

    agent = Agent.load(model)
    return [await _one(agent, text) for text in texts]


async def _one(agent, text):
    started = time.monotonic()
    read = await agent.parse_message(text)
    milliseconds = 1000 * (time.monotonic() - started)
    ranking = [[found["name"], found["confidence"]] for found in read["intent_ranking"]]
    return {"ranking": ranking, "entities": _spans(read, text), "milliseconds": milliseconds}


def _spans(read, text):
    """Return one span a name, from its first word to its last: Rasa gives each piece by itself."""
    spans = {}
    for found in read["entities"]:
        start, end = spans.get(found["entity"], (found["start"], found["end"]))
        spans[found["entity"]] = min(start, found["start"]), max(end, found["end"])
    return {name: text[start:end] for name, (start, end) in spans.items()}


if __name__ == "__main__":
    main()
