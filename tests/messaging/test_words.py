import pytest

from messaging.words import Word, read

OUT = """
STOP|stop|Stop.|STOP!!|  stop  |stopall|Stop all|UNSUBSCRIBE|cancel|Cancel.|END|quit|REVOKE|OPTOUT|opt out
OPT-OUT|stop please|Please stop|stop, thanks|stop now|stop texting me|please stop texting me|no more texts
“STOP”|stop 🛑|ALTO|basta|Baja|alto por favor|no más mensajes|darme de baja
"""
ORDINARY = """
cancel my appointment|please cancel tomorrow|can you stop by|I want to cancel|when do you stop working
stop the drops?|end of next week|the end|start of may|help me find my glasses|yes please|no|cancelar
quit smoking|I need help|1|yes that works||🛑|para mañana|2 stop
"""


def phrases(table: str) -> list[str]:
    return table.strip("\n").replace("\n", "|").split("|")


@pytest.mark.parametrize("body", phrases(OUT))
def test_a_message_that_only_says_stop_leaves(body):
    assert read(body) is Word.OUT


@pytest.mark.parametrize("body", phrases(ORDINARY))
def test_an_ordinary_message_is_no_such_word(body):
    assert read(body) not in (Word.OUT, Word.HELP, Word.IN)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("START", Word.IN),
        ("unstop", Word.IN),
        ("Comenzar", Word.IN),
        ("Yes.", Word.BACK),
        ("Sí", Word.BACK),
        ("HELP", Word.HELP),
        ("info", Word.HELP),
        ("Ayuda por favor", Word.HELP),
    ],
)
def test_the_other_words_are_read_too(body, word):
    assert read(body) is word
