"""Reads the plain answers that need no model: yes, no, a choice from a list, a greeting.

Strict on purpose: "yes but later" is no plain yes, and whatever is not plain goes on to the model.
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from chatbot.when.words import bare, listed, plain

_YES_SIGNS = frozenset("👍👌✅✔☑💯🆗")
_NO_SIGNS = frozenset("👎❌✖🚫🙅")
_DECORATION = re.compile(r"[\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")

_YES = frozenset(
    listed("""
    yes yeah yep yup yea ya yah yess yesss yas yass y ye aye ok okay okey okie k kk oki sure surething
    perfect correct right absolutely definitely certainly confirm confirmed confirming agreed agree
    great fine good works awesome excellent lovely affirmative accept indeed totally exactly cool
    alright si claro vale bueno perfecto correcto confirmo confirmar acuerdo dale bien bookit
""")
)
_NO = frozenset(
    listed("""
    no nope nah nop noo nooo n naw negative dont wrong incorrect not never isnt doesnt wont decline
    tampoco nunca incorrecto
""")
)
_FILLER = frozenset(
    listed("""
    a and ahead all am and at be by can do does done down e es esta este está eso fine for go good great
    i id ill im is it its just lets like look looks maam me mejor my now of oh on one please pls plz por
    favor gracias really sir so sound sounds sounded suits that thats thank thanks thx ty the then there
    this time to todo too u um uh ur very want way well will with work works would you your book it
    schedule that appointment appt slot de en la lo me muy mi problema problem quite rather right sorry
    thing yet
""")
)
_YES_PHRASES = re.compile(
    r"\b(?:no problem|no worries|why not|go ahead|go for it|do it|do that|lets do (?:it|that)|book it|"
    r"sounds? (?:good|great|perfect|fine)|of course|for sure|you bet|works for me|thats (?:right|"
    r"correct|fine|good|great|perfect|it|the one)|por supuesto|de acuerdo|esta bien|sin problema|"
    r"asi es)\b"
)
_NO_PHRASES = re.compile(
    r"\b(?:not (?:now|yet|really|that one|at all|today|this time)|id rather not|rather not|no way|"
    r"mejor no|please dont|do not|thats (?:not (?:right|correct|it|good)|wrong|incorrect)|ahora no)\b"
)

_UNSURE = re.compile(r"\b(?:not sure|dont know|no idea|no se|unsure)\b")

_ORDINALS = {
    "1st": 0, "first": 0, "primero": 0, "primera": 0, "primer": 0, "2nd": 1, "segundo": 1, "segunda": 1,
    "3rd": 2, "tercero": 2, "tercera": 2, "4th": 3, "cuarto": 3, "cuarta": 3, "5th": 4, "6th": 5, "7th": 6,
    "8th": 7, "9th": 8, "last": -1, "ultimo": -1, "ultima": -1, "bottom": -1, "top": 0, "earlier": 0,
    "earliest": 0, "sooner": 0, "soonest": 0, "later": -1, "latest": -1,
}  # fmt: skip
_SPELLED_ORDINALS = frozenset(
    {"first", "second", "third", "primero", "primera", "primer", "segundo", "segunda", "tercero", "tercera"}
)
_ONLY_OF_TWO = frozenset({"earlier", "sooner", "later"})
_PICKING = frozenset(
    listed("""
    the one ones please pls plz thanks thank you i ill id will would take like want go with lets do
    option number no choice slot works for me good is fine that thats yes yeah yep ok okay sure at on a
    an and appointment appt my let have give get prefer best great perfect book it dr doctor with el la
    los las de por favor gracias quiero si opcion numero a to can we just think suits reply um uh hmm
    then see location office visit
