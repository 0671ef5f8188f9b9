"""Understands a message by keywords: what answers when the model is down, and what it is measured against."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from chatbot import keywords, spans, triage, when
from chatbot.commands import Command, ToolOutline
from chatbot.keywords import keys
from chatbot.plain import Courtesy, courtesy, yes_or_no
from chatbot.prompt import COMMAND_LIMIT, Turn, allowed_arguments, normalise
from chatbot.when.words import bare
from eyecare import clock

Classifier = Callable[[str, Collection[str]], str]
"""Says which of some commands a text asks for; empty for none."""

_STOP = re.compile(
    r"\b(?:never ?mind|nvm|forget (?:it|about it|that)|stop|start over|cancel (?:that|this|it)$|"
    r"changed my mind|not any ?more|quit|leave it|dont bother|olvidalo|let it go|i?ll (?:do it|"
    r"call) later|maybe later|not interested)\b|^cancel\W*$"
)
_MORE = re.compile(
    r"\b(?:other (?:times?|options?|days?|choices|slots?|dates?|ones?)|(?:any|some)thing else|"
    r"any others?|more (?:times?|options?|choices|slots?)|what else|different (?:times?|options?|days?)|"
    r"none of (?:these|those|them|the)|next ones?|show me more|otras? (?:horas?|opciones)|(?:those|"
    r"these|they) (?:dont|do not|wont) work|neither)\b|^(?:more|others?|next|else)\W*$"
)
_BOOKING = re.compile(
    r"\b(?:book|schedul\w*|make|set up|needs?|wants?|new appointment|another appointment|cita)\b"
)
_MOVABLE = ("book_appointment", "reschedule_appointment")
_A_VISIT = re.compile(
    r"\b(?:my|our|the|an?|another|new|mi|una?) (?:\w+ ){0,3}(?:appointment|appt|exam|visit|booking|fitting|"
    r"check ?-?up|cita)\b"
)
_CHANGE = re.compile(r"\b(?:but|instead|rather|actually|though|except|make it|change|pero)\b")
_NEGATION = re.compile(r"\b(?:not|dont|doesnt|didnt|cant|cannot|wont|isnt|never|nothing|neither)\b")
CONFIRMATION, ANYTHING_ELSE = "confirmation", "anything_else"
_JOINT = re.compile(
    r"[.?!;]+\s|[.?!;]+$|,? (?:and|also|plus|then|oh and|y tambien)(?: also| then| can you| could you)? |, "
)
_QUESTION = re.compile(
    r"\?|^(?:(?:hi|hey|hello|so|and|also|ok|um|wait|hang on|hmm|oh|but),? )*(?:do|does|is|are|can|could|what|"
    r"whats|where|wheres|how|which|who|when|will|would|should|why|am|cual|cuanto|donde|como|que|puedo)\b"
)
_NO_FIRST = re.compile(r"^(?:no|nope|nah|not that|actually|sorry|wait|hmm|oh)\b")


def understand(
    turn: Turn, tools: Sequence[ToolOutline], classify: Classifier = keywords.intent
) -> list[Command]:
    """Return commands of the same closed list as the model's, with spans of the normalised message."""
    return Reading.of(turn, tools, classify).commands()[:COMMAND_LIMIT]


def in_so_many_words(
    turn: Turn, tools: Sequence[ToolOutline], unmistakable: Mapping[str, re.Pattern[str]]
) -> list[Command]:
    """Return the tasks whose own unmistakable words stand in the message, and what it asks for besides.

    For tasks that no model was trained on. Nothing when there are none, or when the message speaks
    of an emergency.
    """
    reading = Reading.of(turn, tools)
    found: dict[str, str] = {}
    rest = []
    for start, end in pieces(reading.message):
        piece = reading.message[start:end]
        named = next((name for name, words in unmistakable.items() if words.search(keys(piece))), "")
        if named:
            found.setdefault(named, piece)
        else:
            rest.append(piece)
    if not found or triage.by_default().check(reading.message):
        return []
    beside = replace(turn, message=". ".join(rest), task=next(iter(found)))
    asked = Reading.of(beside, tools).requested() if rest else []
    others = [other for other in asked if other.name not in found]
    # details may stand in any clause, unless another task was asked for: then they may be its own
    told = {name: piece if others else reading.message for name, piece in found.items()}
    return [*others, *(Command(name, reading.details(said, name)) for name, said in told.items())][
        -COMMAND_LIMIT:
    ]


