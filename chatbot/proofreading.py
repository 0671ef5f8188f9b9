"""Holds what a model understood against the words: details are cut to size, and what no word supports goes.

A model is good at saying which task is meant. Code finds the details more exactly, and knows what a
message cannot mean: a hand-off without a word of a person, a second task without a word for it. An
emergency always stands: a model may raise urgency.
"""

from collections.abc import Mapping, Sequence

from chatbot import keywords, rules, spans, when
from chatbot.commands import Command, ToolOutline
from chatbot.plain import begins_with_yes
from chatbot.prompt import COMMAND_LIMIT, Turn

_AT_A_LOSS = frozenset({"unclear", "handoff", "repeat"})
"""What a model says when it knows nothing else: the keywords of a task speak louder."""

_ENDS_ANOTHER = frozenset({"provider", "location"})
"""Details that a model leaves hanging on the end of another."""


def proofread(commands: Sequence[Command], turn: Turn, tools: Sequence[ToolOutline]) -> list[Command]:
    """Return the commands as far as the message supports them; by keywords when nothing is left.

    No red flag rests on this: triage has read the message before any model does.
    """
    reading = rules.Reading.of(turn, tools)
    kept = [command for command in _distinct(commands) if _is_supported(command, reading)]
    kept = _without_idle_companions(kept, reading.message)
    if not {command.name for command in kept} - _AT_A_LOSS:
        kept = reading.requested() or kept or [reading.rest()]
    kept = [reading.fitted(command) for command in [*kept, *_overheard(kept, reading)]]
    return [_mended(command, reading, is_alone=len(kept) == 1) for command in kept]


def _distinct(commands: Sequence[Command]) -> list[Command]:
    """Return each command once, with the words of its repetitions."""
    joined: dict[str, dict[str, str]] = {}
    for command in commands:
        joined[command.name] = {**command.arguments, **joined.get(command.name, {})}
    return [Command(name, arguments) for name, arguments in joined.items()]


def _is_supported(command: Command, reading: rules.Reading) -> bool:
    match command.name:
        case "handoff":
            return keywords.speaks_of_a_person(reading.message)
        case "yes":
            return begins_with_yes(reading.message) or not reading.is_question
        case "set":
            return bool((reading.turn.task or reading.turn.last) and command.arguments)
    return True


def _without_idle_companions(commands: list[Command], message: str) -> list[Command]:
    """Leave out what stands beside another command without a word in the message that asks for it."""
    if len(commands) < 2:
        return commands
    meant = [
        command
        for command in commands
        if command.name in ("set", "urgent")
        or (command.name == "yes" and begins_with_yes(message))
        or keywords.hints_at(command.name, message)
    ]
    return meant or commands[:1]


def _overheard(kept: Sequence[Command], reading: rules.Reading) -> list[Command]:
    """Return the tasks that another clause asks for by keyword, beside one that the model heard too."""
    asked_for = [command for command in reading.requested() if command.name != "ask_practice"]
    known = {command.name for command in kept}
    if len(asked_for) < 2 or not known & {command.name for command in asked_for}:
        return []
    return [command for command in asked_for if command.name not in known][: COMMAND_LIMIT - len(kept)]


def _mended(command: Command, reading: rules.Reading, *, is_alone: bool) -> Command:
    """Return the command with its details as code finds them, wherever code sees more clearly."""
    said = {name: spans.trimmed(words) for name, words in _told_apart(command.arguments, reading).items()}
    said = {name: words for name, words in said.items() if not spans.says_nothing(name, words)}
    if reading.turn.task and "slot" in reading.allowed[reading.turn.task]:
        said = _with_times_in_the_slot(said)
    if "question" in said:
        question = spans.to_its_end(said["question"], reading.message, is_alone=is_alone)
        return Command(command.name, {"question": question})
    if is_alone:
        said = _merged(said, reading.seen_for(command.name))
    return Command(command.name, _told_apart(said, reading))


def _told_apart(said: Mapping[str, str], reading: rules.Reading) -> Mapping[str, str]:
    """Return what was taken for the name of a visit as what it is: the visit, the wish, or both.

    "my exam to friday" is both; in "make it the week after, in the afternoon" all of it is the wish.
    """
    named = spans.trimmed(said.get("appointment", ""))
    if wish := spans.wished_for_instead(named, reading.message):
        others = {name: words for name, words in said.items() if name != "appointment"}
        return {**others, "slot": spans.joined(wish, said.get("slot", ""), reading.message)}
    visit, wish = spans.from_and_to(said.get("appointment", ""))
    return {**said, "appointment": visit, "slot": said.get("slot", wish)} if wish else said


def _with_times_in_the_slot(said: Mapping[str, str]) -> dict[str, str]:
    """Return "after 5pm" as a time, though it was said when the kind of visit was asked for."""
    is_time = {
        name: name != "appointment" and when.find(words) == words and name not in spans.every(words)
        for name, words in said.items()
    }
    return {"slot" if is_time[name] and "slot" not in said else name: words for name, words in said.items()}


def _merged(said: Mapping[str, str], seen: Mapping[str, str]) -> dict[str, str]:
    merged = {name: _better(name, words, seen.get(name, "")) for name, words in said.items()}
    for name in _ENDS_ANOTHER & seen.keys():
        merged = {other: _cut_off(words, seen[name]) for other, words in merged.items()}
    for name, words in seen.items():
        if not any(words.casefold() in others.casefold() for others in merged.values()):
            merged.setdefault(name, words)
    return merged


def _cut_off(words: str, end: str) -> str:
    """Return "soon" for "soon with okafor", but leave what begins with the end as it is."""
    before, found, _ = words.partition(end)
    return spans.trimmed(before) if found and before.strip() else words


def _better(name: str, said: str, seen: str) -> str:
    """Choose between the model's words for a detail and code's: the fuller, else what has its shape."""
    ours, theirs = seen.casefold(), said.casefold()
    if not seen or name == "appointment" or ours in theirs:
        return said
    if theirs in ours or set(ours.split()) & set(theirs.split()):
        return seen
    return said if name in spans.every(said) else seen