""")
)
_EITHER = re.compile(
    r"\b(?:either(?: one| of them| is fine| works)?|any(?: of (?:them|those|these)| one)?|whichever|"
    r"cualquiera)\b"
)


_ONE_AFTER_A_WORD = re.compile(r"(?<!number)(?<!option)(?<!choice)(?<=[\w]) ones?\b", re.IGNORECASE)
"""The "one" of "the second one", which is no number."""


class Courtesy(StrEnum):
    """A message that is nothing but manners; the values are names of commands."""

    GREET = "greet"
    THANKS = "thanks"
    GOODBYE = "goodbye"


def yes_or_no(text: str) -> bool | None:
    """Return True or False for a plain yes or no, None for anything that says more."""
    said, signs = _without_signs(text)
    if signs and not said:
        return {frozenset({True}): True, frozenset({False}): False}.get(frozenset(signs))
    if _UNSURE.search(said):
        return None
    yeses, said = _YES_PHRASES.subn(" ", said)[::-1]
    noes, said = _NO_PHRASES.subn(" ", said)[::-1]
    words = said.split()
    if not all(word in _YES or word in _NO or word in _FILLER for word in words):
        return None
    agrees = bool(yeses) or any(word in _YES for word in words)
    declines = bool(noes) or any(word in _NO for word in words)
    if declines and words[:1] and words[0] in _NO and not yeses:
        return False if not {"yes", "yeah", "yep", "si"} & set(words) else None
    return agrees if agrees != declines else None


def begins_with_yes(text: str) -> bool:
    """Say whether a message agrees before it says more: "yes, and what do I owe"."""
    said, signs = _without_signs(text)
    return any(word in _YES for word in said.split()[:2]) or bool(_YES_PHRASES.match(said)) or True in signs


def _without_signs(text: str) -> tuple[str, list[bool]]:
    text = _DECORATION.sub("", text)
    signs = [sign in _YES_SIGNS for sign in text if sign in _YES_SIGNS | _NO_SIGNS]
    words = re.sub(r"[^\w\s']", " ", bare(text)).replace("'", "")
    return " ".join(_unstretched(word) for word in words.split()), signs


def _unstretched(word: str) -> str:
    """Return "yesss" as "yes" and "okayyy" as "okay"."""
    return re.sub(r"(\w)\1{2,}$", r"\1", word)


def picked(text: str, choices: Sequence[str]) -> int | None:
    """Return the position of the one choice that a message picks, by number, place, time or name.

    `choices` are the labels as the patient saw them, in their order. None when the message fits
    none, fits several, or says anything more than which one.
    """
    if not choices:
        return None
    said = _picking_words(text)
    if _EITHER.fullmatch(" ".join(said)):
        return 0
    words = [word for word in said if word not in _PICKING]
    if not words:
        return None
    position = _by_place(words, len(choices))
    return position if position is not None else _by_label(words, choices)


def _picking_words(text: str) -> list[str]:
    text = _ONE_AFTER_A_WORD.sub(" ", text)
    return _clock_words(re.sub(r"(?<!\d)[.,]|[.,](?!\d)|[#()!?*]", " ", plain(text))).split()


def _clock_words(text: str) -> str:
    """Write every time as "10:30", with am or pm as a word of its own."""
    text = re.sub(r"\b(\d{1,2})\.(\d{2})\b", r"\1:\2", text)
    text = re.sub(r"(?<![:\d])(\d{1,2}) ?(am|pm)\b", r"\1:00 \2", text)
    text = re.sub(r"\b(\d{1,2}) oclock\b", r"\1:00", text)
    text = re.sub(r"\b(1[0-2]|[1-9]) (00|15|30|45)\b", r"\1:\2", text)
    return re.sub(r"\b(\d{1,2}:\d{2}) ?(am|pm)\b", r"\1 \2", text)


def _by_place(words: list[str], count: int) -> int | None:
    if len(words) != 1:
        return None
    word = words[0]
    if word.isdigit():
        return int(word) - 1 if 1 <= int(word) <= count else None
    position = _ORDINALS.get(word)
    if position is None or (word in _ONLY_OF_TWO and count != 2):
        return None
    return position % count if position < count else None


def _by_label(words: list[str], choices: Sequence[str]) -> int | None:
    labels = [set(_picking_words(choice)) for choice in choices]
    fits = [place for place, label in enumerate(labels) if all(_is_in(word, label) for word in words)]
    return fits[0] if len(fits) == 1 else None


def _is_in(word: str, label: set[str]) -> bool:
    return word in label or f"{word}:00" in label or re.sub(r"^(\d{1,2})(\d{2})$", r"\1:\2", word) in label


def is_ordinal(text: str) -> bool:
    """Say whether a message only picks by place: "the first one", where a number could be an hour."""
    said = [word for word in bare(text).replace("'", "").split() if word.strip(".,!") not in _PICKING]
    return len(said) == 1 and said[0].strip(".,!") in _SPELLED_ORDINALS


def digit(text: str) -> int | None:
    """Return the bare 1, 2 or 3 that a message is, the answer to "reply 1, 2 or 3"."""
    word = re.sub(r"\b(?:reply|option|number|please|pls|thanks|press)\b|[^\w\s]", " ", plain(text)).strip()
    return int(word) if word in {"1", "2", "3"} else None


_POLITE_FIRST = re.compile(
    r"^(?:(?:hi|hello|hey|hola|oh|oh no|ok|okay|sorry|so sorry|im sorry|unfortunately|im afraid|"
    r"thanks|thank you|actually|lo siento|gracias|good (?:morning|afternoon|evening))\s+)+"
)
_POLITE_LAST = re.compile(
    r"(?:\s+(?:thanks|thank you|thx|ty|so much|sorry|please|pls|gracias|por favor|again|unfortunately))+$"
)


def without_manners(text: str) -> str:
    """Return the words of a message: small, without signs, and without what is only polite around them."""
    said, _ = _without_signs(text)
    return _POLITE_LAST.sub("", _POLITE_FIRST.sub("", said))


_GREETING = re.compile(
    r"(?:(?:hi+|hey+|hello+|hiya|howdy|greetings|yo|sup|hola|buen[oa]s(?: dias| tardes| noches)?|"
    r"good (?:morning|afternoon|evening|day)|morning|evening|whats up|how are (?:you|u|"
    r"ya)(?: doing)?(?: today)?|hows it going|que tal|is anyone there|anyone there|there|everyone|team|"
    r"doc|again|all|yall|folks|como estas?|who (?:is|are) (?:this|you)|whos this|quien es)\s*)+"
)
_THANKING = re.compile(
    r"(?:(?:ok|okay|great|perfect|awesome|cool|good|alright|oh|wow|no|yes|got it|sounds good|all set|"
    r"that helps?|that is all|thats (?:all|great|it|perfect|very helpful|helpful)|muchas|mil|very much|"
    r"so much|a lot|a (?:bunch|million|ton)|again|kindly|for (?:the|your|all your|all the) (?:help|info|"
    r"information|time|quick (?:reply|response))|for (?:that|everything|helping(?: me)?|"
    r"letting me know)|you(?: guys)? (?:are|re) (?:the best|awesome|great|a lifesaver|very (?:kind|"
    r"helpful))|youre (?:the best|awesome|great|a lifesaver)|(?P<thanks>thanks?(?: you| u| ya)?|"
    r"thankyou|thx|tysm|ty|tyvm|thnx|tnx|cheers|gracias|appreciate (?:it|that|your help)|"
    r"much appreciated|i appreciate (?:it|that|you|your help)))\s*)+"
)
_PARTING = re.compile(
    r"(?:(?:ok|okay|great|thanks?(?: you)?|thx|gracias|so much|well|alright|all set|that is all|"
    r"thats all|for now|(?P<bye>bye+|goodbye|bye bye|good bye|cya|see (?:you|ya|u)(?: (?:then|later|"
    r"soon|there|tomorrow|monday|tuesday|wednesday|thursday|friday))?|talk (?:to you )?(?:later|soon)|"
    r"ttyl|later|have a (?:good|great|nice|lovely|wonderful)(?: rest of (?:your|the))? (?:day|one|night|"
    r"evening|weekend|week)|good ?night|take care|adios|hasta (?:luego|pronto|manana)|chao|nos vemos)|"
    r"you too|now|then)\s*)+"
)


_PAUSE = re.compile(
    r"(?:(?:ok|okay|um|uh|hmm|yes|sure|please|wait|hang on|hold on|one (?:sec|second|moment|minute|min)|"
    r"(?:give me|gimme|just|need) (?:a |one )?(?:sec|second|moment|minute|min|bit)|just|brb|i(?:ll| will)?|"
    r"(?:let me|need to|have to|gotta|can i|i want to|id like to) (?:check|ask|see|think|look|talk to|"
    r"confirm)(?: (?:it|this|that|about it|first|quick|real quick|again))*"
    r"(?: (?:with|w|at|on|in|my|our|the|his|her))*(?: (?:husband|wife|mom|mother|dad|father|boss|partner|"
    r"son|daughter|calendar|schedule|work|job|family|spouse|kids?|ride))?(?: first)?|"
    r"(?:ill |i will )?get back to you(?: (?:soon|later|in a (?:bit|minute)))?|"
    r"un momento|momentito|espera)\s*)+"
)


def asks_for_time(text: str) -> bool:
    """Say whether a message only asks to wait: "hold on, let me check with my husband"."""
    said = without_manners(text)
    return bool(_PAUSE.fullmatch(said)) and bool(_NEEDS_TIME.search(said))


_NEEDS_TIME = re.compile(
    r"\b(?:wait|hang on|hold on|sec|second|moment|minute|min|bit|brb|check|ask|see|think|look|talk to|"
    r"confirm|get back|momento|momentito|espera)\b"
)


def courtesy(text: str) -> Courtesy | None:
    """Return the courtesy that a whole message is, None when it says anything else."""
    said, _ = _without_signs(re.sub(r"[\U0001f300-\U0001faff\u2600-\u27bf]", " ", text))
    if (parting := _PARTING.fullmatch(said)) and parting["bye"]:
        return Courtesy.GOODBYE
    if (thanking := _THANKING.fullmatch(said)) and thanking["thanks"]:
        return Courtesy.THANKS
    return Courtesy.GREET if _GREETING.fullmatch(said) else None
