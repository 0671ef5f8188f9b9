"""One turn: a message becomes commands, commands move the open tasks, and one reply comes out."""

from collections.abc import Callable
from dataclasses import dataclass, field

from chatbot import assistants, identity, plain, reminders, sayings, stack
from chatbot.arguments import Choice
from chatbot.commands import Command
from chatbot.drafts import Draft
from chatbot.hearing import Hearing
from chatbot.models import Assistant, ChatMessage, Conversation
from chatbot.prompt import normalise
from chatbot.stack import Stack, Task
from chatbot.tools import Tool, registry
from chatbot.triage import Sign
from chatbot.when import NotUnderstood
from chatbot.work import HANDOFF, YES_OR_NO, Work
from eyecare.errors import Refusal

MISSES_BEFORE_MENU = 2
MISSES_BEFORE_PERSON = 4
"""Turns in a row that were not understood."""


@dataclass
class Turn:
    """What the assistant makes of one message. It writes nothing itself, only the tools do."""

    conversation: Conversation
    text: str
    stack: Stack
    turn_id: str
    sign: Sign | None = None
    last_reply: ChatMessage | None = None
    engine: str = ""
    assistant: Assistant = field(default_factory=assistants.default)
    draft: Draft = field(default_factory=Draft)

    def __post_init__(self) -> None:
        self.message = normalise(self.text)
        self.tools = assistants.toolbox(self.assistant)
        self.stack.keep_only(self.tools.tools())
        self.work = Work(
            self.conversation,
            self.stack,
            self.draft,
            self.message,
            self.turn_id,
            self.assistant,
            self.tools,
        )
        self.heard = Hearing(
            self.conversation,
            self.stack,
            self.message,
            self.last_reply,
            self.engine,
            self.assistant,
            self.tools,
        )
        self.draft.context = self.heard.context
        self.is_missed = self.is_asking_again = False

    def take(self) -> Draft | None:
        """Return the reply; None when a person has the conversation and nothing must be said."""
        if self.sign:
            self._warn(self.sign)
            self.work.let_go()
            return self.draft
        if self.conversation.status == Conversation.Status.STAFF:
            return None
        self.stack.forget_side_questions()
        if not (
            self._is_about_another()
            or self._answers_a_check()
            or self._answers_a_reminder()
            or self._asks_for_time()
        ):
            self._follow(self.heard.commands())
            self.draft.engine = self.heard.engine
        self.stack.misses = self.stack.misses if self.is_missed else 0
        self._leave_one_question()
        self.work.let_go()
        return self.draft

    def _warn(self, sign: Sign) -> None:
        """Give the approved advice word for word; nothing routine goes on."""
        self.draft.commands.append(Command("urgent"))
        self.work.hand_over(sign.advice, f"red flag: {sign.name}", urgent=True)
        phone = identity.phone_words(urgent=True)
        if phone not in sign.advice:
            self.draft.say(sayings.our_phone(phone))

    # What needs no understanding

    def _is_about_another(self) -> bool:
        """Go over to another person of a shared phone; on the portal the session alone says who it is."""
        patient = self.conversation.patient
        other = identity.named_other(self.conversation, self.message)
        if other is not None and self.conversation.channel == Conversation.Channel.SMS:
            identity.choose(self.conversation, str(other.pk))
            self.work.let_go(all_of_it=True)
            return False
        if other is None or patient is None:
            return False
        self.draft.say(sayings.other_record(patient.first_name, other.first_name))
        return True

    def _answers_a_check(self) -> bool:
        """Take the date of birth that was asked for; anything without one is read like any message."""
        top = self.stack.top
        if top is None or top.asked != stack.BIRTH_DATE:
            return False
        try:
            matches = identity.check_birth_date(self.conversation, self.message)
        except NotUnderstood:
            return False
        except identity.TriesUsedUp as refusal:
            self.work.hand_over(refusal.sentence, "the date of birth did not match")
            return True
        if not matches and self.conversation.identity_tries < identity.TRIES:
            self.draft.say(sayings.WRONG_BIRTH_DATE)
        self.work.advance(top)
        return True

    def _answers_a_reminder(self) -> bool:
        try:
            reply = reminders.answered(self.heard, self.stack, self.work.context())
        except Refusal as refusal:
            self.draft.say(refusal.sentence)
            return True
        if reply:
            self.work.take_over(reply)
        else:
            self.stack.touched |= reminders.spoken_of(self.heard)
        return reply is not None

    def _asks_for_time(self) -> bool:
        """Leave everything open, and what is kept kept, for somebody who has to think or to ask."""
        if self.stack.top is None or not plain.asks_for_time(self.message):
            return False
        self.is_asking_again = True
        self.draft.say(sayings.TAKE_YOUR_TIME)
        return True

    # What the commands do

    def _follow(self, commands: list[Command]) -> None:
        self.draft.commands += commands
        for command in commands:
            if tool := registry.get(command.name):
                self._start(tool, command)
            else:
                _FOLLOWED[command.name](self, command)

    def _start(self, tool: Tool, command: Command) -> None:
        top, chosen = self.stack.top, self.heard.picked(self.message)
        is_offered = top and chosen in top.offered and chosen.key == tool.name
        if top and (is_offered or self._is_said_instead(tool, command, top)):
            self._start_instead(tool, top)
            return
        touched = {name: key for name, key in self.stack.touched.items() if tool.argument(name)}
        is_open = any(task.tool == tool.name for task in self.stack.tasks)
        self.work.open(Task(tool.name, dict(command.arguments), {} if is_open else touched))

    @staticmethod
    def _is_said_instead(tool: Tool, command: Command, task: Task) -> bool:
        """Say whether unmistakable words alone turn an open task into another one about the same thing."""
        is_bare = bool(tool.words) and not command.arguments and task.tool != tool.name
        return is_bare and any(tool.argument(name) for name in task.filled)

    def _start_instead(self, tool: Tool, task: Task) -> None:
        """Go over to another task, with what this one was told."""
        filled = {name: key for name, key in task.filled.items() if tool.argument(name)}
        said = {name: words for name, words in task.words.items() if words and tool.argument(name)}
        self.stack.close(task, finished=False)
        rest = {name: words for name, words in said.items() if name not in filled}
        self.work.open(Task(tool.name, rest, filled, said))

    def _set(self, command: Command) -> None:
        """Give the words to the nearest open task that has such arguments."""
        for task in reversed(self.stack.tasks):
            tool = registry.tools()[task.tool]
            known = {name: words for name, words in command.arguments.items() if tool.argument(name)}
            choice = (
                self.heard.picked(command.arguments.get(task.asked, "")) if task is self.stack.top else None
            )
            if known or choice:
                self._fill(task, known, choice)
                return
        if changing := self._changing_what_was_done(command):
            self._start(changing, command)
        else:
            self._miss(command)

    def _changing_what_was_done(self, command: Command) -> Tool | None:
        """Return the task that changes the last one's work: "make it 3pm" when nothing is open any more."""
        last = registry.get(self.stack.last)
        if last is None or self.stack.top or not all(last.argument(name) for name in command.arguments):
            return None
        able = (tool for tool in self.tools.tools().values() if any(map(tool.argument, self.stack.touched)))
        return next((tool for tool in able if all(map(tool.argument, command.arguments))), None)

    def _fill(self, task: Task, words: dict[str, str], choice: Choice | None) -> None:
        if choice:
            words.pop(task.asked, None)
        task.said |= words
        if choice and task.asked == stack.PERSON:
            identity.choose(self.conversation, choice.key)
        if choice and task.asked != stack.PERSON:
            self.work.pick(task, choice)
        else:
            self.work.advance(task)

    def _yes(self, command: Command) -> None:
        top = self.stack.top
        if self.heard.suggested:
            self._follow([Command(self.heard.suggested)])
        elif top and top.asked == stack.CONFIRMATION:
            self._agree(top)
        elif top and len(top.offered) == 1:
            self._fill(top, {}, top.offered[0])
        elif top and top.offered:
            self.is_asking_again = True
            top.question = sayings.WHICH_ONE
        elif top is None:
            self._welcome(sayings.WHAT_CAN_I_DO)

    def _agree(self, task: Task) -> None:
        if self.heard.agrees_plainly:
            self.work.advance(task, agreed=True)
        else:
            self.is_asking_again = True
            self.draft.say(sayings.YES_OR_NO)

    def _no(self, command: Command) -> None:
        top = self.stack.top
        if self.heard.suggested or top is None:
            self.draft.say(sayings.GOODBYE if self.heard.asked else sayings.ALL_RIGHT)
        elif top.asked == stack.CONFIRMATION:
            self._decline(top)
        elif (argument := registry.tools()[top.tool].argument(top.asked)) and argument.is_optional:
            top.unask()
            self.work.advance(top)
        elif argument and top.offered:
            self.work.offer_more(top, top.asked)
        else:
            self._stop(command)

    def _decline(self, task: Task) -> None:
        """After a no to the read-back, offer other times; a task without any is given up."""
        narrowed = [
            argument for argument in registry.tools()[task.tool].arguments if argument.kind.depends_on
        ]
        if narrowed:
            self.work.offer_more(task, narrowed[-1].name)
        else:
            self.stack.close(task, finished=False)
            self.draft.say(sayings.LEFT_AS_IT_IS)

    def _stop(self, command: Command) -> None:
        if self.stack.top is None:
            self.draft.say(sayings.ALL_RIGHT)
            return
        self.stack.close(self.stack.top, finished=False)
        self.draft.say(sayings.STOPPED)

    def _more(self, command: Command) -> None:
        top = self.stack.top
        if top is None:
            self._miss(command)
        elif top.asked == stack.CONFIRMATION:
            self._decline(top)
        else:
            self.work.offer_more(top, top.asked)

    def _repeat(self, command: Command) -> None:
        self._keep_side_questions()
        if self.last_reply is None:
            self.draft.say(sayings.NOTHING_TO_REPEAT)
        elif self.stack.top is None or self.stack.suggested:
            self.draft.say(self.last_reply.text)

    def _handoff(self, command: Command) -> None:
        is_waiting = self.conversation.status == Conversation.Status.WAITING
        sentence = sayings.PERSON_KNOWS if is_waiting else sayings.PERSON_COMES
        self.work.hand_over(sentence, "the patient asked for a person")

    def _urgent(self, command: Command) -> None:
        """Give careful advice at once, and ask: what no red flag backs up may be a misreading."""
        phone = identity.phone_words(urgent=True)
        if self.heard.suggested == command.name:
            self.work.hand_over(sayings.urgent(phone), "may be urgent", urgent=True)
            return
        self.draft.urgent = True
        self.draft.say(sayings.may_be_urgent(phone))
        self.stack.suggested, self.stack.menu = command.name, YES_OR_NO

    def _greet(self, command: Command) -> None:
        patient = self.conversation.patient
        if self.conversation.status == Conversation.Status.WAITING:
            self._welcome(f"{sayings.PERSON_KNOWS} {sayings.MEANWHILE}")
        else:
            self._welcome(self.assistant.greeting or sayings.greeting(patient.first_name if patient else ""))

    def _thanks(self, command: Command) -> None:
        self.draft.say(sayings.THANKS)

    def _goodbye(self, command: Command) -> None:
        self.stack.give_up()
        self.draft.say(sayings.GOODBYE)

    def _welcome(self, sentence: str) -> None:
        """Say what can be done, unless something is open already."""
        if self.stack.top is None:
            self.draft.say(sentence)
            self.stack.menu = self._can_do()

    def _can_do(self) -> list[Choice]:
        is_text = self.conversation.channel == Conversation.Channel.SMS  # whose phone it is, is asked later
        tools = self.tools.tools().values() if is_text else self.tools.open_to(self.conversation.patient)
        listed = sorted(filter(lambda tool: tool.is_in_menu, tools), key=lambda tool: not tool.asks_first)
        return [Choice(tool.label, tool.name) for tool in listed]

    def _miss(self, command: Command) -> None:
        """Try the message as the answer to what was asked; else say so, and after a while offer a way out."""
        top = self.stack.top
        if top and self.work.read_as_answer(top, self.message):
            return
        self.is_missed = self.is_asking_again = True
        self.stack.misses += 1
        phone = identity.phone_words()
        if self.conversation.status == Conversation.Status.WAITING:
            self.draft.say(sayings.PERSON_KNOWS)
        elif self.stack.misses >= MISSES_BEFORE_PERSON:
            self.work.hand_over(sayings.given_up(phone), "the assistant did not understand")
        elif self.stack.misses >= MISSES_BEFORE_MENU:
            self.draft.say(sayings.lost(phone))
            self._offer_a_way_out()
        else:
            self._keep_side_questions()
            self.draft.say(sayings.NOT_UNDERSTOOD)

    def _offer_a_way_out(self) -> None:
        person = Choice(sayings.TALK_TO_A_PERSON, HANDOFF)
        if top := self.stack.top:
            top.offered = [*(choice for choice in top.offered if choice != person), person]
        else:
            self.stack.menu = [*self._can_do(), person]

    def _keep_side_questions(self) -> None:
        heard = self.heard
        self.stack.suggested, self.stack.menu, self.stack.asked = heard.suggested, heard.menu, heard.asked

    # What stands at the end

    def _leave_one_question(self) -> None:
        """End with the one question that is open, the newest task's."""
        top = self.stack.top
        if top is None or self.stack.suggested:
            self._offer_anything_else()
        elif top.asked:
            if self._has_digressed(top):
                self.draft.say(sayings.BACK)
            self.draft.say(top.question)
            self.draft.choices = list(top.offered)
        if not self.draft.parts:
            self.draft.say(sayings.WHAT_CAN_I_DO)

    def _has_digressed(self, top: Task) -> bool:
        return bool(self.draft.parts) and top not in self.work.asked and not self.is_asking_again

    def _offer_anything_else(self) -> None:
        self.draft.choices = list(self.stack.menu)
        if self.draft.effects and not (self.stack.suggested or self.draft.handoff):
            self.draft.say(sayings.ANYTHING_ELSE)
            self.stack.asked = stack.ANYTHING_ELSE


Follower = Callable[[Turn, Command], None]

_FOLLOWED: dict[str, Follower] = {
    "set": Turn._set,
    "yes": Turn._yes,
    "no": Turn._no,
    "stop": Turn._stop,
    "more": Turn._more,
    "repeat": Turn._repeat,
    HANDOFF: Turn._handoff,
    "urgent": Turn._urgent,
    "greet": Turn._greet,
    "thanks": Turn._thanks,
    "goodbye": Turn._goodbye,
    "unclear": Turn._miss,
}
"""What each general command does; the names are those of `commands.GENERAL_COMMANDS`."""
