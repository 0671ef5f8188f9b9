"""The assistant's own sentences: short, plain, warm, and free of facts that could go wrong."""

ANYTHING_ELSE = "Is there anything else I can help with?"
THANKS = "You are welcome!"
GOODBYE = "Goodbye, and take care of your eyes!"
WHAT_CAN_I_DO = "What can I help you with?"
STOPPED = "All right, I have stopped. Nothing was changed."
LEFT_AS_IT_IS = "All right, I left everything as it is."
ALL_RIGHT = "All right."
TAKE_YOUR_TIME = "Take your time."
WHICH_ONE = "Which one would you like?"
YES_OR_NO = "To be sure, please answer with yes or no."
NOT_UNDERSTOOD = "Sorry, I did not get that."
NOTHING_TO_REPEAT = "I have not said anything yet."
BACK = "Now, back to where we were."
PERSON_COMES = "I have asked a colleague to answer you here. They do so during opening hours."
SHALL_A_PERSON = "Shall I ask a colleague to answer you here?"
PERSON_KNOWS = "A colleague has your message and will answer you here."
MEANWHILE = "Is there anything that I can do meanwhile?"
TALK_TO_A_PERSON = "Talk to a person"
NO_OTHERS = "I have no other choices. You can also talk to a person."
WRONG_BIRTH_DATE = "That does not match what we have. Please try again."


def greeting(name: str) -> str:
    hello = f"Hello {name}!" if name else "Hello!"
    return f"{hello} I am the practice's assistant. {WHAT_CAN_I_DO}"


def lost(phone: str) -> str:
    return f"Sorry, I still do not understand. Here is what I can do. You can also call us at {phone}."


def given_up(phone: str) -> str:
    return f"Sorry, I am not getting this right. I have asked a colleague to answer you. Our phone: {phone}."


def not_done_here(phone: str) -> str:
    return f"I cannot do that here. Please call us at {phone}, or ask me for a person."


def may_be_urgent(phone: str) -> str:
    return (
        f"If something is wrong with your eyes today, please do not wait: call us now at {phone}. "
        "If your sight has suddenly changed or you are in strong pain, go to an emergency room. "
        "Shall I tell the team that it is urgent?"
    )


def urgent(phone: str) -> str:
    return f"I have told the team that it is urgent. Please call us now at {phone} as well."


def call_first(phone: str) -> str:
    return f"Because of what you told me before, please call us at {phone} first. The team knows about it."


def our_phone(phone: str) -> str:
    return f"Our phone: {phone}."


def other_record(name: str, other: str) -> str:
    return f"This chat is about {name}. For {other}, please change the person at the top of the page first."


def for_whom(name: str, question: str) -> str:
    return f"For {name}: {question}"


def broken(phone: str) -> str:
    return f"Sorry, something went wrong on our side. A colleague will look at it. Our phone: {phone}."
