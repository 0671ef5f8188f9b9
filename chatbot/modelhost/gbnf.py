"""A strict reading of GBNF grammars, so that none reaches llama.cpp that could take the process down.

llama.cpp recurses for every nested group, misses left recursion through a rule that is empty only
by way of another rule (it then grows its stacks until memory ends), and leaves a null sampler behind
where parsing fails. Whatever is not plainly fine is refused here, before it is handed over.
"""

import re
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

TEXT_LIMIT = 64_000
"""Characters of a grammar."""

SIZE_LIMIT = 20_000
"""Elements after repetitions are written out, as llama.cpp does."""

DEPTH_LIMIT = 16
"""Groups within groups."""

REPEAT_LIMIT = 500
"""Largest bound of a repetition; llama.cpp takes more than 2,000 for "any number"."""

_ESCAPE = r"\\(?:[tnr\\\"\[\]-]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"
_TOKEN = re.compile(
    rf"""
    (?P<space>(?:[ \t]|\#[^\r\n]*)+)
  | (?P<newline>\r?\n)
  | (?P<define>::=)
  | (?P<name>[a-zA-Z0-9-]+)
  | (?P<text>"(?:{_ESCAPE}|[^"\\\r\n\0])*")
  | (?P<characters>\[\^?(?:{_ESCAPE}|[^\]\\\r\n\0])+\])
  | (?P<repeat>[*+?]|\{{[ ]?\d+[ ]?(?:,[ ]?\d*[ ]?)?\}})
  | (?P<punctuation>[()|.])
    """,
    re.VERBOSE,
)


class GrammarRefused(ValueError):
    """The grammar cannot be used; the text says why."""


@dataclass(frozen=True)
class Item:
    """A terminal, a reference to a rule, or a group; `least` and `most` count its repetitions."""

    size: int
    is_empty: bool = False
    rule: str = ""
    group: tuple[tuple["Item", ...], ...] = ()
    least: int = 1
    most: int | None = 1


Choices = tuple[tuple[Item, ...], ...]


def check(grammar: str) -> None:
    """Raise GrammarRefused unless llama.cpp can hold this grammar without harm."""
    if len(grammar) > TEXT_LIMIT:
        raise GrammarRefused(f"the grammar is longer than {TEXT_LIMIT} characters")
    rules = _Reader(grammar).rules()
    _check_names(rules)
    if sum(_size(choices) for choices in rules.values()) > SIZE_LIMIT:
        raise GrammarRefused(f"the grammar has more than {SIZE_LIMIT} elements")
    nullable = _nullable_rules(rules)
    _check_repeated_nothing(rules, nullable)
    _check_left_recursion(rules, nullable)


