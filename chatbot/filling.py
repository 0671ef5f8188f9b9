"""Fills what a task has to be told, out of the patient's words, until one question is left or none."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chatbot.arguments import Choice, NotFoundYet, Options, Question, Situation, ToolContext
from chatbot.stack import Task
from chatbot.tools import Reply, Tool, ToolArgument
from eyecare.errors import Refusal
from patients.models import Patient


@dataclass(frozen=True)
class Asking:
    """The question that has to be answered before the task can go on."""

    argument: str
    question: Question


@dataclass
class Filling:
    """One task in one turn: keys become values again, words become values for the first time."""

    task: Task
    tool: Tool
    patient: Patient | None
    context: ToolContext
    values: dict[str, Any] = field(default_factory=dict)

    def proceed(self) -> Asking | None:
        """Read what was said and fill what goes without saying; return what to ask, None when complete.

        Raises a Refusal when the task cannot be done at all, such as moving an appointment without
        having one.
        """
        if asking := self._load() or self._read():
            return asking
        while missing := self._missing():
            value = missing.kind().default(self._situation(missing))
            if value is None:
                return self.ask(missing)
            self._fill(missing, value, "")
            if asking := self._read():
                return asking
        return None

    def ask(self, argument: ToolArgument) -> Asking:
        return Asking(argument.name, argument.kind().ask(self._situation(argument)))

    def more(self, argument: ToolArgument) -> Asking:
        """Ask again, with choices that were not offered yet."""
        self._load()
        declined = [Choice("", key) for name, key in self.task.filled.items() if name == argument.name]
        situation = replace(self._situation(argument), offered=[*self.task.seen, *declined])
        return Asking(argument.name, argument.kind().more(situation))

    def pick(self, argument: ToolArgument, choice: Choice) -> Asking | None:
        """Take one of the choices that were offered; ask again when it has gone meanwhile."""
        if asking := self._load():
            return asking
        try:
            value = argument.kind().load(choice.key, self._situation(argument))
        except Refusal as refusal:
            return self._ask_after(refusal, argument)
        self._fill(argument, value, choice.label)
        return None

    def can_read(self, argument: ToolArgument, text: str) -> bool:
        """Say whether the words name a value of this kind, or several to choose from."""
        self._load()
        try:
            return not isinstance(argument.kind().read(text, self._situation(argument)), NotFoundYet)
        except Refusal:
            return False

    def ask_after_refusal(self, reply: Reply) -> Asking | None:
        """Return the question that a refusal's alternatives answer; None for anything else."""
        for argument in self.tool.arguments:
            if reply.alternatives and all(_belongs(value, argument) for value in reply.alternatives):
                return self._ask_after(Refusal(reply.text, alternatives=reply.alternatives), argument)
        return None

    @property
    def complete_values(self) -> Mapping[str, Any]:
        """Return every value that the tool takes, None for what nobody said."""
        return {argument.name: self.values.get(argument.name) for argument in self.tool.arguments}

    def _load(self) -> Asking | None:
        for argument in self.tool.in_reading_order:
            key = self.task.filled.get(argument.name)
            if key is None or argument.name in self.values:
                continue
            try:
                self.values[argument.name] = argument.kind().load(key, self._situation(argument))
            except Refusal as refusal:
                return self._ask_after(refusal, argument)
        return None

    def _read(self) -> Asking | None:
        """Read every argument that words are there for; return the first question that arises."""
        first = None
        for argument in self.tool.in_reading_order:
            if argument.name in self.task.said:  # an argument read before may have put words back
                asking = self._read_one(argument, self.task.said[argument.name])
                first = first or asking
        return first

    def _read_one(self, argument: ToolArgument, words: str) -> Asking | None:
        try:
            read = argument.kind().read(words, self._situation(argument))
        except Refusal as refusal:
            return self._ask_after(refusal, argument)
        if isinstance(read, NotFoundYet):
            return None
        if isinstance(read, Options):
            self._empty(argument)
            self.task.words[argument.name] = read.wish or words
            return Asking(argument.name, Question(read.sentence, read.choices))
        self._fill(argument, read, words)
        return None

    def _fill(self, argument: ToolArgument, value: Any, words: str) -> None:
        key = argument.kind().dump(value)
        if key != self.task.filled.get(argument.name):
            self._reopen_what_depends_on(argument)
        self.task.fill(argument.name, key, words or self.task.words.get(argument.name, ""))
        self.values[argument.name] = value

    def _reopen_what_depends_on(self, argument: ToolArgument) -> None:
        for other in self.tool.arguments:
            if argument.name in other.kind.depends_on and other.name in self.task.filled:
                self._empty(other)
                if words := self.task.words.get(other.name):
                    self.task.said[other.name] = words

    def _empty(self, argument: ToolArgument) -> None:
        self.values.pop(argument.name, None)
        self.task.said.pop(argument.name, None)
        self.task.empty(argument.name)

    def _ask_after(self, refusal: Refusal, argument: ToolArgument) -> Asking:
        """Ask again in the words of the refusal, with its alternatives or the usual choices.

        Where only a person can help, no choice does: the refusal is raised again.
        """
        if isinstance(refusal, self.tool.needs_person):
            raise refusal
        self._empty(argument)
        kind = argument.kind()
        if refusal.alternatives:
            choices = [kind.choice(value) for value in refusal.alternatives]
        else:
            choices = kind.ask(self._situation(argument)).choices
        return Asking(argument.name, Question(refusal.sentence, choices))

    def _missing(self) -> ToolArgument | None:
        required = (argument for argument in self.tool.arguments if not argument.is_optional)
        return next((argument for argument in required if argument.name not in self.values), None)

    def _situation(self, argument: ToolArgument) -> Situation:
        return Situation(
            patient=self.patient,
            filled={name: value for name, value in self.values.items() if name != argument.name},
            context=self.context,
            offered=self.task.seen if self.task.asked == argument.name else [],
            wish=self.task.words.get(argument.name, ""),
            standing=self.values.get(argument.name),
        )


def _belongs(value: Any, argument: ToolArgument) -> bool:
    return isinstance(value, getattr(argument.kind, "value_type", ()))
