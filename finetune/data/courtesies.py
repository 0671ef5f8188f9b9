"""Short replies that mean the same in every trade: agreeing, declining, thanking, leaving."""

import re

_YES = (
    r"yes|yeah|yea|yep|yup|sure|correct|affirmative|ok|okay|right|absolutely|definitely|of course"
    r"|perfect|great"
    r"|alright|fine|sounds (?:good|great|perfect)|that works|go ahead|please do|indeed|exactly"
    r"|that(?:'?s| is| sounds) (?:it|right|correct|perfect|fine|good|great|accurate)"
)
_NO = (
    r"no|nope|nah|no way|negative|wrong|incorrect|absolutely not|not really|not at all"
    r"|that(?:'?s| is) (?:wrong|incorrect|not right|not correct)"
)
_THANKS = (
    r"(?:many )?thanks(?: a lot| so much| again)?|thank ?you(?: so much| very much| again)?|cheers|ta"
    r"|much appreciated"
)
_BYE = (
    r"(?:good ?)?bye(?: ?bye)?(?: now)?|goodbye then|see (?:you|ya)(?: later| soon| then)?|take care|farewell"
)
_NOTHING = (
    r"that(?:'?s|'?ll be| is| will be) (?:all|it)|nothing(?: else| more)?|that (?:about )?does it"
    r"|i'?m (?:good|done|all set|fine)"
)
_FILLER = (
    r"please|then|now|so|very|much|for (?:your|the|all your) help|for (?:booking|reserving) it|for me|and|but"
    r"|oh|well"
)
_MORE = (
    r"(?:are there |do you have |is there |have you got |let'?s (?:try|see) |show me |any ?"
    r"|i (?:want|need|prefer) )*(?:any |some )?"
    r"(?:other|another|different|more|something else|anything else|alternatives?|else)"
    r"(?: (?:options?|choices?|times?|dates?|days?|alternatives?|suggestions?|one|ones"
    r"|available))*(?: please)?"
)
_REPEAT = (
    r"(?:sorry,? )?(?:can|could|would) you (?:please )?(?:repeat|say) (?:it|that"
    r"|this)(?: again)?(?:,? please)?"
    r"|(?:please )?(?:repeat|say) (?:it|that)(?: again)?(?:,? please)?|(?:sorry,? )?what did you say"
    r"|come again|pardon(?: me)?"
)
_GREET = r"hi|hello|hey|hiya|good (?:morning|afternoon|evening|day)|hi there|hello there|hey there"
_BREAK = r"[\s,.!?;:-]*"


def _made_of(*parts: str) -> re.Pattern[str]:
    return re.compile(rf"{_BREAK}(?:(?:{'|'.join(parts)})(?!\w){_BREAK})+", re.I)


_ONLY = {
    "greet": _made_of(_GREET),
    "repeat": _made_of(_REPEAT),
    "more": _made_of(_MORE),
    "yes": _made_of(_YES, _THANKS, _FILLER),
    "no": _made_of(_NO, _NOTHING, _THANKS, _FILLER),
    "thanks": _made_of(_THANKS, _FILLER, r"ok|okay|great|perfect"),
    "goodbye": _made_of(_BYE, _THANKS, _FILLER, _NOTHING, r"ok|okay|no|great|perfect"),
}
"""What a message that means only this is made of."""

_HELD = {"yes": _YES, "no": _NO, "thanks": _THANKS, "goodbye": _BYE}
"""What it must hold at least once, in whole words."""


_SUREST = ("greet", "repeat", "more", "goodbye", "no", "thanks", "yes")
"""Which meaning counts when a message is made of the words of several."""


def meaning(message: str) -> str:
    """Return the one command that a short reply stands for; empty when it says anything else.

    "Ok, thank you" thanks: whoever only agrees is not done yet.
    """
    said = message.replace("’", "'").strip()
    fitting = [name for name, only in _ONLY.items() if only.fullmatch(said) and _holds(name, said)]
    return next(
        (name for name in ("greet", "repeat", "more", "goodbye", "no", "thanks", "yes") if name in fitting),
        "",
    )


def _holds(name: str, said: str) -> bool:
    return name not in _HELD or bool(re.search(rf"\b(?:{_HELD[name]})\b", said, re.I))
