"""How people type and dictate: capitals or none, missing marks, slips of the finger, text-message words."""

import random
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

Texts = list[list[str]]

_SHORT = {
    "you": "u",
    "are": "r",
    "your": "ur",
    "please": "pls",
    "thanks": "thx",
    "tomorrow": "tmrw",
    "tonight": "2nite",
    "appointment": "appt",
    "appointments": "appts",
    "before": "b4",
    "because": "cuz",
    "about": "abt",
    "want to": "wanna",
    "going to": "gonna",
    "got to": "gotta",
    "see": "c",
    "know": "kno",
    "what": "wat",
    "minutes": "mins",
    "someone": "some1",
    "glasses": "glases",
    "prescription": "rx",
    "message": "msg",
    "text": "txt",
    "though": "tho",
    "through": "thru",
    "okay": "ok",
    "today": "2day",
    "doctor": "dr",
    "week": "wk",
    "insurance": "ins",
    "balance": "bal",
    "waitlist": "wait list",
    "for": "4",
    "to": "2",
}
_SHORT_ES = {
    "que": "q",
    "qué": "q",
    "porque": "xq",
    "por qué": "xq",
    "por": "x",
    "por favor": "porfa",
    "para": "pa",
    "gracias": "grax",
    "también": "tmb",
    "mañana": "mñn",
    "cuánto": "cuanto",
    "estoy": "toy",
    "bien": "bn",
    "mensaje": "msj",
    "doctora": "dra",
    "doctor": "dr",
    "quiero": "kiero",
    "aquí": "aki",
    "ya": "ya",
}
_HEARD = {
    "to": ("too", "two"),
    "for": ("four", "fore"),
    "two": ("to",),
    "four": ("for",),
    "eight": ("ate",),
    "there": ("their",),
    "your": ("you're",),
    "you're": ("your",),
    "eye": ("i",),
    "eyes": ("ice", "i's"),
    "lens": ("lends",),
    "lenses": ("lens is",),
    "week": ("weak",),
    "see": ("sea",),
    "exam": ("examine",),
    "contacts": ("contexts",),
    "right": ("write",),
    "here": ("hear",),
    "know": ("no",),
    "by": ("buy",),
    "new": ("knew",),
    "one": ("won",),
    "hour": ("our",),
    "where": ("wear",),
    "wear": ("where",),
    "sight": ("site",),
    "pair": ("pear",),
    "bill": ("bell",),
    "due": ("do",),
    "owe": ("oh", "o"),
    "copay": ("co pay",),
    "checkup": ("check up",),
    "waitlist": ("wait list", "weight list"),
    "reschedule": ("re schedule",),
    "pick up": ("pickup",),
    "cancel": ("counsel",),
    "order": ("older",),
    "frames": ("frame",),
    "dilated": ("dilate it",),
    "astigmatism": ("a stigmatism",),
    "glaucoma": ("glock oma",),
    "appointment": ("a point meant",),
}
_HEARD_ES = {
    "cita": ("sita",),
    "lentes": ("lente",),
    "a ver": ("haber",),
    "hay": ("ahí", "ay"),
    "hacer": ("aser",),
    "vez": ("ves",),
    "voy": ("boy",),
    "hora": ("ora",),
    "hoy": ("oi",),
    "quiero": ("kiero",),
    "qué": ("k",),
}
_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = {2: "twenty", 3: "thirty", 4: "forty", 5: "fifty"}
_PAUSES = {
    "en": ("um", "uh", "like", "you know", "well", "so", "um so", "i mean", "let's see", "hmm"),
    "es": ("eh", "este", "pues", "o sea", "bueno", "mmm", "a ver"),
}
_DROPPED = {
    "en": re.compile(r"\b(?:the|a|an|to|do|is|are|my) (?=\w)"),
    "es": re.compile(r"\b(?:el|la|los|las|un|una|a) (?=\w)"),
}
_ENDINGS = {
    "": 50,
    ".": 24,
    "?": 18,
    "!": 4,
    "..": 1,
    "??": 1,
    " :)": 1,
    " \N{PERSON WITH FOLDED HANDS}": 0.4,
    " \N{SMILING FACE WITH SMILING EYES}": 0.3,
}
_NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo",
    "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et",
    "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip
