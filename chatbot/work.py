"""Moves one open task on: checks who asks, asks for what is missing, reads back, runs."""

from dataclasses import dataclass, field

from django.urls import reverse

from chatbot import identity, sayings
from chatbot.arguments import Choice, ToolContext
from chatbot.drafts import Draft
from chatbot.filling import Asking, Filling
from chatbot.models import Assistant, Conversation
from chatbot.stack import Stack, Task
from chatbot.tools import Card, Kept, Registry, Reply, Tool, registry
from eyecare import clock
from eyecare.errors import Refusal

OPENED_LIMIT = 6
"""Tasks that one turn may open, those included that tools open themselves."""

HANDOFF = "handoff"

YES_OR_NO = [Choice("Yes", "yes"), Choice("No", "no")]


@dataclass
class Work:
    """The tasks of one turn.

    `asked` are those whose question is new in this turn, `kept` the keys of what is kept for the
    patient, each with the tool that knows how to give it back.
    """

    conversation: Conversation
    stack: Stack
    draft: Draft
    message: str
    turn_id: str
    assistant: Assistant | None = None
    tools: Registry = field(default_factory=lambda: registry)
    asked: list[Task] = field(default_factory=list)
    opened: int = 0
    kept: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kept |= self.stack.kept

    def open(self, task: Task) -> None:
        """Put a task on top and take it as far as it goes; after a red flag nothing routine is begun."""
        self.opened += 1
        if self.tools.get(task.tool) is None:
            self.draft.say(sayings.not_done_here(identity.phone_words()))
        elif self.conversation.is_urgent and registry.tools()[task.tool].asks_first:
            self.draft.say(sayings.call_first(identity.phone_words(urgent=True)))
        elif self.opened <= OPENED_LIMIT:
            self.advance(self.stack.open(task))

    def advance(self, task: Task, *, agreed: bool = False) -> None:
        """Take a task as far as it goes without the patient; `agreed` answers its read-back."""
        try:
            asking = identity.missing_for(registry.tools()[task.tool], self.conversation)
            tool, filling = self._filling(task)  # by text it is known only now who asks
            if task.kept and task.said:
                self._give_back(task)
            if tool.only_if and not asking:
                tool.only_if(filling.patient)
            asking = asking or filling.proceed()
            if asking:
                self._ask(task, asking)
            else:
                self._finish(task, filling, agreed=agreed)
        except identity.NotKnown as refusal:
            self._turn_away(task, refusal)
        except identity.TriesUsedUp as refusal:
            self.hand_over(refusal.sentence, "the date of birth did not match")
        except Refusal as refusal:
            self._close(task, self._refused(registry.tools()[task.tool], refusal))

    def pick(self, task: Task, choice: Choice) -> None:
        """Take one of the choices that a task offered."""
        tool, filling = self._filling(task)
        argument = tool.argument(task.asked)
        try:
            asking = filling.pick(argument, choice) if argument else None
        except Refusal as refusal:
            self._close(task, self._refused(tool, refusal))
            return
        if asking:
            self._ask(task, asking)
        else:
            self.advance(task)

    def offer_more(self, task: Task, name: str) -> None:
        """Offer choices other than those that were refused."""
        self._give_back(task)
        tool, filling = self._filling(task)
        argument = tool.argument(name)
        if argument is None:
            return
        try:
            asking = filling.more(argument)
        except Refusal as refusal:
            self.draft.say(refusal.sentence)
            return
        if not asking.question.choices:
            self.draft.say(sayings.NO_OTHERS)
            return
        task.filled.pop(name, None)
        self._ask(task, asking)

    def read_as_answer(self, task: Task, text: str) -> bool:
        """Try the whole message as the answer to what was asked; say whether it could be read."""
        tool, filling = self._filling(task)
        argument = tool.argument(task.asked)
        if argument is None or not filling.can_read(argument, text):
            return False
        task.said[task.asked] = text
        self.advance(task)
        return True

    def take_over(self, reply: Reply) -> None:
        """Make a tool's reply part of the turn's, and go on where it points."""
        self.draft.add(reply)
        self.stack.touched |= {effect.object: effect.id for effect in reply.effects} | dict(reply.about)
        self.stack.drop_tasks_about({effect.id for effect in reply.effects})
        if isinstance(reply.start, tuple):
            name, keys = reply.start
            self.open(Task(name, filled=dict(keys)))
            return
        self.stack.suggested = reply.start or ""
        self.stack.menu = list(reply.choices) or (YES_OR_NO if reply.start else [])

    def hand_over(self, sentence: str, reason: str, *, urgent: bool = False) -> None:
        """Leave the conversation to a person; nothing stays open."""
        self.draft.say(sentence)
        self.draft.handoff = reason
        self.draft.urgent |= urgent
        self.stack.give_up()

    def let_go(self, *, all_of_it: bool = False) -> None:
        """Give back whatever is kept for no open question any more, or all of it."""
        standing = {} if all_of_it else self.stack.kept
        for key in self.kept.keys() - standing.keys():
            let_go(self.kept.pop(key), key)

    def _give_back(self, task: Task) -> None:
        """Give back what is kept for a task before other choices are looked for: it is one of them."""
        if name := self.kept.pop(task.kept, ""):
            let_go(name, task.kept)
        task.kept = ""

    def context(self, task: Task | None = None) -> ToolContext:
        """Return what tools may know; one confirmed action keeps its key however often it is tried."""
        action = (task and task.pending) or self.turn_id
        return ToolContext(
            channel=self.conversation.channel,
            actor=self.conversation.account,
            idempotency_key=f"{self.conversation.pk}:{action}",
            message=self.message,
            now=clock.now(),
            audience=identity.audience(self.conversation.patient),
            assistant=self.assistant,
            said=frozenset(name for name, words in task.words.items() if words) if task else frozenset(),
        )

    def _filling(self, task: Task) -> tuple[Tool, Filling]:
        tool = registry.tools()[task.tool]
        return tool, Filling(task, tool, self.conversation.patient, self.context(task))

    def _ask(self, task: Task, asking: Asking) -> None:
        task.ask(asking.argument, asking.question)
        self.asked.append(task)

    def _finish(self, task: Task, filling: Filling, *, agreed: bool) -> None:
        question = self._read_back(task, filling)
        is_agreed = agreed and question == task.question
        reply = self._run(task, filling) if is_agreed or not question else self._keep(task, filling, question)
        if reply is None:
            return
        if asking := filling.ask_after_refusal(reply):
            self._ask(task, asking)
        else:
            self._close(task, reply)

    def _keep(self, task: Task, filling: Filling, question: str) -> Reply | None:
        """Read the action back, with what it needs put aside for the patient; a refusal comes at once."""
        kept = Kept("")
        if filling.tool.keep:
            values, context = filling.complete_values, self.context(task)
            try:
                kept = filling.tool.keep(filling.patient, context=context, **values)
            except Refusal as refusal:
                return self._refused(filling.tool, refusal)
        task.read_back(question, YES_OR_NO, kept.key)
        self.asked.append(task)
        self.kept |= {kept.key: task.tool} if kept.key else {}
        if kept.sentence:
            self.draft.say(kept.sentence)
        return None

    def _close(self, task: Task, reply: Reply) -> None:
        self.stack.close(task, finished=reply.kind != "refuse")
        self.take_over(reply)

    def _run(self, task: Task, filling: Filling) -> Reply:
        try:
            return filling.tool.run(filling.patient, filling.complete_values, self.context(task))
        except Refusal as refusal:
            return self._refused(filling.tool, refusal)

    def _refused(self, tool: Tool, refusal: Refusal) -> Reply:
        """Return the refusal as a reply; where only a person can help, one is offered."""
        if not isinstance(refusal, tool.needs_person):
            return Reply.refuse(refusal.sentence, refusal.alternatives)
        if self.conversation.status == Conversation.Status.WAITING:
            return Reply.refuse(f"{refusal.sentence} {sayings.PERSON_KNOWS}")
        return Reply.refuse(f"{refusal.sentence} {sayings.SHALL_A_PERSON}", start=HANDOFF)

    def _read_back(self, task: Task, filling: Filling) -> str:
        if not filling.tool.asks_first:
            return ""
        question = filling.tool.question(filling.complete_values, self.context(task))
        patient = self.conversation.patient
        if patient and len(identity.household(self.conversation)) > 1:
            return sayings.for_whom(patient.first_name, question)
        return question

    def _turn_away(self, task: Task, refusal: Refusal) -> None:
        self.stack.close(task, finished=False)
        self.draft.say(refusal.sentence)
        if self.conversation.channel == Conversation.Channel.WEB and self.conversation.account is None:
            self.draft.cards.append(Card("Your record", url=reverse("account_login"), link="Sign in"))


def let_go(name: str, key: str) -> None:
    """Give back what a tool kept under this key; nothing happens where it was taken or has run out."""
    tool = registry.get(name)
    if tool and tool.let_go:
        tool.let_go(key)


def let_go_of_all(stack: Stack) -> None:
    """Give back what a conversation that ends here keeps for its patient."""
    for key, name in stack.kept.items():
        let_go(name, key)
