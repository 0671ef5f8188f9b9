"""The tasks that a model is trained on: the running system's tools, as its registry outlines them.

Written out, because training knows nothing of Django; a test holds them against the registry. The
order counts: the grammar writes the arguments of "set" in it.
"""

from chatbot.commands import ArgumentOutline, ToolOutline

_VISIT_TYPE = ArgumentOutline("visit_type", "the words that say what kind of visit")
_SLOT = ArgumentOutline("slot", "the words that say which day and time")
_TIMES = ArgumentOutline("slot", "the words that say which days and times")
_PROVIDER = ArgumentOutline("provider", "the words that say with whom")
_LOCATION = ArgumentOutline("location", "the words that say at which office")
_APPOINTMENT = ArgumentOutline("appointment", "the words that say which appointment")

TOOLS: tuple[ToolOutline, ...] = (
    ToolOutline("balance", "Tell how much the patient owes, since when and what for."),
    ToolOutline("pay_balance", "Open a page where the patient pays all they owe by card."),
    ToolOutline(
        "book_appointment",
        "Book a new appointment: an exam, a contact lens fitting, a follow-up.",
        (_VISIT_TYPE, _SLOT, _PROVIDER, _LOCATION),
    ),
    ToolOutline("reschedule_appointment", "Move an appointment.", (_APPOINTMENT, _SLOT, _PROVIDER)),
    ToolOutline("cancel_appointment", "Cancel an appointment.", (_APPOINTMENT,)),
    ToolOutline("list_appointments", "Say when the next appointments are."),
    ToolOutline(
        "tell_front_desk",
        "Tell the front desk that the patient is late for a visit of today, or has arrived.",
    ),
    ToolOutline("see_waitlist", "Say which times the patient waits for."),
    ToolOutline(
        "leave_waitlist",
        "Leave the waitlist.",
        (ArgumentOutline("waitlist_entry", "the words that say what the patient no longer waits for"),),
    ),
    ToolOutline(
        "wait_for_earlier",
        "Wait for an earlier time than the appointment that the patient has.",
        (_APPOINTMENT, _TIMES),
    ),
    ToolOutline(
        "join_waitlist",
        "Wait for a time that is not free yet.",
        (_VISIT_TYPE, _TIMES, _PROVIDER, _LOCATION),
    ),
    ToolOutline(
        "order_status",
        "Tell where the patient's glasses or contact lenses are and when they will be ready.",
        (ArgumentOutline("order", "the words that say which order: glasses, contacts, its number"),),
    ),
    ToolOutline(
        "ask_practice",
        "Answer a question from the practice's documents.",
        (ArgumentOutline("question", "the words of the message that are the question"),),
    ),
)

ARGUMENTS: tuple[str, ...] = tuple(
    dict.fromkeys(argument.name for tool in TOOLS for argument in tool.arguments)
)
"""Every argument name, in the order of the tools."""