_PROPER = re.compile(
    r"\b(mon|tues?|wednes|thurs?|fri|satur|sun)day\b"
    r"|\b(january|february|march|april|june|july|august|september|october|november|december)\b",
)


def type_out(texts: Sequence[Sequence[str]], chance: random.Random, language: str = "en") -> Texts:
    """Return the texts, grouped as before, as one person might type or dictate the whole message."""
    typed = [list(group) for group in texts]
    if chance.random() < 0.07:
        return _dictated(typed, chance, language)
    if chance.random() < 0.12:
        short = _SHORT if language == "en" else _SHORT_ES
        typed = _each(typed, lambda text: _shorten(text, short, chance))
    if chance.random() < 0.04:
        typed = _each(typed, lambda text: _drop_small_words(text, chance, language))
    if chance.random() < 0.30:
        typed = _slip(typed, chance)
    if chance.random() < 0.25:
        typed = _each(typed, lambda text: text.replace("'", ""))
    if chance.random() < 0.15:
        typed = _each(typed, lambda text: re.sub(r"[,.?!](?=\s|$)", "", text))
    if language == "es":
        typed = _plain_letters(typed, chance)
    return _close(_capitals(typed, chance, language), chance)


def _each(texts: Texts, change: Callable[[str], str]) -> Texts:
    return [[change(text) for text in group] for group in texts]


def _dictated(texts: Texts, chance: random.Random, language: str) -> Texts:
    """What a phone makes of speech: no marks, numbers as words, like-sounding words, hesitation."""
    heard = _HEARD if language == "en" else _HEARD_ES
    texts = _each(texts, lambda text: re.sub(r"[,.?!¿¡;](?=\s|$)|[¿¡]|(?<=\s)-(?=\s)", "", text))
    if language == "en" and chance.random() < 0.6:
        texts = _each(texts, _spoken_times)
    texts = _each(texts, lambda text: _misheard(text, heard, chance))
    if chance.random() < 0.5:
        texts = _each(texts, lambda text: _hesitate(text, chance, language))
    return _each(texts, str.lower) if chance.random() < 0.7 else _capitals(texts, chance, language)


def _spoken_times(text: str) -> str:
    text = re.sub(r"\b(\d\d?):(\d\d) ?([ap])\.?m\.?", lambda m: f"{_clock(m[1], m[2])} {m[3]}m", text)
    text = re.sub(r"\b(\d\d?):(\d\d)\b", lambda m: _clock(m[1], m[2]), text)
    text = re.sub(r"\b(\d\d?) ?([ap])\.?m\.?(?!\w)", lambda m: f"{_spoken(m[1])} {m[2]}m", text)
    return re.sub(r"(?<![\d/.$#-])\b(\d\d?)\b(?![\d/.%-])", lambda m: _spoken(m[1]), text)


def _clock(hour: str, minute: str) -> str:
    minutes = {"00": "o'clock", "05": "oh five"}.get(minute) or _spoken(minute)
    return f"{_spoken(hour)} {minutes}"


def _spoken(number: str) -> str:
    value = int(number)
    if value < len(_NUMBERS):
        return _NUMBERS[value]
    ten, one = divmod(value, 10)
    return number if ten not in _TENS else f"{_TENS[ten]} {_NUMBERS[one]}" if one else _TENS[ten]


def _misheard(text: str, heard: Mapping[str, Sequence[str]], chance: random.Random) -> str:
    for word, likes in heard.items():
        if word in text and chance.random() < 0.25:
            text = re.sub(rf"\b{re.escape(word)}\b", chance.choice(likes), text)
    return text


def _hesitate(text: str, chance: random.Random, language: str) -> str:
    """Put a pause between two words of a longer text, or say one of them twice."""
    words = text.split(" ")
    if len(words) < 5 or chance.random() < 0.5:
        return text
    at = chance.randrange(1, len(words) - 1)
    said = words[at] if chance.random() < 0.35 and words[at].isalpha() else chance.choice(_PAUSES[language])
    return " ".join([*words[:at], said, *words[at:]])


