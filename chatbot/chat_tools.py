"""What the assistant can do by itself: answer from the practice's documents."""

from typing import Annotated

from chatbot import assistants, knowledge
from chatbot.phrasing import phrased
from chatbot.tools import Reply, Source, ToolContext, Words, tool
from patients.models import Patient


class QuestionWords(Words):
    """A question to the practice, in the patient's words."""

    name = "question"
    description = "the words of the message that are the question"
    question = "What would you like to know?"


@tool(
    label="Ask the practice a question",
    examples=("when are you open?", "do you take my insurance", "can I drive after dilation?"),
)
def ask_practice(
    patient: Patient | None, question: Annotated[str, QuestionWords], *, context: ToolContext
) -> Reply:
    """Answer a question from the practice's documents."""
    assistant = context.assistant
    within = assistants.documents(assistant) if assistant else None
    found = knowledge.answer(question, audience=context.audience, within=within)
    if found is None:
        return Reply.say(
            "I do not know that, and I will not guess. Would you like a colleague to answer you?",
            start="handoff",
        )
    return Reply.say(
        phrased(question, found.text, assistant),
        sources=[Source(found.source.title, found.source.link, found.text)],
    )
