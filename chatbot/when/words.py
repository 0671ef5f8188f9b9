"""Turns what people type into one plain spelling: English, small letters, digits, no accents."""

import re
import unicodedata
from difflib import get_close_matches

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


def listed(words: str) -> tuple[str, ...]:
    """Return the words of a text; vocabularies read better without quotes and commas."""
    return tuple(words.split())


_KNOWN = frozenset(
    (
        *WEEKDAYS,
        *(f"{day}s" for day in WEEKDAYS),
        *MONTHS,
        *listed("tomorrow yesterday morning mornings afternoon afternoons evening evenings weekend weekends"),
    )
)
_LONG = sorted(word for word in _KNOWN if len(word) >= 6)

_SHORT = {
    "fortnight": "2 weeks", "min": "minutes", "mins": "minutes",
    "mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday", "weds": "wednesday",
    "thu": "thursday", "thur": "thursday", "thurs": "thursday", "fri": "friday", "sat": "saturday",
    "sun": "sunday", "jan": "january", "feb": "february", "mar": "march", "apr": "april", "jun": "june",
    "jul": "july", "aug": "august", "sep": "september", "sept": "september", "oct": "october",
    "nov": "november", "dec": "december", "tmrw": "tomorrow", "tmr": "tomorrow", "tmw": "tomorrow",
    "tmrow": "tomorrow", "tom": "tomorrow", "tomo": "tomorrow", "2morrow": "tomorrow", "2moro": "tomorrow",
    "2mrw": "tomorrow", "tomoz": "tomorrow", "2day": "today", "tday": "today", "2nite": "tonight",
    "tonite": "tonight", "nite": "night", "aft": "afternoon", "arvo": "afternoon",
    "morn": "morning", "mornin": "morning", "nxt": "next", "wk": "week", "wks": "weeks",
    "wkend": "weekend", "hrs": "hours", "hr": "hour", "btw": "between", "btwn": "between", "b4": "before",
    "bf": "before", "aftr": "after", "arnd": "around", "w/e": "weekend", "noonish": "noon ish",
    "thru": "through", "til": "until", "till": "until", "any1": "anyone", "wknd": "weekend",
    "upcoming": "coming",
}  # fmt: skip

_UNITS = listed("one two three four five six seven eight nine ten eleven twelve")
_CARDINALS = {word: str(number) for number, word in enumerate(_UNITS, 1)} | {
    "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18",
    "nineteen": "19", "twenty": "20", "thirty": "30", "forty": "40", "fourty": "40", "fifty": "50",
}  # fmt: skip
_ORDINAL_UNITS = listed("first second third fourth fifth sixth seventh eighth ninth")
_ORDINALS = dict(zip(_ORDINAL_UNITS, listed("1st 2nd 3rd 4th 5th 6th 7th 8th 9th"), strict=True)) | {
    "tenth": "10th", "eleventh": "11th", "twelfth": "12th", "thirteenth": "13th", "fourteenth": "14th",
    "fifteenth": "15th", "sixteenth": "16th", "seventeenth": "17th", "eighteenth": "18th",
    "nineteenth": "19th", "twentieth": "20th", "thirtieth": "30th",
}  # fmt: skip
_TENS = {"twenty": 2, "thirty": 3, "forty": 4, "fifty": 5}

_SPANISH = (
    (r"\bpasado manana\b", "day after tomorrow"),
    (r"\b(?:por|en|de|a) la manana\b", "in the morning"),
    (r"\b(?:por|en|de|a) la tarde\b", "in the afternoon"),
    (r"\b(?:por|en|de|a) la noche\b", "in the evening"),
    (r"\bmediodia\b", "noon"),
    (r"\bmanana\b", "tomorrow"),
    (r"\bhoy\b", "today"),
    (r"\b(?:la )?(?:proxima semana|semana proxima|semana que viene)\b", "next week"),
    (r"\besta semana\b", "this week"),
    (r"\b(?:el )?(?:proximo mes|mes que viene)\b", "next month"),
    (r"\beste mes\b", "this month"),
    (r"\b(?:este |el )?fin de semana\b", "weekend"),
    (r"\b(?:lo (?:antes|mas pronto) posible|cuanto antes)\b", "asap"),
    (r"\b(?:a cualquier hora|cualquier dia|cuando sea)\b", "any time"),
    (r"\bdespues de(?:l)?(?: las?)?\b", "after"),
    (r"\bantes de(?:l)?(?: las?)?\b", "before"),
    (r"\bentre las?\b", "between"),
    (r"\b(?:a|de|desde) las?\b", "at"),
    (r"\bhasta las?\b", "until"),
    (r"\bcomo a las?|a eso de las?\b", "around"),
    (r"\by media\b", "and half"),
    (r"\by cuarto\b", "and quarter"),
    (r"\by las?\b", "and"),
    (r"\ben (\w+) dias\b", r"in \1 days"),
    (r"\ben (\w+) semanas\b", r"in \1 weeks"),
    (r"\b(?:excepto|menos|que no sea)(?: el| los)?\b", "except"),
    (r"\bel proximo\b", "the coming"),
    (r"\bque viene\b", ""),
    (r"\b(?:el|los)\b", "the"),
)
_SPANISH_NAMES = {
    **dict(zip(listed("lunes martes miercoles jueves viernes sabado domingo"), WEEKDAYS, strict=True)),
    **dict(
        zip(
            listed(
                "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
            ),
            MONTHS,
            strict=True,
        )
    ),
    "una": "1", "dos": "2", "tres": "3", "cuatro": "4", "cinco": "5", "seis": "6", "siete": "7", "ocho": "8",
    "nueve": "9", "diez": "10", "doce": "12", "o": "or", "sabados": "saturdays", "domingos": "sundays",
}  # fmt: skip
"""Eleven is missing: in an English message "once" is no number."""

