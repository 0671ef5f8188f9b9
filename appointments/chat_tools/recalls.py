"""What patients answer when they are asked to come again."""

from appointments import recalls, rules, services
from appointments.chat_tools.wording import at
from appointments.models import Appointment
from chatbot.tools import Effect, Reply, ToolContext, quick_replies
from messaging.models import Message
from patients.models import Patient

BOOK, LATER, NO_MORE = 1, 2, 3

_SAID: dict[int, str] = {
    BOOK: r"(?:(?:id|i would|i) (?:like|want) to )?(?:book|schedule|make an appointment)(?: (?:it|one|now))?",
    LATER: (
        r"(?:not (?:now|yet|right now|at the moment|this month)|(?:maybe )?later|another time|next month|"
        r"(?:ask|remind|text) me (?:again )?(?:later|next month|in a (?:month|few weeks))|mas tarde|"
        r"luego|despues|ahora no)"
    ),
    NO_MORE: (
        r"(?:no more(?: of these)?|(?:please )?(?:dont|do not) (?:ask|remind|text|bug)(?: me)?"
        r"(?: again| any ?more)?|not interested|never|nunca|no me interesa|no mas)"
    ),
}


@quick_replies(recalls.FIRST, no=LATER, said=_SAID)
@quick_replies(recalls.AGAIN, no=LATER, said=_SAID)
def answer_recall(patient: Patient, message: Message, digit: int, context: ToolContext) -> Reply:
    """Take the answer: 1 opens a booking, 2 puts off, 3 ends the asking.

    The text did not say what it was about, so that 2 and 3 hold for whatever the patient is due for.
    """
    recall = recalls.get_for(patient, message.subject_id)
    if digit == LATER:
        until = recalls.put_off(patient=patient)
        words = f"All right. We will not ask before {until:%B %-d}. Write to us whenever it suits you."
        return Reply.done(words, effect=Effect("recall.put_off", "recall", str(recall.pk)))
    if digit == NO_MORE:
        recalls.decline_all(patient=patient)
        words = "All right, we will not ask again. Whenever you want a visit, write to us or call."
        return Reply.done(words, effect=Effect("recall.declined", "recall", str(recall.pk)))
    return _book(patient, recall.rule.books.slug, is_online=recall.rule.books.is_online)


def _book(patient: Patient, slug: str, *, is_online: bool) -> Reply:
    if booked := Appointment.objects.for_patient(patient).upcoming().with_details().first():
        when = at(services.slot_of(booked), "")
        return Reply.say(
            f"You have a visit already: {when}. Shall we book another?", start="book_appointment"
        )
    if not is_online:
        return Reply.say(f"Please call us at {rules.phone_words()}, and we will find a time for you.")
    return Reply.say("Gladly.", start=("book_appointment", {"visit_type": slug}))
