"""Cents, written as people read them."""

import re

_AMOUNT = re.compile(r"\$?\s*(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d{1,2}))?\s*(?:dollars)?", re.IGNORECASE)


def dollars(cents: int) -> str:
    """Return `$1,234.50`; a negative amount has its sign in front, as in `-$5.00`."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}${whole:,}.{rest:02}"


def cents(text: str) -> int:
    """Return the cents of an amount as people write it: `$1,234.5`, `12`, `12.50 dollars`.

    Raises ValueError for anything else, a negative amount among it.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise ValueError("That is not an amount of money.")
    whole, rest = match.groups()
    return int(whole.replace(",", "")) * 100 + int((rest or "0").ljust(2, "0"))