_SPANISH_NUMBERS = (
    (r"\b(\d{1,2}) and half\b", r"\1:30"),
    (r"\b(\d{1,2}) and quarter\b", r"\1:15"),
    (r"\b(\d{1,2}) de (?=[a-z])", r"\1 of "),
    (r" de ", " "),
)
_PUNCTUATION = tuple(
    (re.compile(pattern), plainer)
    for pattern, plainer in (
        (r"(?<![a-z])([ap])\. ?m\b\.?", r"\1m"),
        (r"(?<=\d)([ap])\b(?!\.\w)", r"\1m"),
        (r"\bo' ?clock\b", "oclock"),
        (r"'", ""),
        (
            r"(?<=\d)t(?=\d)|(?<=[a-z])[-/](?=\d)|(?<=\d)-(?=(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|"
            r"nov|dec))",
            " ",
        ),
        (r"\b(half|quarter|mid|early|late|after|first|day|twenty|thirty|forty|fifty)-(?=[a-z])", r"\1 "),
        (r"(?<=[a-z])-(?=[a-z])", " - "),
        (r"\bw/e\b", "weekend"),
        (r"[!?;()]|\.(?!\d)|(?<![a-z\d])\.|,(?!\d)", " , "),
        (r"(?<=[a-z])[.,](?=\d)|(?<=[a-z])/(?=[a-z])", " "),
        (r"(?<=\d{2}),(?=\d)", ", "),
        (r"&", " and "),
        (r"@", " at "),
    )
)
_COMPOUND = re.compile(rf"\b({'|'.join(_TENS)}) ({'|'.join([*_ORDINAL_UNITS, *_UNITS[:9]])})\b")
_SPEAKS_SPANISH = re.compile(
    r"\b(manana|hoy|lunes|martes|miercoles|jueves|viernes|sabados?|domingos?|semana|mes|tarde|noche|las|los|"
    r"mediodia|antes|despues|cuanto|cualquier|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|"
    r"octubre|noviembre|diciembre)\b"
)  # fmt: skip


def plain(text: str) -> str:
    """Return the text in one spelling: "Tmrw at Half-Past Three" gives "tomorrow at half past 3"."""
    text = _separated(bare(text))
    if _SPEAKS_SPANISH.search(text):
        text = _english(text)
    text = " ".join(_spelled(word) for word in text.split())
    text = _COMPOUND.sub(_compound, text)
    return " ".join(_CARDINALS.get(word) or _ORDINALS.get(word) or word for word in text.split())


def bare(text: str) -> str:
    """Return the text in small letters and without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _separated(text: str) -> str:
    text = text.replace("\u2019", "'").replace("\u2013", "-").replace("\u2014", "-")
    for pattern, plainer in _PUNCTUATION:
        text = pattern.sub(plainer, text)
    return text


def _english(text: str) -> str:
    for pattern, english in _SPANISH:
        text = re.sub(pattern, english, text)
    text = " ".join(_SPANISH_NAMES.get(word, word) for word in text.split())
    for pattern, english in _SPANISH_NUMBERS:
        text = re.sub(pattern, english, text)
    return text


def _spelled(word: str) -> str:
    if word in _SHORT:
        return _SHORT[word]
    if word in _CARDINALS or word in _ORDINALS or word in _KNOWN or len(word) < 6 or not word.isalpha():
        return word
    return next(iter(get_close_matches(word, _LONG, n=1, cutoff=0.85)), word)


def _compound(match: re.Match[str]) -> str:
    tens, unit = match.groups()
    number = _TENS[tens] * 10 + int(re.sub(r"\D", "", _ORDINALS.get(unit) or _CARDINALS.get(unit) or unit))
    return f"{number}{_ordinal_ending(number)}" if unit in _ORDINALS else str(number)


def _ordinal_ending(number: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
