"""Finds the words of a message that fill an argument, exactly as the patient wrote them."""

import re

from chatbot import when

_VISIT_TYPES = re.compile(
    r"\b(?:(?:full |complete |comprehensive |routine |annual |yearly |regular |normal |basic |"
    r"new patient |diabetic |dilated |pediatric |paediatric |kids?'? |kid's |children'?s |child'?s |"
    r"school |first |medical |yearly )*(?:eye|vision|eyes|sight|retina|retinal|glaucoma|contacts?|"
    r"contact lens|cl|glasses|dry eye|lens|diabetic) (?:exams?|examination|tests?|check(?: ?-?ups?)?|"
    r"fitting|screening|follow ?-?up|evaluation|adjustment|refit|appointment|visit|photos?|imaging)|"
    r"(?:full |comprehensive |routine |annual |yearly |regular |new patient |dilated |pediatric |"
    r"urgent |emergency |diabetic )+(?:exam|check ?-?up|visit|appointment)|"
    r"(?:contact lens|contacts?|cl) (?:fitting|exam|check|follow ?-?up)|"
    r"follow ?-?up(?: visit| appointment| exam)?|post ?-?op(?: visit| check)?|"
    r"(?:kids?'?|kid's|child'?s|children'?s|school|diabetes) (?:exam|check ?-?up|visit|appointment)|"
    r"frame adjustment|adjustment|check ?-?up|fitting|eyes? (?:checked|tested|examined)|(?:get |"
    r"be )?fitted for contacts?(?: lenses)?|(?:try|get|new) contacts|new (?:glasses|prescription)|"
    r"(?:visual )?fields? test(?:ing)?|visual fields?(?: exam)?|"
    r"examen(?: de (?:la )?(?:vista|ojos))?|"
    r"revision de la vista|(?:adjust|tighten|fix|straighten|repair) (?:my |the |these |some )?(?:glasses|"
    r"frames?|specs)|(?:my |the )?(?:glasses|frames?|specs) (?:adjusted|tightened|fixed|straightened|"
    r"repaired)|tighten(?:ing|ed)?|(?:annual|yearly)(?= (?:with|on|at|in|please|next|this)\b|[.,!?]|$)|"
    r"exam)\b",
    re.IGNORECASE,
)
_NO_NAME = (
    r"(?:the|an?|my|our|your|you|u|me|us|him|her|them|it|this|that|these|those|who|whom|whoever|what|which|"
    r"any|anyone|anybody|someone|somebody|either|insurance|vsp|eyemed|medicare|medicaid|aetna|cigna|"
    r"contacts?|glasses|lens(?:es)?|cash|card|pain|no|not|new|no one|kids?|children|drops|blurry|all|both|"
    r"today|tomorrow|next|on|in|at|to|about|and|or|as|if|so|more|some|two|one|out|everyone|people|dr|doctor|"
    r"doc|dra|doctora|eye|eyes|same|whichever|whatever|regard\w*|respect|only|just|well|clearly|double|"
    r"better|fine|far|near|how|when|where|why|there|availability)\b"
)
"""What follows "with" or "see" and is nobody's name."""

