"""Which words give away what a patient wants: one table, read from the top."""

import re
from collections.abc import Collection

from chatbot.commands import GENERAL_COMMANDS
from chatbot.when.words import bare

_VISIT = (
    r"(?:appointments?|appts?|apt|exams?|visits?|bookings?|fittings?|check ?-?ups?|cita|citas|consulta|"
    r"examen|reservation|field tests?|visual fields?)"
)
_GOODS = (
    r"(?:glasses|contacts|contact lens(?:es)?|lens(?:es)?|orders?|frames?|sunglasses|shades|specs|"
    r"spectacles|readers|bifocals|progressives|lentes|gafas|anteojos|pedido)"
)
_FRAMES = r"(?:glasses|frames?|specs|spectacles)"
_SET_RIGHT = r"(?:tighten|adjust|straighten|fix|repair)(?:ing|ed)?\b"
_RECORD = r"\b(?:address|phone number|email|e-mail|insurance (?:card|info)|password|last name|pharmacy)\b"

_INTENTS: tuple[tuple[str, str], ...] = (
    (
        "handoff",
        r"\b(?:(?:talk|speak|chat|spk|connect\w*|transfer\w*|patch|put) (?:me )?(?:to|with|through)|"
        r"get me|reach|want|need) (?:\w+ ){0,3}(?:person|human|someone|somebody|agent|rep|"
        r"representative|staff|receptionist|front desk|manager|operator|nurse|real people)\b|\b(?:real|"
        r"actual|live) (?:person|human|people|agent)\b|^(?:human|agent|operator|representative|person|"
        r"receptionist)\b|\b(?:call|phone|ring) me(?: back)?\b|have (?:someone|somebody|one of you|"
        r"the office) (?:call|phone|contact|text)|(?:you|u|this|bot) (?:are|re|is|r)(?: so| just|"
        r" totally| really)? (?:useless|stupid|ridiculous|terrible|awful|a joke|not helping|no help)|"
        r"(?:youre|your) (?:useless|stupid|not helping|no help)|(?:complaint|complain)\b|"
        r"hablar con (?:una persona|alguien)|\bcustomer service\b",
    ),
    (
        "repeat",
        r"\b(?:repeat (?:that|it|please)|say (?:that|it) again|come again|what did you (?:say|just say)|"
        r"what was that|pardon|didnt (?:catch|get|see) that|otra vez|one more time|send (?:that|"
        r"it) again)\b|^(?:repeat|huh|what)\W*$",
    ),
    (
        "pay_balance",
        r"\b(?:pay(?:ing)?|settle|clear|take care of) (?:\w+ ){0,4}(?:bills?|balance|owe|off|statement|"
        r"dues?|amount|invoice|account|it(?: now| online)?$|online|now|charges?)\b|\bmake a payment\b|"
        r"\b(?:payment|pay) link\b|\b(?:pagar)\b|\b(?:can|could|may) i (?:just )?pay\b(?! (?:in|over|"
        r"with|by) )|\b(?:want|like|ready) to pay\b",
    ),
    (
        "balance",
        r"\b(?:how much|what) (?:do|did|does|would) (?:i|we|my \w+) (?:still |currently )?owe\b|"
        r"\bowe (?:you|u|anything|money|y'?all)\b|\b(?:my|our|the|any|outstanding|remaining|current|"
        r"account|unpaid) (?:\w+ )?balance\b|^balance\b|\bamount (?:due|owed)\b|\banything (?:due|"
        r"outstanding|owed)\b|\b(?:my|the|our) (?:last |latest |current )?(?:bill|statement|charges|"
        r"invoice|dues)\b|\b(?:how much is|what is|whats|why is) (?:my|the) (?:\w+ )?(?:bill|balance)\b|"
        r"\bi (?:still )?owe\b|cuanto (?:les )?debo|mi saldo|\bdues\b|\bbeen charged\b",
    ),
    (
        "order_status",
        rf"\b(?:status|track(?:ing)?|update|news|word|check(?:ing)? on|follow(?:ing)? up on|where|when|"
        rf"whats going on with|eta|hows)\b"
        rf"(?! do you).*\b(?:my|our|the|her|his|mis|new|son'?s|daughter'?s) (?:\w+ ){{0,3}}{_GOODS}\b|"
        rf"\b(?:my|our|the|her|his|mis|new) (?:\w+ ){{0,3}}{_GOODS}\b.*\b(?:ready|in yet|is in|are in|"
        rf"come in|came in|"
        rf"arriv\w*|here|ship\w*|done|taking|back|yet|"
        rf"delayed|late|listos?|listas?|pick ?up|at|status)\b|"
        rf"\b(?:are|is|have|has|did|r) (?:my|our|the|her|his|son'?s) (?:\w+ ){{0,3}}{_GOODS}\b|"
        rf"\b{_GOODS} (?:ready|in|here|done|status)\b|\border status\b|\bstatus of (?:my |the )?order\b|"
        rf"\bpick (?:them|it|those) up\b|\b(?:pick up|pickup) my (?:\w+ ){{0,2}}{_GOODS}\b|\bestan listos\b|"
        rf"\b(?:llegaron|llego|listos|listas) (?:ya )?(?:mis?|los|las|el|la) {_GOODS}\b",
    ),
    (
        "list_appointments",
        rf"\bwh?en(?:s|'s| is| are| was|) (?:my|our) (?:\w+ ){{0,3}}{_VISIT}\b|\bwhat (?:time|day|date) "
        rf"(?:is|are|was|do) (?:my|our|i)\b|"
        rf"\bdo (?:i|we) (?:still )?have (?:an|any|a)(?: \w+){{0,2}} {_VISIT}\b|\b(?:am i|are we) "
        rf"(?:still )?(?:scheduled|booked|down|on)\b|"
        rf"\b(?:upcoming|next|future|current) {_VISIT}\b(?! (?:available|open))|\bremind me (?:when|what)\b|"
        rf"\b(?:list|show|see|check|view|look up|confirm|what are|tell me) (?:me )?(?:all )?(?:my|"
        rf"our)(?: \w+){{0,2}} {_VISIT}\b|"
        rf"\bwhen (?:do|am|should) i (?:come|supposed|go|need to be|see)\b|\bcuando es mi\b|\bdid i "
        rf"(?:book|schedule|make)\b|"
        r"\bwhat (?:time|day)(?: is (?:it|that)| was (?:it|that))? again\b|"
        r"^what (?:time|day)(?: is it| was it)?\W*$|\bis it (?:still )?with (?:dr|doctor)\b|"
        rf"\bwho (?:is|am) (?:i seeing|my (?:appointment|exam) with)\b|\bforgot (?:when|what time|my "
        rf"{_VISIT})",
    ),
    (
        "reschedule_appointment",
        rf"\b(?:reschedul\w*|resched|re-schedul\w*|postpone|rebook|re-book)\b|"
        rf"\b(?:move|change|switch|push|bump|swap|shift|delay|cambiar|mover)\b.*\b(?:{_VISIT}|it|time|"
        rf"day|date|mine|me|to|back)\b|"
        rf"\bmake it\b.*\b(?:instead|later|earlier|\d)|\b(?:can|could) (?:we|i|you|u) (?:do|"
        rf"make)\b.*\binstead\b|\bdifferent (?:day|time) for my\b|\b(?:an?other|"
        rf"different|earlier|later) (?:day|time|date)"
        rf" for (?:my|the) {_VISIT}|\b(?:an? )?(?:earlier|later|sooner) {_VISIT}\b|"
        r"\b(?:can'?t|cannot|wont|won'?t|not|unable|not able|couldnt) (?:be able )?(?:to )?(?:make|"
        r"attend|come to|come in)\b",
    ),
    (
        "cancel_appointment",
        rf"\b(?:cancel\w*|cxl|call off|get rid of|drop|scrap|delete|remove|take me off|"
        rf"anular)\b(?!.*\b(?:policy|fee|charge)\b)|"
        rf"\bdo(?:n'?t| not) (?:need|want)\b.*\b{_VISIT}\b|\bno longer need\b",
    ),
    (
        "book_appointment",
        rf"\b{_FRAMES}(?: \w+)? (?:{_SET_RIGHT})|\b(?:adjust|tighten|straighten|fix|repair) (?:my |the |"
        rf"these )?{_FRAMES}\b|\b{_FRAMES} (?:\w+ ){{0,3}}(?:loose|crooked|bent|slipping|sliding|lopsided)\b",
    ),
    (
        "ask_practice",
        r"\b(?:hours|open|close[sd]?|closing|accept|insurance|vsp|eyemed|medicare|medicaid|aetna|cigna|"
        r"davis vision|spectera|cost|costs|price|prices|pricing|expensive|park|parking|address|located|"
        r"directions|how (?:do|can) i get (?:to|there)|bus|dilat\w*|drive|bring|policy|refunds?|return|"
        r"warranty|guarantee|fax|phone number|email|wheelchair|accessible|walk ?-?ins?|how (?:long|"
        r"often|old|early)|should i|copay|co-pay|hsa|fsa|financing|payment plans?|apple pay|"
        r"credit cards?|speak spanish|language|after hours|privacy|hipaa|records|referral|copy of|"
        r"prescription|what happens|do you (?:do|offer|have|sell|carry|take|treat|see|fix|repair|fit|"
        r"work|charge|provide|replace|adjust)|what is the difference|cancellation|fee|late|expire|lasik|"
        r"cataract|glaucoma|swim|shower|sleep in|makeup|wear my contacts|eye drops|is it (?:safe|ok)|"
        r"hablan|horario|seguro|abierto|abren|cierran|donde estan)\b",
    ),
    (
        "book_appointment",
        rf"\b(?:book|schedul\w*|make|set up|arrange|get|needs?|wants?|wanna|like|have|hacer|quiero|"
        rf"necesito|due for|fit me in for|any) (?:\w+['s]* ){{0,5}}{_VISIT}\b|"
        rf"\b(?:book|schedule|agendar)\b|\b(?:come|get|fit|squeeze|bring)(?: \w+){{0,2}} in\b|\beyes? "
        rf"(?:checked|tested|examined|looked at)\b|"
        r"\b(?:see|seen by) (?:the |an? )?(?:dr|doctor|eye doctor|optometrist|doc)\b|\b(?:openings?|"
        r"availability|available|free slots?)\b|"
        rf"\b(?:time|overdue|due) for (?:my|an?|our|his|her) (?:\w+ ){{0,3}}{_VISIT}|^(?:an? )?(?:new "
        rf")?(?:\w+ ){{0,3}}{_VISIT}\b|\bcita\b|"
        r"\bhave anything\b|\bnew (?:glasses|prescription|contacts)\b|\b(?:try|get fitted for|"
        r"fitted for) contact",
    ),
)
"""Every intent with its keywords, the more telling first; the first that fits a clause wins."""

