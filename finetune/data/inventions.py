"""Made-up data that takes the place of personal data, in the form in which that was written."""

import random
import re
import string
from collections.abc import Callable, Collection, Mapping

from faker.providers.person import en_US

from finetune.data.findings import LATEST_BIRTH_YEAR, STREET
from finetune.data.months import MONTH, MONTH_WORDS, MONTHS
from finetune.data.names import EVERYDAY

_STREETS = ("Maple", "Harbor", "Willow", "Orchard", "Meadow", "Juniper", "Chestnut", "Sycamore", "Lakeview")


def _other_digits(chance: random.Random, words: str) -> str:
    """Draw every digit and capital letter anew; small letters and marks stay."""
    drawn = {"d": string.digits[1:], "L": string.ascii_uppercase}
    return "".join(
        chance.choice(drawn["d" if character.isdigit() else "L"])
        if character.isdigit() or "A" <= character <= "Z"
        else character
        for character in words
    )


def _other_phone(chance: random.Random, words: str) -> str:
    """Return a number of the range kept for fiction, 555-0100 to 555-0199, in the form it was written."""
    count = sum(map(str.isdigit, words))
    fiction = f"55501{chance.randrange(100):02}"
    if count >= 10:
        fiction = f"{chance.choice(['202', '303', '404', '505', '606', '707', '808'])}{fiction}"
    digits = iter("1" * (count - len(fiction)) + fiction)
    return "".join(next(digits) if character.isdigit() else character for character in words)


def _other_email(chance: random.Random, words: str) -> str:
    return f"patient{chance.randrange(100, 10_000)}@example.com"


def _other_address(chance: random.Random, words: str) -> str:
    number, *rest = words.split(" ")
    street = alike(chance.choice(_STREETS), rest[0])
    kept = next((position for position, word in enumerate(rest) if _is_street_word(word)), 1)
    return " ".join(
        [
            _other_digits(chance, number),
            street,
            *(_other_digits(chance, word) if any(map(str.isdigit, word)) else word for word in rest[kept:]),
        ]
    )


def _is_street_word(word: str) -> bool:
    return bool(re.fullmatch(rf"(?:{STREET}|St|Dr|Way|Pl|Ct|Cir|Sq)[.,]*", word))


def _other_birth(chance: random.Random, words: str) -> str:
    def number(match: re.Match[str]) -> str:
        if len(match[0]) == 4:
            return str(
                min(LATEST_BIRTH_YEAR, max(1930, int(match[0]) + chance.choice([-4, -3, -2, 2, 3, 4])))
            )
        if int(match[0]) > 31:
            return str(chance.randrange(50, 99))
        return f"{chance.randrange(4, 13):0{len(match[0])}}"

    def month(match: re.Match[str]) -> str:
        language, is_short = MONTH_WORDS[match[0].casefold()]
        drawn = chance.choice(MONTHS[language])
        return alike(drawn[:3] if is_short else drawn, match[0])

    moved = re.sub(r"\d+", number, words)
    moved = re.sub(r"(?<=\d)(?:st|nd|rd)\b", "th", moved, flags=re.I)
    return re.sub(MONTH.removesuffix(r"\.?"), month, moved, flags=re.I)


def _names(listed: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in set(listed) if name.isalpha() and name.casefold() not in EVERYDAY))


_FIRST_NAMES = _names(en_US.Provider.first_names)
_LAST_NAMES = _names(en_US.Provider.last_names)


def alike(new: str, old: str) -> str:
    """Write something in small letters or capitals as the other is; mixed ones stay as they are."""
    if old.islower():
        return new.lower()
    return new.upper() if old.isupper() and len(old) > 1 else new


OF: Mapping[str, Callable[[random.Random, str], str]] = {
    "e-mail": _other_email,
    "person number": lambda chance, words: "000" + _other_digits(chance, words[3:]),
    "card number": _other_digits,
    "date of birth": _other_birth,
    "account number": _other_digits,
    "phone": _other_phone,
    "address": _other_address,
    "postcode": _other_digits,
    "number": _other_digits,
    "name": lambda chance, words: chance.choice(_FIRST_NAMES),
    "surname": lambda chance, words: chance.choice(_LAST_NAMES),
}