_PROVIDER = re.compile(
    rf"\b(?:(?:(?<=\bwith )|(?<=\bw )|(?<=\bw/ ))(?!{_NO_NAME})[a-z][a-z'-]{{2,}}|"
    rf"(?<=\bsee )(?!{_NO_NAME})[a-z][a-z'-]{{2,}}(?= (?:on|in|at|next|this|tomorrow|instead|please|again)\b|"
    r"[.,!?]*$)|(?:dr|doctor|doc|dra|doctora)\.? (?!who\b|in\b|is\b|for\b|and\b|or\b|to\b|on\b|at\b|"
    r"about\b|said\b|told\b|appointment|visit)[a-z][a-z'-]+|(?:any|either|whichever|whatever) (?:doctor|dr|"
    r"provider|optometrist)|(?:any|no) ?(?:one|body)(?= (?:is|works|available))|"
    r"(?<=\bwith )(?:any ?(?:one|body)|whoever)\b|no preference|"
    r"whoever(?: is)?(?: available)?|same (?:doctor|dr|one)(?: as last time)?)",
    re.IGNORECASE,
)
_LOCATION = re.compile(
    r"\b(?:(?:the|your) )?(?!(?:your|the|my|our|this|that|doctors?|dr|eye|post)\b)[a-z]+(?: (?:street|"
    r"st|ave|avenue|road|park|side|hill))? (?:office|location|clinic|branch)\b|\b(?:downtown|uptown|"
    r"midtown|main street|main st|riverside|lakeside|westside|eastside)\b",
    re.IGNORECASE,
)
_WHICH_VISIT = re.compile(
    r"\b(?:my|the|our|that|his|her|(?:my )?(?:son|daughter|kid|child|husband|wife|mom|dad|mother|"
    r"father)'?s) (?P<which>(?:(?!appointment|appt|exam|visit|to\b|and\b|"
    r"for\b)[\w':./-]+ ){1,5}?)(?:appointment|appt|apt|exam|visit|fitting|check ?-?up|one|booking|"
    r"follow ?-?up)\b|\b(?:my|the) (?:contact lens |eye |vision )?(?:fitting|check ?-?up|follow ?-?up)\b",
    re.IGNORECASE,
)
_SAYS_NOTHING = frozenset({"next", "upcoming", "current", "eye", "existing", "scheduled", "an"})
_ORDER = re.compile(
    r"\b(?:(?:my|our|the|her|his|their|new|those|mis|(?:my )?(?:son|daughter|kid|child|husband|"
    r"wife)'?s) )*(?:(?:new|other|second|prescription|reading|computer|daily|monthly|trial|progressive|"
    r"bifocal|kids'?|blue|black|rx|colored) )*(?:glasses|contacts|contact lens(?:es)?|lenses|frames|"
    r"sunglasses|shades|specs|spectacles|readers|bifocals|progressives|lentes|gafas|anteojos)\b",
    re.IGNORECASE,
)
_INSTEAD_OF = re.compile(r"(.*)\binstead of\b(.*)", re.IGNORECASE)
_CHOICE = re.compile(
    r"\b(?:the )?(?:(?:first|second|third|fourth|fifth|last|later|earlier|earliest|latest|other|next|"
    r"1st|2nd|3rd|4th|middle)(?: (?:one|option|slot|time|choice))?|(?:option |number |no\.? |"
    r"# ?)\d{1,2}|\d{1,2}(?:[:.]\d{2})?(?: ?[ap]m)?)\b|#\d\b",
    re.IGNORECASE,
)
_EDGE_COURTESY = re.compile(
    r"^(?:(?:hi|hello|hey|hola|good (?:morning|afternoon|evening)|ok|okay|thanks|thank you|so|um|uh|"
    r"quick question|just wondering|and|also|oh|but|there|yes|no|wait|actually|well|first|"
    r"one more thing)\b[\s,.!:-]*)+|[\s,.!-]*(?:\b(?:thanks|thank you|thx|ty|gracias|please|"
    r"pls)(?: so much| in advance)?[\s.!]*)+$",
    re.IGNORECASE,
)
_FILLERS_OF_ANSWER = re.compile(
    r"^(?:(?:i think|i guess|i'd like|i would like|i want|i need|it's|its|it is|that's|for|just|the one|"
    r"probably|maybe|um|uh|let's do|lets do|make it|how about|can we do|could we do|what about|please|"
    r"my|a|an|the|with|at|i'll take|ill take|give me|yes|ok|sure|to see|see|no)\b[\s,]*)+",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.?!]+(?=\s|$)")
_CLAUSE_END = re.compile(
    _SENTENCE_END.pattern + r"|,? (?:and|also|but) (?=(?:also|can|could|when|what|how|do|is)\b)"
)
_TO = re.compile(r"(?P<visit>.+?)(?: back| forward)? (?:to|until|till|para) (?P<wish>.+)", re.IGNORECASE)
_HEAD = re.compile(r"^(?:(?:for|at|with|to|please|just|maybe|i think)\b[\s,]*)+(?=\w{3})", re.IGNORECASE)
_TAIL = re.compile(
    r"[\s,]+(?:works?|(?:is|are|would be|will be)(?: (?:fine|best|good|great|ok|okay|better))?|please|pls|"
    r"thanks|thank you|instead|if (?:possible|you can)|for me|i (?:think|guess)|with|w|to|at|for|and|or)$",
    re.IGNORECASE,
)
_EMPTY = {
    "appointment": re.compile(
        r"(?:(?:my|our|the|an?|mi|scheduled|current|existing) )*(?:appointments?|appts?|apt|"
        r"visit|booking|cita|it|that|this|one|earlier|later|sooner)",
        re.IGNORECASE,
    ),
    "order": re.compile(r"(?:.* )?(?:my|the|an|mi|our)? ?(?:orders?|pedido|it|they|them)", re.IGNORECASE),
    "provider": re.compile(rf"(?!any ?one|any ?body|whoever|whichever|either){_NO_NAME}", re.IGNORECASE),
}
"""Words that name no visit, no order and nobody in particular."""

LONGEST_ANSWER = 8
"""Words of a message that can as a whole be the answer to what was asked."""


