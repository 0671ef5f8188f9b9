"""A JSON Schema is enforced to the last keyword, or refused."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from chatbot.grammar import command_schema
from chatbot.modelhost import gbnf
from chatbot.modelhost.gbnf import GrammarRefused
from chatbot.modelhost.llama import GgufModel, Prompt, Tally
from chatbot.modelhost.schema import any_object, schema_grammar
from tests.chatbot.test_modelhost import TOOLS
from tests.chatbot.tiny_gguf import write_tiny_gguf


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GgufModel]:
    """Says plain ASCII only: random bytes would make strings that are longer once they are read."""
    path = tmp_path_factory.mktemp("models") / "ascii.gguf"
    model = GgufModel(write_tiny_gguf(path, with_bytes=False), context_tokens=256)
    yield model
    model.close()


def says(model: GgufModel, grammar: str, seed: int) -> str:
    prompt = Prompt(
        [{"role": "user", "content": "x"}], grammar=grammar, temperature=1.0, seed=seed, max_tokens=240
    )
    return "".join(model.generate(prompt, Tally()))


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": ["a", 'quoted "b"', 3, None, {"c": [1]}]},
        {"type": "string", "minLength": 2, "maxLength": 5},
        {"type": "integer"},
        {"type": "number"},
        {"type": ["boolean", "null"]},
        {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
        {"type": "array", "items": {"type": "null"}, "maxItems": 0},
        {"anyOf": [{"const": "x"}, {"type": "boolean"}]},
        {
            "type": "object",
            "title": "An order",
            "properties": {
                "first": {"type": "boolean"},
                "second": {"$ref": "#/$defs/side"},
                "third": {"type": "null"},
            },
            "required": ["second"],
            "additionalProperties": False,
            "$defs": {"side": {"enum": ["left", "right"], "description": "Which eye."}},
        },
        {"type": "object", "properties": {}, "additionalProperties": False},
    ],
)
def test_every_answer_fits_the_schema(model: GgufModel, schema: dict[str, Any]) -> None:
    for seed in range(6):
        jsonschema.validate(json.loads(says(model, schema_grammar(schema), seed)), schema)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({}, "no type"),
        ({"type": "string", "pattern": "a+"}, "pattern"),
        ({"type": "integer", "minimum": 3}, "minimum"),
        ({"oneOf": [{"type": "null"}]}, "no type"),
        ({"type": "object", "additionalProperties": True}, "additionalProperties"),
        ({"type": "object", "properties": {}, "required": ["x"]}, "'x' is required"),
        ({"$ref": "https://example.com/schema.json"}, "refer to itself"),
        ({"$ref": "#/$defs/none"}, "nothing stands"),
        ({"type": "string", "maxLength": 5000}, "maxLength"),
        ({"type": "array", "items": {}}, "no type"),
        ({"enum": []}, "nothing to choose"),
        ({"type": "object", "properties": []}, "malformed"),
        ({"anyOf": 5}, "malformed"),
    ],
)
def test_a_schema_that_cannot_be_enforced_is_refused(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(GrammarRefused, match=why):
        schema_grammar(schema)


def test_the_grammars_we_make_pass_our_own_check() -> None:
    gbnf.check(any_object())
    gbnf.check(schema_grammar(command_schema(TOOLS)))


def test_a_schema_that_holds_itself_is_unrolled_by_reference() -> None:
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}},
                "required": ["next"],
                "additionalProperties": False,
            }
        },
    }
    gbnf.check(schema_grammar(tree))
