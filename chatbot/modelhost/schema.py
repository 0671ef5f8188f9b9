"""JSON Schema as a grammar: all of it, or a refusal.

llama.cpp's own converter leaves out what it does not know. Here a keyword is either enforced or the
schema is refused, and every string and list is bounded, so that an answer ends.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatbot.modelhost.gbnf import REPEAT_LIMIT, GrammarRefused

STRING_LIMIT = 256
"""Characters of a string whose schema sets no maxLength."""

LIST_LIMIT = 32
"""Entries of an array whose schema sets no maxItems."""

_ANNOTATIONS = {
    "title",
    "description",
    "default",
    "examples",
    "$schema",
    "$id",
    "$defs",
    "definitions",
    "$comment",
}
_KEYWORDS = {
    "string": {"minLength", "maxLength"},
    "array": {"items", "minItems", "maxItems"},
    "object": {"properties", "required", "additionalProperties"},
    "integer": set(),
    "number": set(),
    "boolean": set(),
    "null": set(),
}
_CHARACTER = r'[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})'
_INTEGER = '"-"? ("0" | [1-9] [0-9]{0,14})'
_ANYTHING = {
    "value": 'text | number | list | map | "true" | "false" | "null"',
    "text": rf'"\"" character{{0,{STRING_LIMIT}}} "\""',
    "number": f'{_INTEGER} ("." [0-9]{{1,15}})?',
    "list": f'"[" (value ("," value){{0,{LIST_LIMIT - 1}}})? "]"',
    "map": f'"{{" (text ":" value ("," text ":" value){{0,{LIST_LIMIT - 1}}})? "}}"',
}


def any_object() -> str:
    """Return a grammar for whatever JSON object."""
    return _written({"root": "map", **_ANYTHING, "character": _CHARACTER})


def schema_grammar(schema: Mapping[str, Any]) -> str:
    """Return a grammar of the compact JSON that fits the schema.

    Raises GrammarRefused for a keyword that a grammar cannot enforce. Properties come in the order
    of the schema, and none besides them.
    """
    converter = _Converter(schema)
    try:
        root = converter.expression(schema)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, GrammarRefused):
            raise
        raise GrammarRefused("the schema is malformed") from error
    return _written({"root": root, **converter.rules, "character": _CHARACTER})


def _written(rules: Mapping[str, str]) -> str:
    return "\n".join(f"{name} ::= {body}" for name, body in rules.items())


@dataclass
class _Converter:
    whole: Mapping[str, Any]
    rules: dict[str, str] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)

    def expression(self, schema: Mapping[str, Any]) -> str:
        """Return the right-hand side that reads one value of this schema."""
        if "$ref" in schema:
            return self._reference(schema["$ref"])
        if "const" in schema or "enum" in schema:
            _only(schema, {"const", "enum", "type"})
            return _choice(_literal(value) for value in schema.get("enum", [schema.get("const")]))
        if "anyOf" in schema:
            _only(schema, {"anyOf"})
            return _choice(self._rule(variant) for variant in schema["anyOf"])
        kinds = schema.get("type")
        if isinstance(kinds, list):
            return _choice(self._rule({**schema, "type": kind}) for kind in kinds)
        return self._typed(str(kinds), schema)

    def _typed(self, kind: str, schema: Mapping[str, Any]) -> str:
        if kind not in _KEYWORDS:
            raise GrammarRefused(f"the schema names no type that can be enforced: {kind!r}")
        _only(schema, {"type"} | _KEYWORDS[kind])
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if kind == "string":
            least, most = _bounds(schema, "minLength", "maxLength", STRING_LIMIT)
            return rf'"\"" character{{{least},{most}}} "\""'
        plain = {"integer": _INTEGER, "number": _ANYTHING["number"], "null": '"null"'}
        return plain.get(kind, '("true" | "false")')

    def _array(self, schema: Mapping[str, Any]) -> str:
        least, most = _bounds(schema, "minItems", "maxItems", LIST_LIMIT)
        if most == 0:
            return '"[]"'
        entry = self._rule(schema.get("items", {}))
        entries = f'{entry} ("," {entry}){{{max(least - 1, 0)},{most - 1}}}'
        return f'"[" {entries} "]"' if least else f'"[" ({entries})? "]"'

    def _object(self, schema: Mapping[str, Any]) -> str:
        if schema.get("additionalProperties", False) is not False:
            raise GrammarRefused("additionalProperties must be false")
        properties = {name: self._rule(value) for name, value in schema.get("properties", {}).items()}
        required = set(schema.get("required", ()))
        if unknown := required - properties.keys():
            raise GrammarRefused(f"{min(unknown)!r} is required but not described")
        return f'"{{" {self._members(list(properties.items()), required, is_first=True)}'

    def _members(self, left: list[tuple[str, str]], required: set[str], *, is_first: bool) -> str:
        """Return the rule for the rest of an object, given whether a comma is due."""
        if not left:
            return '"}"'
        (name, rule), *later = left
        comma = "" if is_first else '"," '
        taken = f'{comma}{_literal(name)} ":" {rule} {self._members(later, required, is_first=False)}'
        if name not in required:
            taken = f"{taken} | {self._members(later, required, is_first=is_first)}"
        return self._add(taken)

    def _reference(self, reference: str) -> str:
        if reference not in self.references:
            self.references[reference] = f"shared-{len(self.references)}"
            target = self._look_up(reference)
            self.rules[self.references[reference]] = self.expression(target)
        return self.references[reference]

    def _look_up(self, reference: str) -> Any:
        """Follow a path inside the schema; nothing is ever fetched from elsewhere."""
        if not reference.startswith("#"):
            raise GrammarRefused("a schema may refer to itself only")
        target: Any = self.whole
        for step in reference.removeprefix("#").split("/")[1:]:
            if not isinstance(target, Mapping) or step not in target:
                raise GrammarRefused(f"nothing stands at {reference}")
            target = target[step]
        return target

    def _rule(self, schema: Mapping[str, Any]) -> str:
        return self._add(self.expression(schema))

    def _add(self, body: str) -> str:
        name = f"part-{len(self.rules)}"
        self.rules[name] = body
        return name


def _only(schema: Mapping[str, Any], keywords: set[str]) -> None:
    if unknown := schema.keys() - keywords - _ANNOTATIONS:
        raise GrammarRefused(f"the schema keyword {min(unknown)!r} cannot be enforced here")


def _bounds(schema: Mapping[str, Any], lower: str, upper: str, default: int) -> tuple[int, int]:
    least = int(schema.get(lower, 0))
    most = int(schema.get(upper, max(default, least)))
    if not 0 <= least <= most <= REPEAT_LIMIT:
        raise GrammarRefused(f"{lower} and {upper} must lie between 0 and {REPEAT_LIMIT}, in order")
    return least, most


def _choice(alternatives: Iterator[str]) -> str:
    listed = list(dict.fromkeys(alternatives))
    if not listed:
        raise GrammarRefused("the schema leaves nothing to choose")
    return f"({' | '.join(listed)})"


def _literal(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