def every(text: str) -> dict[str, str]:
    """Return every argument that is easily seen in a text."""
    found = {
        "visit_type": _first(_VISIT_TYPES, text),
        "slot": when.find(text),
        "provider": _first(_PROVIDER, text),
        "location": _first(_LOCATION, text),
        "appointment": which_visit(text),
        "order": _first(_ORDER, text),
    }
    return {name: span.strip() for name, span in found.items() if span and span.strip()}


def moved(text: str) -> dict[str, str]:
    """Return the arguments of a request to move a visit: what is moved, to when and to whom."""
    return _moved(text) | (
        {"provider": [*_PROVIDER.finditer(text)][-1].group()} if _PROVIDER.search(text) else {}
    )


def _moved(text: str) -> dict[str, str]:
    if match := _INSTEAD_OF.match(text):
        wanted, given_up = match.groups()
        return every(wanted) | ({"appointment": said} if (said := when.find(given_up)) else {})
    visit = which_visit(text)
    rest_from = text.find(visit) + len(visit) if visit else 0
    found = every(text[:rest_from]) | every(text[rest_from:]) if visit else every(text)
    found.pop("appointment", None)
    if visit:
        found["appointment"] = visit
        found.pop("slot", None)
        if slot := when.find(text[rest_from:]):
            found["slot"] = slot
    else:
        found |= _from_to(text)
    return {name: span for name, span in found.items() if span}


def _from_to(text: str) -> dict[str, str]:
    """Return "tuesday" and "friday" for "from tuesday to friday" and for "can't on tuesday, friday?"."""
    for match in reversed(list(re.finditer(r"\b(?:to|para)\b", text, re.IGNORECASE))):
        old, new = when.find(text[: match.start()]), when.find(text[match.end() :])
        if old and new:
            return {"appointment": old, "slot": new}
    runs = when.find_all(text)
    return {"appointment": runs[0], "slot": runs[-1]} if len(runs) > 1 else {}


def which_visit(text: str) -> str | None:
    """Return the words that tell one visit from the others: "my tuesday appointment"."""
    for match in _WHICH_VISIT.finditer(text):
        words = (match["which"] or "").split()
        if match["which"] is None or any(word.casefold() not in _SAYS_NOTHING for word in words):
            return match.group()
    return None


def question(text: str) -> str:
    """Return a question without the manners around it."""
    return _EDGE_COURTESY.sub("", text).strip(" ,") or text.strip()


def to_its_end(part: str, text: str, *, is_alone: bool) -> str:
    """Return a part of a question with the rest of its sentence, without the manners around them.

    What stands beside other requests ends where the next clause begins.
    """
    end = _SENTENCE_END if is_alone else _CLAUSE_END
    start = text.casefold().find(part.casefold())
    ends = (match.start() for match in end.finditer(text))
    last = min((end for end in ends if end >= start + len(part)), default=len(text))
    return question(text[start:last])


def from_and_to(text: str) -> tuple[str, str]:
    """Return "my exam" and "friday" for "my exam to friday"; the second is empty where there is no wish."""
    match = _TO.match(text)
    return (match["visit"], match["wish"]) if match and when.find(match["wish"]) else (text, "")


_CHANGES_TO = re.compile(
    r"\b(?:make (?:it|that|this)|(?:it|that|this|visit|appointment) (?:to|for))\s*$", re.IGNORECASE
)


def wished_for_instead(visit: str, message: str) -> str:
    """Return words that were taken for a visit but say when it should be: "the week after" in "make it …"."""
    start = message.casefold().find(visit.casefold()) if visit else -1
    is_time = start >= 0 and when.find(visit) == visit
    return visit if is_time and _CHANGES_TO.search(message[:start]) else ""


def joined(first: str, second: str, message: str) -> str:
    """Return the run of the message from the first span to the end of the second, where it comes later."""
    lowered = message.casefold()
    start = lowered.find(first.casefold())
    end = lowered.find(second.casefold(), start) if second else -1
    return message[start : end + len(second)] if end > start else first


def trimmed(span: str) -> str:
    """Return a detail without the words around it that say nothing of it."""
    return _TAIL.sub("", _HEAD.sub("", span.strip())).strip(" ,.!") or span


def says_nothing(name: str, span: str) -> bool:
    """Say whether words that were taken for a detail tell nothing: "my appointment", "my order", "me"."""
    empty = _EMPTY.get(name)
    return bool(empty and empty.fullmatch(span))


def answer(text: str, asked: str) -> str | None:
    """Return the words of a short message that answer what was asked; None for a long one or a question."""
    if asked == "slot" and (choice := _first(_CHOICE, text)):
        return choice
    stripped = question(text)
    if "?" in text or len(stripped.split()) > LONGEST_ANSWER:
        return None
    return _FILLERS_OF_ANSWER.sub("", stripped).strip(" .,!") or None


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match.group() if match else None
