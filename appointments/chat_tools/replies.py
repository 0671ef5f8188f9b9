"""What patients answer to a reminder, and what they tell the front desk on the day."""

from datetime import datetime, time, timedelta
from enum import IntEnum

from django.db.models import Q

from appointments import services
from appointments.chat_tools.wording import CHANNELS, at, time_of_day
from appointments.models import Appointment
from chatbot.tools import Choice, Effect, Reply, ToolContext, quick_replies, tool
from eyecare import clock
from messaging.models import Message
from patients.models import Patient
from practice import services as practice


class Answer(IntEnum):
    """What a reminder offers as 1, 2 and 3, and what is only said in words."""

    CONFIRM = 1
    CANCEL = 2
    MOVE = 3
    CANNOT_COME = 4


_A_DAY = r"(?:today|tomorrow|tmrw|then|there|soon|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
_SAID: dict[int, str] = {
    Answer.CONFIRM: (
        r"(?:(?:yes|yep|yeah|yup|sure|perfect|great|good|got it|confirmed|si|claro)(?: thanks| thank you)? )*"
        r"(?:(?:ill |i will |well |we will |we |i )?(?:see|c) (?:you|u|ya|yall)(?: all)?"
        rf"(?: (?:on |at |in )?(?:{_A_DAY}|the morning))?|"
        r"(?:ill|i will|well|we will|will|i can|i plan to) (?:be (?:there|in)|make it|come)"
        rf"(?: {_A_DAY})?|(?:im|i am|were|we are) (?:coming|confirmed|good|all set|on my way)|"
        r"(?:see you|looking forward)(?: to it)?|all good|still (?:good|coming|on)|c|"
        r"ahi estare|alli estare|nos vemos(?: manana)?)"
    ),
    Answer.MOVE: (
        r"(?:(?:yes|no) )?(?:(?:can (?:i|we)|could (?:i|we)|i|we|id like to|need to|have to|i need to|"
        r"i have to|please|may i|i want to|want to) )*"
        r"(?:(?:get|have|find|do|need|want|come(?: in)?) )?(?:on )?"
        r"(?:(?:an?other|a different|a new|different|new|some other|a later|an earlier) "
        r"(?:time|day|date|appointment|slot)|reschedule(?: it| my (?:appointment|visit|exam))?|resched|"
        r"move(?: it| my (?:appointment|visit|exam))?|change(?: it| the (?:time|day))?|"
        r"reprogramar|cambiar(?:la)?|otra hora)"
    ),
    Answer.CANNOT_COME: (
        r"no|(?:no )?(?:i |we )?(?:wont|will not|cant|cannot|can not|am not able to|"
        r"not able to|wont be able to|couldnt|unable to)(?: be able to)?(?: actually)? "
        rf"(?:make (?:it|that|this|my (?:appointment|visit|exam))|come(?: in)?|be there|attend|go)"
        rf"(?: {_A_DAY})?|"
        r"(?:i |we )?(?:have|got) to miss (?:it|this|that)|no puedo(?: ir)?|not coming|"
        r"(?:that|this|it) (?:day |time )?(?:doesnt|does not|wont) work(?: (?:for me|anymore|any more))*"
    ),
}


@quick_replies("appointment_reminder", no=Answer.CANNOT_COME, said=_SAID, about="appointment")
def answer_reminder(patient: Patient, message: Message, digit: int, context: ToolContext) -> Reply:
    """Take the answer to a reminder: nothing is cancelled or moved by it without a yes."""
    reminded_of = services.get_for(patient, message.subject_id)
    appointment = _where_it_moved(reminded_of)
    if not appointment.is_upcoming:
        return Reply.say("That visit is no longer in our diary. Shall I book one?", start="book_appointment")
    if appointment != reminded_of and digit == Answer.CONFIRM:
        return Reply.say(f"That visit has moved: it is {at(services.slot_of(appointment))}.")
    key = {"appointment": str(appointment.pk)}
    match digit:
        case Answer.CANCEL:
            return Reply.say("All right.", start=("cancel_appointment", key))
        case Answer.MOVE:
            return Reply.say("All right, let us find another time.", start=("reschedule_appointment", key))
        case Answer.CANNOT_COME:
            return _another_time_or_none(appointment)
    if appointment.state != Appointment.State.BOOKED:
        return Reply.say(f"You are confirmed. See you {at(services.slot_of(appointment), '')}.")
    services.confirm(appointment=appointment, channel=CHANNELS[context.channel], actor=context.actor)
    words = f"Thank you, you are confirmed. See you {at(services.slot_of(appointment), '')}."
    return Reply.done(words, effect=Effect("appointment.confirmed", "appointment", str(appointment.pk)))


def _where_it_moved(appointment: Appointment) -> Appointment:
    """Return the visit as it stands now: a reminder may speak of a time that it has left."""
    rows = Appointment.objects.visits().filter(lineage=appointment.lineage, patient=appointment.patient)
    return rows.active().with_details().first() or appointment


def _another_time_or_none(appointment: Appointment) -> Reply:
    slot = services.slot_of(appointment)
    return Reply.say(
        f"Thank you for telling us. What about your visit {slot:%A, %B %-d at %-I:%M %p}?",
        choices=[
            Choice("Find another time", "reschedule_appointment"),
            Choice("Cancel the visit", "cancel_appointment"),
        ],
        about={"appointment": str(appointment.pk)},
    )


_LATE = (
    r"^(?!.*\b(?:if|what|how|why|can|could|should|too|fees?|policy)\b).*?"
    r"\b(?:running|gonna be|going to be|will be|ill be|be|am|im|i am|we are|were)"
    r"(?: (?:about|like|a|an|the|bit|little|few|some|so|very|maybe|just|probably|around|\d+|five|ten|fifteen|"
    r"twenty|thirty|min|mins|minute|minutes|hour|half))* late\b(?! (?:in|on|than)\b)|"
    r"\b(?:stuck|sitting) in traffic\b|\brunning behind\b"
)
_HERE = (
    r"^(?:hi |hello |hey )?(?:(?:im|i am|were|we are|we re) (?:now |just |already )?"
    r"(?:here|outside|at the (?:office|door|clinic|front desk)|"
    r"in the (?:parking lot|car|waiting room|lobby))|"
    r"(?:i|we)(?: have|ve)?(?: just)? arrived|just (?:arrived|got here)|ive arrived|estoy aqui|ya llegue)"
    r"(?: (?:for (?:my|our|the) (?:\w+ )?(?:appointment|visit|exam)|now|already))*[.! ]*$"
)


@tool(label="Tell the front desk", menu=False, words=f"{_LATE}|{_HERE}")
def tell_front_desk(patient: Patient, *, context: ToolContext) -> Reply:
    """Tell the front desk that the patient is late for a visit of today, or has arrived."""
    visit = _visit_of_today(patient)
    if visit is None:
        return Reply.refuse(
            "I see no visit of yours today. Shall I pass this on to a colleague?", start="handoff"
        )
    begins = time_of_day(visit.starts_at)
    return Reply.say(
        f"Thank you. I have told the front desk for your visit at {begins}.",
        handoff=f"on the day, visit at {begins}: {context.message}",
    )


def _visit_of_today(patient: Patient) -> Appointment | None:
    """Return the visit that somebody on the way, or in the waiting room, speaks of."""
    midnight = datetime.combine(clock.today(), time.min, practice.zone())
    today = Q(starts_at__gte=midnight, starts_at__lt=midnight + timedelta(days=1))
    return Appointment.objects.for_patient(patient).active().filter(today).order_by("starts_at").first()
