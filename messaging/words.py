"""The words by which a phone leaves, comes back to or asks about our texts (CTIA, 47 CFR 64.1200)."""

import re
import unicodedata
from enum import Enum


class Word(Enum):
    """What a whole message means, where it is nothing but such a word."""

    OUT = "out"
    IN = "in"
    BACK = "back"  # comes back after having left; to a number that never left, a plain yes
    HELP = "help"


_OUT = """
stop|stopall|stop all|unsubscribe|cancel|end|quit|revoke|optout|opt out|remove me
stop texting|stop texting me|stop messages|stop the messages|stop the texts|no more texts|no more messages
alto|basta|baja|darme de baja|detener|parar|no mas mensajes|no mas textos|no enviar mas
"""
_MEANINGS = {
    Word.OUT: _OUT,
    Word.IN: "start|unstop|opt in|optin|subscribe|comenzar|empezar|iniciar|reanudar",
    Word.BACK: "yes|si",
    Word.HELP: "help|info|ayuda",
}
_WORDS = {
    phrase: word for word, phrases in _MEANINGS.items() for phrase in re.split(r"[|\n]", phrases.strip())
}
_POLITE = re.compile(r"\b(?:please|pls|plz|now|thanks|thank you|por favor|gracias|ya)\b")


def read(body: str) -> Word | None:
    """Return the meaning of a text that is only such a word, however it is written: "Stop.", "STOP please".

    A bare "cancel" leaves, because carriers take it so before it reaches us; "cancel my appointment"
    is an ordinary message.
    """
    return _WORDS.get(_plain(body)) or _WORDS.get(_plain(_POLITE.sub(" ", _plain(body))))


def _plain(body: str) -> str:
    letters = unicodedata.normalize("NFKD", body.casefold())
    kept = "".join(character for character in letters if not unicodedata.combining(character))
    return " ".join(re.findall(r"[a-z]+|\d+", kept))