_CLAUSE = re.compile(r"[.?!;]\s+|,? \b(?:and|also|but|then)\b ")

_PERSON_OR_PATIENCE = re.compile(
    r"\b(?:persons?|humans?|people|some(?:one|body)|staff|desk|agent|operator|representative|manager|nurse|"
    r"receptionist|colleague|(?:call|phone|ring|text) me|robot|bot|machine|useless|circles|frustrat\w*|"
    r"ridiculous|stupid|worst|angry|upset|annoy\w*|joke|hate|fed up|waste|terrible|awful|enough|persona|"
    r"alguien|humano)\b"
)

_NOT_FOR = {
    "handoff": r"\bsome(?:one|body)(?: else)?(?: to)? (?:drive|come with|go with|take me|bring me|pick me)\b",
    "reschedule_appointment": _RECORD,
    "balance": r"\bpayment plan\b",
    "pay_balance": (
        r"\b(?:pay in|payment plan|do you (?:take|accept)|can i pay (?:with|by|over|in)|ways? to pay|"
        r"have to pay|pay for)\b"
    ),
    "order_status": (
        r"\b(?:how long do|how much|do you|order (?:more|new|another)|reorder|buy|wear|clean|broke\w*|"
        r"scratch\w*|bent|lost|warranty|adjust\w*|tighten\w*|loose|crooked|fix\w*|repair\w*|straighten\w*|cost|price|fitting|prescription)\b"
    ),
    "list_appointments": r"\b(?:change|move|cancel|reschedule|how long)\b",
    "book_appointment": r"\bhow (?:long|often|old|much)\b|\bwhat age\b|\bdo (?:i|we) have (?:any|an)\b|"
    r"\bstill have\b|\bdid i\b",
    "ask_practice": r"\b(?:do you have (?:any ?thing|any|something|a|an|time|room|slots?|"
    r"openings?)\b(?!.*\b(?:parking|payment|discount|insurance|warranty|frames|kids)))|\b(?:late|"
    r"open) (?:in the|slot|appointment|afternoon)|\bslots? open|\bprescription (?:check|exam)",
}
"""Words that speak against an intent whose keywords fit."""


def intent(text: str, among: Collection[str]) -> str:
    """Return the first of these commands whose keywords stand in a text; empty when none does."""
    said = keys(text)
    return next((name for name, pattern in _INTENTS if name in among and _fits(name, pattern, said)), "")


def hints_at(name: str, text: str) -> bool:
    """Say whether any clause holds a keyword of a command; of a task without keywords nothing is known."""
    patterns = [pattern for known, pattern in _INTENTS if known == name]
    if not patterns:
        return name not in GENERAL_COMMANDS
    clauses = _CLAUSE.split(keys(text))
    return any(re.search(pattern, clause) for pattern in patterns for clause in clauses)


def speaks_of_a_person(text: str) -> bool:
    """Say whether a text speaks of people to talk to, or is out of patience."""
    return hints_at("handoff", text) or bool(_PERSON_OR_PATIENCE.search(keys(text)))


def keys(text: str) -> str:
    """Return the text as the keywords are written: small letters, no accents, no apostrophes."""
    return bare(text).replace("'", "")


def _fits(name: str, pattern: str, said: str) -> bool:
    against = _NOT_FOR.get(name)
    return bool(re.search(pattern, said)) and not (against and re.search(against, said))
