"""A grammar is let through only if it is plainly harmless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot import grammar
from chatbot.modelhost import gbnf
from chatbot.modelhost.gbnf import GrammarRefused
from tests.chatbot.test_modelhost import TOOLS

PIECES = [
    "root",
    "a",
    " ::= ",
    '"x"',
    '""',
    "[a-z]",
    "(",
    ")",
    "|",
    "*",
    "+",
    "?",
    "{2,3}",
    "\n",
    "# note\n",
    " ",
]


@pytest.mark.parametrize(
    "fine",
    [
        'root ::= "yes" | "no"',
        '# a comment\nroot ::= word ("," word){0,4} # another\n\nword ::= [a-z]+ [\'é]?',
        'root ::= (\n  "a" |\n  "b"\n) "c"',
        'root ::= "a" root | "b"',
        r'root ::= "\"" [^"\\\x00-\x1F] "\u00e9\n" . {3}',
    ],
)
def test_a_harmless_grammar_passes(fine: str) -> None:
    gbnf.check(fine)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "no rule called root"),
        ('a ::= "x"', "no rule called root"),
        ("root ::= order", "no rule is called order"),
        ('root ::= "x"\nroot ::= "y"', "defined twice"),
        ('root ::= root "x" | "y"', "begins with itself"),
        ('root ::= a | "y"\na ::= "x"? root', "begins with itself"),
        ('root ::= a root "x" | "y"\na ::= b\nb ::= "" | "z"', "begins with itself"),
        ('root ::= ("")*', "may be nothing"),
        ('root ::= ("x"?){0,40}', "may be nothing"),
        ('root ::= "x"{0,501}', "bound higher"),
        ('root ::= "x"{3,2}', "ends before"),
        ('root ::= (("x"{500}){500})', "elements"),
        ("root ::= " + "(" * 17 + '"x"' + ")" * 17, "nested deeper"),
        ('root ::= ("x"', "not closed"),
        ('root ::= "x', "cannot read"),
        (r'root ::= "\q"', "cannot read"),
        ("root ::= <|end|>", "cannot read"),
        ("root ::= *", "expected a newline"),
        ('root ::= "' + "x" * 64_000 + '"', "longer than"),
    ],
)
def test_what_could_harm_llama_cpp_is_refused_with_a_reason(bad: str, why: str) -> None:
    with pytest.raises(GrammarRefused, match=why):
        gbnf.check(bad)


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_whatever_is_sent_is_read_or_refused(text: str) -> None:
    try:
        gbnf.check(text)
    except GrammarRefused:
        return
    assert "root" in text


@given(st.text(max_size=500))
def test_the_command_grammar_of_every_message_passes(message: str) -> None:
    gbnf.check(grammar.command_grammar(TOOLS, message))