def plainly(turn: Turn) -> Command | None:
    """Return a plain yes or no to what was asked, or the courtesy that a whole message is."""
    agrees, manners = yes_or_no(turn.message), courtesy(turn.message)
    if manners is Courtesy.GOODBYE and turn.task and when.find(turn.message):
        return None  # "later?" asks for a later time
    if agrees is not None and not (manners and turn.asked in ("", ANYTHING_ELSE)):
        return Command("yes" if agrees else "no")
    return Command(manners.value) if manners else None


@dataclass(frozen=True)
class _Request:
    """A piece of the message that asks for one thing."""

    name: str
    text: str


@dataclass(frozen=True)
class Reading:
    """One message in its place in the conversation, read by keywords."""

    turn: Turn
    message: str
    allowed: Mapping[str, Sequence[str]]
    classify: Classifier

    @classmethod
    def of(
        cls, turn: Turn, tools: Sequence[ToolOutline], classify: Classifier = keywords.intent
    ) -> "Reading":
        return cls(turn, normalise(turn.message), allowed_arguments(tools), classify)

    def commands(self) -> list[Command]:
        if answer := plainly(self.turn):
            return [answer]
        if triage.by_default().check(self.message):
            return [Command("urgent")]
        if answer := self._way_out():
            return [answer]
        return self.requested() or [self.rest()]

    def requested(self) -> list[Command]:
        """Return the tasks that the message asks for in so many words."""
        requests = [request for request in self._requests() if not self._is_about_the_task(request)]
        return [self._command(request) for request in requests]

    def fitted(self, command: Command) -> Command:
        """Return the command in its place: a time named while one is being chosen belongs to that visit.

        Right after a visit was booked or moved, another time is meant for it. And a yes or a no with a
        change in it is the change.
        """
        if self._is_change(command) and (details := self.seen_for("set")):
            return Command("set", details)
        if (
            command.name not in (*_MOVABLE, "set")
            or "visit_type" in command.arguments
            or self._names_a_visit()
        ):
            return command
        if self.turn.task in _MOVABLE and self.turn.asked in (CONFIRMATION, "slot") and command.arguments:
            return Command("set", command.arguments)
        if not self.turn.task and self.turn.last in _MOVABLE and "slot" in command.arguments:
            return Command(_MOVABLE[1], command.arguments)
        return command

    def seen_for(self, name: str) -> Mapping[str, str]:
        """Return the details of a command, as far as code sees them in the whole message."""
        if name == "set":
            return self._details(self.message, self.allowed.get(self.turn.task, ()))
        return self._command(_Request(name, self.message)).arguments if self.allowed.get(name) else {}

    def details(self, text: str, name: str) -> dict[str, str]:
        """Return the arguments that a text gives for a task, each exactly as it stands there."""
        return self._details(text, self.allowed.get(name, ()))

    def _is_change(self, command: Command) -> bool:
        """Say whether a yes, a no, a stop or a wish for others only introduces what is wanted instead."""
        said = keys(self.message)
        if command.name == "yes":
            return bool(_CHANGE.search(said))
        plainly_meant = _MORE.search(said) or _STOP.search(said) or _NEGATION.search(said)
        return command.name in ("no", "more", "stop") and not plainly_meant

    @property
    def is_question(self) -> bool:
        return bool(_QUESTION.search(keys(self.message)))

    def _names_a_visit(self) -> bool:
        return bool(_A_VISIT.search(keys(self.message)))

    def _way_out(self) -> Command | None:
        said, asked = keys(self.message), self.turn.asked
        if (self.turn.task or asked) and _STOP.search(said):
            return Command("stop")
        if asked in ("", CONFIRMATION) or not _MORE.search(said) or self._names_another_day():
            return None
        return Command("more")

    def _names_another_day(self) -> bool:
        """Say whether a wish for other choices says which: "none of these, anything friday?"."""
        if self.turn.asked != "slot" or not (said := when.find(self.message)):
            return False
        try:
            wish = when.read(said, clock.now(), None)
        except when.NotUnderstood:
            return False
        return bool(wish.days or wish.weekdays)

    def _requests(self) -> list[_Request]:
        """Return what is asked for; words that ask for nothing belong to the request before them."""
        found: list[tuple[str, int, int]] = []
        for start, end in pieces(self.message):
            name = self.classify(self.message[start:end], self.allowed)
            if name and (not found or name != found[-1][0]):
                found.append((name, start if found else 0, end))
            elif found:
                found[-1] = (*found[-1][:2], end)
        if not found and (name := self.classify(self.message, self.allowed)):
            found = [(name, 0, len(self.message))]
        return [_Request(name, self.message[start:end]) for name, start, end in found]

    def _is_about_the_task(self, request: _Request) -> bool:
        """Say whether a request only gives details of the open task, in words that could open it."""
        task, said = self.turn.task, keys(request.text)
        if not task or (request.name == "ask_practice" and _QUESTION.search(said)):
            return False
        if request.name == "book_appointment" and task != request.name:
            return not _BOOKING.search(said)
        if self.fitted(self._command(request)).name == "set":
            return True
        return request.name in (task, "ask_practice") and bool(
            self._details(request.text, self.allowed[task])
        )

    def _command(self, request: _Request) -> Command:
        match request.name:
            case "ask_practice":
                return self._question(request.text)
            case "cancel_appointment":
                return Command(
                    request.name, self._details(request.text, ("appointment",)) or _which(request.text)
                )
            case "reschedule_appointment":
                found = spans.moved(request.text)
                names = self.allowed[request.name]
                return Command(request.name, {name: found[name] for name in names if name in found})
        return Command(request.name, self._details(request.text, self.allowed[request.name]))

    def _details(self, text: str, names: Sequence[str]) -> dict[str, str]:
        """Return the arguments that a text gives, each exactly as it stands there."""
        found = spans.every(text)
        return {name: found[name] for name in names if name in found}

    def _question(self, text: str) -> Command:
        if "ask_practice" not in self.allowed:
            return Command("unclear")
        return Command("ask_practice", {"question": spans.question(text)})

    def rest(self) -> Command:
        """Return what a message means that asks for nothing new."""
        turn = self.turn
        if turn.task and (details := self._answer()):
            return Command("set", details)
        if not turn.task and turn.last in _MOVABLE and (slot := spans.every(self.message).get("slot")):
            return Command("reschedule_appointment", {"slot": slot})
        if (agrees := yes_or_no(self.message)) is not None:
            return Command("yes" if agrees else "no")
        if turn.asked == CONFIRMATION and _NO_FIRST.match(keys(self.message)):
            return Command("no")
        return self._question(self.message) if self.is_question else Command("unclear")

    def _answer(self) -> dict[str, str]:
        """Return the details that a message gives: what was asked for, or what else the task can use."""
        names, asked = self.allowed.get(self.turn.task) or self.allowed["set"], self.turn.asked
        details = self._details(self.message, names)
        if (
            asked in self.allowed["set"]
            and asked not in details
            and (said := spans.answer(self.message, asked))
        ):
            return details | {asked: said}
        return details


def _which(text: str) -> dict[str, str]:
    """Return the time that tells which visit is cancelled: "i wont come wednesday"."""
    slot = spans.every(text).get("slot")
    return {"appointment": slot} if slot else {}


def pieces(message: str) -> list[tuple[int, int]]:
    """Return where each clause of a message starts and ends."""
    plain = bare(message)
    joints = list(_JOINT.finditer(plain if len(plain) == len(message) else message))
    starts = [0, *(joint.end() for joint in joints)]
    ends = [*(joint.end() if joint.group()[0] in "?!" else joint.start() for joint in joints), len(message)]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if message[start:end].strip()]