def _shorten(text: str, short: Mapping[str, str], chance: random.Random) -> str:
    for word, typed in short.items():
        if word in text and chance.random() < (0.1 if typed.isdigit() else 0.5):
            text = re.sub(rf"\b{word}\b", typed, text)
    return text


def _drop_small_words(text: str, chance: random.Random, language: str) -> str:
    """Write as somebody does to whom the language is new."""
    return _DROPPED[language].sub(lambda match: "" if chance.random() < 0.6 else match[0], text)


def _slip(texts: Texts, chance: random.Random) -> Texts:
    """Misspell one or two of the longer words, or run two words together."""
    for _ in range(chance.choice([1, 1, 1, 2])):
        group = chance.choice(texts)
        if not group:
            continue
        position = chance.randrange(len(group))
        text = group[position]
        words = list(re.finditer(r"[^\W\d_]{4,}", text))
        gaps = [match.start() for match in re.finditer(r"(?<=[a-z]) (?=[a-z])", text)]
        if gaps and chance.random() < 0.07:
            gap = chance.choice(gaps)
            group[position] = text[:gap] + text[gap + 1 :]
        elif words:
            word = chance.choice(words)
            group[position] = text[: word.start()] + _misspelt(word[0], chance) + text[word.end() :]
    return texts


def _misspelt(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    kind = chance.randrange(9)
    if kind < 2:
        return word[:at] + word[at + 1 :]
    if kind < 4:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind < 6:
        return word[:at] + word[at] + word[at:]
    if kind == 6:
        return word[:-1] + word[-1] * chance.randint(3, 5)
    near = chance.choice(_NEIGHBOURS.get(word[at].lower(), word[at]))
    return word[:at] + near + word[at + 1 :]


def _plain_letters(texts: Texts, chance: random.Random) -> Texts:
    """Leave out what a phone's keyboard makes slow: opening marks mostly, accents half of the time."""
    if chance.random() < 0.8:
        texts = _each(texts, lambda text: re.sub(r"[¿¡]", "", text))
    if chance.random() < 0.5:
        keep_tilde = chance.random() < 0.4
        texts = _each(texts, lambda text: _without_accents(text, keep_tilde=keep_tilde))
    return texts


def _without_accents(text: str, *, keep_tilde: bool) -> str:
    plain = []
    for letter in text:
        spared = keep_tilde and letter in "ñÑ"
        plain.append(letter if spared else unicodedata.normalize("NFD", letter)[0])
    return "".join(plain)


def _capitals(texts: Texts, chance: random.Random, language: str) -> Texts:
    habit = chance.random()
    if habit < 0.03:
        return _each(texts, str.upper)
    if habit < 0.40:
        return _each(texts, str.lower)
    if habit < 0.55:
        return texts
    texts = _each(texts, proper if language == "en" else _after_marks)
    first = next((group for group in texts if group and group[0]), None)
    if first:
        first[0] = _capital(first[0])
    return texts


def _capital(text: str) -> str:
    return re.sub(r"^([¿¡]?)(\w)", lambda match: match[1] + match[2].upper(), text)


def proper(text: str) -> str:
    """Write "I", the days and the months with their capitals."""
    text = re.sub(r"\bi\b(?!\.)", "I", text)
    return _after_marks(_PROPER.sub(lambda match: match[0].capitalize(), text))


def _after_marks(text: str) -> str:
    return re.sub(r"(?<=[.!?] )[¿¡]?[a-záéíóúñ]", lambda match: match[0].upper(), text)


def _close(texts: Texts, chance: random.Random) -> Texts:
    """End the message with a mark, or with none."""
    [ending] = chance.choices(list(_ENDINGS), list(_ENDINGS.values()))
    if texts[-1] and texts[-1][-1] and texts[-1][-1][-1].isalnum():
        texts[-1][-1] += ending
    return texts
