"""What is open in a conversation: tasks on a stack, and what was asked last. Kept as JSON in its row."""

import secrets
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from chatbot.arguments import Choice, Question

CONFIRMATION = "confirmation"
PERSON = "person"
BIRTH_DATE = "date_of_birth"
ANYTHING_ELSE = "anything_else"
"""What can be asked for besides the arguments of a task."""

DEPTH_LIMIT = 4
"""Open tasks at once; the oldest gives way."""


@dataclass
class Task:
    """One tool on its way to being run.

    `said` are words not read yet, `filled` the keys of values (see `Argument.dump`), `words` what
    the patient said for them; `question` is what was `asked` last, `seen` every choice offered for
    it. `pending` names the action that was read back: the same action keeps the same name, however
    often it is tried. `kept` is the key of what is kept for the patient while that is open.
    """

    tool: str
    said: dict[str, str] = field(default_factory=dict)
    filled: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    asked: str = ""
    offered: list[Choice] = field(default_factory=list)
    seen: list[Choice] = field(default_factory=list)
    question: str = ""
    pending: str = ""
    kept: str = ""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        lists = {name: [Choice(**choice) for choice in stored[name]] for name in ("offered", "seen")}
        return cls(**{**stored, **lists})

    def fill(self, argument: str, key: str, words: str) -> None:
        self.said.pop(argument, None)
        self.filled[argument] = key
        self.words[argument] = words
        self.unask()

    def empty(self, argument: str) -> None:
        """Forget a value; the words for it stay, as the wish that new choices are offered after."""
        self.filled.pop(argument, None)
        self.unask()

    def ask(self, argument: str, question: Question) -> None:
        if argument != self.asked:
            self.seen = []
        self.unask()
        self.asked, self.question, self.offered = argument, question.text, list(question.choices)
        self.seen += [choice for choice in question.choices if choice not in self.seen]

    def read_back(self, question: str, choices: list[Choice], kept: str = "") -> None:
        """Ask for a yes to exactly this; an action that was read back before keeps its name."""
        if self.asked != CONFIRMATION or question != self.question:
            self.pending = secrets.token_hex(8)
        self.asked, self.question, self.offered, self.kept = CONFIRMATION, question, list(choices), kept

    def unask(self) -> None:
        self.asked, self.question, self.offered, self.pending, self.kept = "", "", [], "", ""


@dataclass
class Stack:
    """Everything that a conversation keeps from one turn to the next.

    `last` is the task that was finished just before, `touched` what its effects were about,
    `answered` the outgoing messages that were answered, `suggested` the tool that a yes opens,
    `menu` the choices that stand without a task, `misses` the turns in a row that were not understood.
    """

    tasks: list[Task] = field(default_factory=list)
    last: str = ""
    touched: dict[str, str] = field(default_factory=dict)
    answered: list[str] = field(default_factory=list)
    suggested: str = ""
    menu: list[Choice] = field(default_factory=list)
    asked: str = ""
    misses: int = 0

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return what was kept; a form that an earlier version kept, and is gone, counts as nothing open."""
        try:
            tasks = [Task.from_json(task) for task in stored.get("tasks", [])]
            menu = [Choice(**choice) for choice in stored.get("menu", [])]
            return cls(**{**stored, "tasks": tasks, "menu": menu})
        except (KeyError, TypeError):
            return cls()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def top(self) -> Task | None:
        return self.tasks[-1] if self.tasks else None

    @property
    def kept(self) -> dict[str, str]:
        """Return the keys of what is kept for the patient, each with the tool that knows of it."""
        return {task.kept: task.tool for task in self.tasks if task.kept}

    @property
    def open_question(self) -> str:
        """Return what the patient was asked for last."""
        return self.top.asked if self.top else self.asked

    @property
    def offered(self) -> list[Choice]:
        """Return the choices that the patient saw last."""
        return self.top.offered if self.top and self.top.offered else self.menu

    def open(self, task: Task) -> Task:
        """Put a task on top; opened a second time it comes up from below with its new words."""
        known = next((other for other in self.tasks if other.tool == task.tool), None)
        if known is not None:
            self.tasks.remove(known)
            known.said |= task.said
            known.filled |= task.filled
            task = known
        self.tasks = [*self.tasks, task][-DEPTH_LIMIT:]
        return task

    def close(self, task: Task, *, finished: bool) -> None:
        self.tasks.remove(task)
        if finished:
            self.last = task.tool

    def drop_tasks_about(self, changed: Container[str]) -> None:
        """Drop what was still open about a thing that has just been changed: it is not what it was."""
        self.tasks = [task for task in self.tasks if not any(key in changed for key in task.filled.values())]

    def forget_side_questions(self) -> None:
        """Drop what only the very next message could answer."""
        self.suggested, self.menu, self.asked = "", [], ""

    def keep_only(self, tools: Container[str]) -> Self:
        """Drop the tasks whose tool is no longer there."""
        self.tasks = [task for task in self.tasks if task.tool in tools]
        return self

    def give_up(self) -> None:
        """Close every task, undone."""
        self.tasks = []
        self.forget_side_questions()
