"""`manage.py converse` and `evaluate_assistant`: one line in, one line out, and an honest score."""

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chatbot.evaluation import judge
from chatbot.models import Conversation
from patients.models import Patient
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice")]

KEYS = {
    "conversation", "reply", "choices", "commands", "effects", "sources", "urgent", "handoff", "milliseconds",
}  # fmt: skip


@pytest.fixture
def converse(monkeypatch: pytest.MonkeyPatch) -> Any:
    def converse(*lines: object, **options: Any) -> list[dict[str, Any]]:
        typed = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        out = io.StringIO()
        call_command("converse", stdout=out, **options)
        return [json.loads(line) for line in out.getvalue().splitlines()]

    return converse


def test_each_line_gets_one_line_with_everything_that_came_of_it(converse: Any, ana: Patient) -> None:
    said = converse(
        {"conversation": "a", "channel": "web", "as": ana.account.email, "text": "hello"},
        {"conversation": "a", "text": "I want to talk to a person"},
        {"conversation": "b", "channel": "sms", "as": str(ana.phone), "text": "hi"},
    )
    assert [set(line) for line in said] == [KEYS] * 3
    assert said[0]["reply"].startswith("Hello Ana!")
    assert [effect["action"] for effect in said[1]["effects"]] == ["handoff.requested"]
    assert "1) " in said[2]["reply"]
    assert Conversation.objects.count() == 2


def test_a_rolled_back_conversation_leaves_nothing(converse: Any, ana: Patient) -> None:
    assert converse({"as": ana.account.email, "text": "talk to a person please"}, rollback=True)[0]["handoff"]
    assert not Conversation.objects.exists()


def test_a_stopped_clock_is_read_on_the_practices_wall(converse: Any, ana: Patient) -> None:
    converse({"as": ana.account.email, "text": "hello"}, now="2026-03-02T09:00")
    assert Conversation.objects.get().created_at == factories.MONDAY
    with pytest.raises(CommandError, match="no time such as"):
        converse(now="soon")


def test_a_line_moves_the_clock_of_its_conversation_on(converse: Any, ana: Patient) -> None:
    who = ana.account.email
    converse(
        {"as": who, "text": "hello", "now": "2026-03-02T09:00"},
        {"text": "hello", "now": "2026-03-02T11:30"},
        {"text": "hello"},
    )
    came = Conversation.objects.get().messages.filter(author="patient").values_list("created_at", flat=True)
    assert [(moment - factories.MONDAY) / timedelta(minutes=1) for moment in came] == [0, 150, 150]
    assert converse({"as": who, "text": "hello", "now": "later"}) == [
        {"error": "'later' is no time such as 2026-03-02T09:00"}
    ]


@pytest.mark.parametrize(
    "line",
    ["no json", "[]", {"text": 1}, {}, {"text": "hi", "as": "nobody"}, {"text": "hi", "as": "x@y.example"},
     {"text": "hi", "channel": "fax"}],
)  # fmt: skip
def test_a_line_that_cannot_be_played_says_why_and_the_next_is_played(converse: Any, line: object) -> None:
    bad, good = converse(line, {"conversation": "b", "text": "hello"})
    assert set(bad) == {"error"}
    assert good["reply"].startswith("Hello!")


def told(**more: Any) -> dict[str, Any]:
    empty = {"reply": "", "choices": [], "commands": [], "effects": [], "sources": [], "urgent": False}
    return {**empty, "handoff": False, **more}


@pytest.mark.parametrize(
    ("expect", "came", "is_right"),
    [
        ({"commands": [{"name": "yes"}]}, {"commands": [{"name": "yes", "arguments": {}}]}, True),
        ({"commands": [{"name": "set", "arguments": {"slot": "the 14th, please"}}]},
         {"commands": [{"name": "set", "arguments": {"slot": "14th"}}]}, True),
        ({"commands": [{"name": "yes"}]}, {"commands": [{"name": "yes"}, {"name": "set"}]}, False),
        ({"effects": []}, {"effects": [{"action": "a.made", "object": "a", "id": "1"}]}, False),
        ({"urgent": True}, {"urgent": True}, True),
        ({"urgent": False}, {"urgent": True}, False),
        ({"handoff": True}, {}, False),
        ({"must_contain": ["10:00"]}, {"choices": ["Tue at 10:00 AM"]}, True),
        ({"must_not_contain": ["$"]}, {"reply": "You owe $5."}, False),
    ],
)  # fmt: skip
def test_a_line_is_right_when_everything_it_expects_came(
    expect: dict[str, Any], came: dict[str, Any], is_right: bool
) -> None:
    assert judge({"text": "", "expect": expect}, told(**came)).is_right is is_right


def test_the_scores_are_shares_and_nothing_stays_in_the_database(tmp_path: Path, ana: Patient) -> None:
    cases = tmp_path / "cases.jsonl"
    lines = [
        {"now": "2026-03-02T09:00", "conversation": "a", "as": ana.account.email,
         "text": "I want to talk to a person", "expect": {"handoff": True, "urgent": False}},
        {"conversation": "b", "as": None, "text": "i got bleach in my eye", "expect": {"urgent": True}},
        {"conversation": "c", "context": {"asked": "confirmation", "task": "book_appointment"}, "text": "yes",
         "expect": {"commands": [{"name": "no", "arguments": {}}]}},
    ]  # fmt: skip
    cases.write_text("\n".join(map(json.dumps, lines)))
    out = io.StringIO()
    call_command("evaluate_assistant", "--json", "--engine", "rules", "--cases", str(cases), stdout=out)
    (score,) = json.loads(out.getvalue())
    assert (score["lines"], score["right"], score["handoff"]) == (3, 0.6667, 1.0)
    assert (score["urgent_recall"], score["over_triage"], score["commands"]) == (1.0, 0.0, 0.0)
    assert not Conversation.objects.exists()
    table = io.StringIO()
    call_command("evaluate_assistant", "--wrong", "--cases", str(cases), str(cases), stdout=table)
    assert table.getvalue().splitlines()[3].split()[:3] == ["all", "6", "66.7%"]
