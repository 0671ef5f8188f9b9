"""The tasks that the shipped model is trained on: the running system's tools, by name and argument."""

from chatbot.commands import ArgumentOutline, ToolOutline

_SLOT = ArgumentOutline("slot", "the words that say which day and time")
_PROVIDER = ArgumentOutline("provider", "the words that say with whom")
_APPOINTMENT = ArgumentOutline("appointment", "the words that say which appointment")

TOOLS: tuple[ToolOutline, ...] = (
    ToolOutline(
        "book_appointment",
        "Book a new appointment: an exam, a contact lens fitting, a follow-up.",
        (
            ArgumentOutline("visit_type", "the words that say what kind of visit"),
            _SLOT,
            _PROVIDER,
            ArgumentOutline("location", "the words that say at which office"),
        ),
    ),
    ToolOutline("reschedule_appointment", "Move an appointment.", (_APPOINTMENT, _SLOT, _PROVIDER)),
    ToolOutline("cancel_appointment", "Cancel an appointment.", (_APPOINTMENT,)),
    ToolOutline("list_appointments", "Say when the next appointments are."),
    ToolOutline(
        "order_status",
        "Say how far glasses or contact lenses are.",
        (ArgumentOutline("order", "the words that say which order"),),
    ),
    ToolOutline("balance", "Say what the patient owes."),
    ToolOutline("pay_balance", "Pay what the patient owes."),
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
