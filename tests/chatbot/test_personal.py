"""What tells who wrote is taken out of a message; what a label is made of stays."""

import pytest

from chatbot.personal import found, replaced

HOUSEHOLD = ("Ana Silva", "Ben", "Li")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("this is Ana Silva, can I come friday", "this is Alex Morgan, can I come friday"),
        ("ana's appointment", "alex's appointment"),
        ("I need an exam for Ben and for li", "I need an exam for Alex and for alex"),
        ("silva, ana here", "alex, alex here"),
        ("an analysis of the bench", "an analysis of the bench"),
        ("call me on (212) 555-0199 please", "call me on 555-0100 please"),
        ("here (212-555-0188), hi", "here (555-0100), hi"),
        ("my cell is 212-555-0199", "my cell is 555-0100"),
        ("mail ana.silva+eyes@mail.example.org today", "mail patient@example.com today"),
        ("born 03/04/1961 and need drops", "born 1/1/1970 and need drops"),
        ("dob: 3/4/61", "dob: 1/1/1970"),
        ("March 4th, 1961", "1/1/1970"),
        ("nací el 4/3/2019", "nací el 1/1/1970"),
        ("I moved to 77 West Oak Avenue, apt 4b", "I moved to 12 Maple Street"),
        ("my member id is XKW123456789", "my member id is 12345678"),
        ("policy 4417 1234 5678", "policy 12345678"),
        ("my name is bartholomew and I am late", "my name is alex and I am late"),
        ("Hi, my name is Maria de Souza", "Hi, my name is Alex de Souza"),
        ("me llamo María López", "me llamo Alex Morgan"),
    ],
)
def test_what_tells_who_wrote_is_replaced_by_something_of_the_same_form(text: str, kept: str) -> None:
    assert replaced(text, HOUSEHOLD) == kept


@pytest.mark.parametrize(
    "text",
    [
        "can I come in on 3/12/2026 at 2:30",
        "friday the 13th at 10:15 with dr okafor",
        "I was there in 2019",
        "do you take VSP and how much is $1200",
        "order 1042, two boxes of 30",
        "this is urgent",
        "this is my second exam",
        "at the main street office",
        "soy nueva, quiero una cita",
        "between 9 and 11 or 14 and 16",
    ],
)
def test_what_a_label_is_made_of_stays(text: str) -> None:
    assert found(text, HOUSEHOLD) == []
    assert replaced(text, HOUSEHOLD) == text


def test_findings_never_overlap_and_come_in_order() -> None:
    text = "Ana Silva 12/12/1980 ana@example.com 2125550199"
    kinds = [(finding.kind, text[finding.start : finding.end]) for finding in found(text, HOUSEHOLD)]
    assert kinds == [
        ("name", "Ana Silva"),
        ("date of birth", "12/12/1980"),
        ("e-mail", "ana@example.com"),
        ("phone", "2125550199"),
    ]


def test_a_message_that_is_all_digits_takes_no_time() -> None:
    assert replaced("1" * 2000) == "12345678"
    assert replaced("1 2 " * 500)