@dataclass
class _Reader:
    """Recursive descent over the tokens of a grammar."""

    grammar: str
    tokens: list[tuple[str, str]] = field(default_factory=list)
    position: int = 0

    def __post_init__(self) -> None:
        at = 0
        while at < len(self.grammar):
            match = _TOKEN.match(self.grammar, at)
            if match is None:
                raise GrammarRefused(f"cannot read the grammar at character {at}")
            at = match.end()
            if match.lastgroup != "space":
                self.tokens.append((str(match.lastgroup), match.group()))

    def rules(self) -> dict[str, Choices]:
        rules: dict[str, Choices] = {}
        self._skip_newlines()
        while self.position < len(self.tokens):
            name = self._take("name")
            if name in rules:
                raise GrammarRefused(f"rule {name} is defined twice")
            self._take("define")
            self._skip_newlines()
            rules[name] = self._choices(depth=0)
            if self.position < len(self.tokens):
                self._take("newline")
            self._skip_newlines()
        return rules

    def _choices(self, depth: int) -> Choices:
        if depth > DEPTH_LIMIT:
            raise GrammarRefused(f"groups are nested deeper than {DEPTH_LIMIT}")
        choices = [self._sequence(depth)]
        while self._next() == ("punctuation", "|"):
            self.position += 1
            self._skip_newlines()
            choices.append(self._sequence(depth))
        return tuple(choices)

    def _sequence(self, depth: int) -> tuple[Item, ...]:
        items: list[Item] = []
        while (item := self._item(depth)) is not None:
            while self._next()[0] == "repeat":
                item = self._repeated(item)
                self._skip_newlines_inside(depth)
            items.append(item)
        return tuple(items)

    def _item(self, depth: int) -> Item | None:
        kind, text = self._next()
        if kind not in {"name", "text", "characters"} and text not in {"(", "."}:
            return None
        self.position += 1
        if text == "(":
            return self._group(depth)
        self._skip_newlines_inside(depth)
        if kind == "name":
            return Item(1, rule=text)
        return Item(len(text), is_empty=text == '""')

    def _group(self, depth: int) -> Item:
        self._skip_newlines()
        choices = self._choices(depth + 1)
        if self._next() != ("punctuation", ")"):
            raise GrammarRefused("a group is not closed")
        self.position += 1
        self._skip_newlines_inside(depth)
        return Item(1 + _size(choices), group=choices)

    def _repeated(self, item: Item) -> Item:
        _, text = self._next()
        self.position += 1
        least, most = _bounds(text)
        if max(least, most or 0) > REPEAT_LIMIT:
            raise GrammarRefused(f"a repetition is bound higher than {REPEAT_LIMIT}")
        if most is not None and most < least:
            raise GrammarRefused("a repetition ends before it begins")
        size = item.size * max(least + 1, most or 0) + 2
        return Item(size, group=((item,),), least=least, most=most)

    def _next(self) -> tuple[str, str]:
        return self.tokens[self.position] if self.position < len(self.tokens) else ("end", "")

    def _take(self, kind: str) -> str:
        found, text = self._next()
        if found != kind:
            raise GrammarRefused(f"expected a {kind}, found {text or found!r}")
        self.position += 1
        return text

    def _skip_newlines(self) -> None:
        while self._next()[0] == "newline":
            self.position += 1

    def _skip_newlines_inside(self, depth: int) -> None:
        if depth:
            self._skip_newlines()


def _bounds(text: str) -> tuple[int, int | None]:
    if text in "*+?":
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[text]
    least, comma, most = text.strip("{}").partition(",")
    if not comma:
        return int(least), int(least)
    return int(least), int(most) if most.strip() else None


def _size(choices: Choices) -> int:
    return sum(1 + sum(item.size for item in choice) for choice in choices)


def _items(choices: Choices) -> list[Item]:
    """Return every item at every depth."""
    found = [item for choice in choices for item in choice]
    return found + [inner for item in found if item.group for inner in _items(item.group)]


def _check_names(rules: dict[str, Choices]) -> None:
    if "root" not in rules:
        raise GrammarRefused("the grammar has no rule called root")
    used = {item.rule for choices in rules.values() for item in _items(choices) if item.rule}
    if missing := sorted(used - rules.keys()):
        raise GrammarRefused(f"no rule is called {missing[0]}")


def _nullable_rules(rules: dict[str, Choices]) -> set[str]:
    """Return the rules that can match nothing, by way of other rules too."""
    nullable: set[str] = set()
    while added := {name for name in rules.keys() - nullable if _is_nullable(rules[name], nullable)}:
        nullable |= added
    return nullable


def _is_nullable(choices: Choices, nullable: set[str]) -> bool:
    return any(all(_can_be_empty(item, nullable) for item in choice) for choice in choices)


def _can_be_empty(item: Item, nullable: set[str]) -> bool:
    if item.least == 0 or item.is_empty or item.rule in nullable:
        return True
    return bool(item.group) and _is_nullable(item.group, nullable)


def _check_repeated_nothing(rules: dict[str, Choices], nullable: set[str]) -> None:
    """Refuse the repetition of what may be empty: each way to read nothing is a stack of its own."""
    for name, choices in rules.items():
        for item in _items(choices):
            if item.most != 1 and _is_nullable(item.group, nullable):
                raise GrammarRefused(f"rule {name} repeats what may be nothing")


def _check_left_recursion(rules: dict[str, Choices], nullable: set[str]) -> None:
    leftmost = {name: _leftmost(choices, nullable) for name, choices in rules.items()}
    try:
        TopologicalSorter(leftmost).prepare()
    except CycleError as error:
        raise GrammarRefused(f"rule {error.args[1][0]} begins with itself") from error


def _leftmost(choices: Choices, nullable: set[str]) -> set[str]:
    """Return the rules with which a match of these choices can begin."""
    found: set[str] = set()
    for choice in choices:
        for item in choice:
            found |= {item.rule} if item.rule else _leftmost(item.group, nullable)
            if not _can_be_empty(item, nullable):
                break
    return found
