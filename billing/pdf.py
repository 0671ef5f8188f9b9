"""A statement as a PDF that can be read aloud (PDF/UA-1), set by typst. Only this file knows typst."""

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import typst
from django.conf import settings

from billing import aging
from billing.models import Statement
from billing.money import dollars
from practice import services as practice
from practice.models import Location

TEMPLATE = Path(__file__).with_name("statement.typ")


class RenderingFailed(Exception):
    """typst could not set this statement."""


def render(statement: Statement) -> bytes:
    """Return the PDF of a statement as it was frozen; raises RenderingFailed."""
    return page(_content(statement), int(statement.created_at.timestamp()))


def page(content: dict[str, Any], timestamp: int) -> bytes:
    """Return what statement.typ makes of these texts, dated at a Unix time; raises RenderingFailed."""
    try:
        document = _compiler().compile(
            format="pdf",
            sys_inputs={"statement": json.dumps(content, ensure_ascii=False)},
            # tagged, titled, with a reading order, for patients who have their statement read to them
            pdf_standards="ua-1",
            timestamp=timestamp,
        )
    except RuntimeError as problem:
        raise RenderingFailed(str(problem)) from problem
    if not isinstance(document, bytes):
        raise RenderingFailed("typst gave no document.")
    return document


@cache
def _compiler() -> typst.Compiler:
    # kept for the life of the process: finding the fonts costs a hundred times what a page costs
    return typst.Compiler(str(TEMPLATE), root=str(TEMPLATE.parent))


def _content(statement: Statement) -> dict[str, Any]:
    ours = practice.current()
    return {
        "title": f"Statement {statement.number} of {ours.name}",
        "number": statement.number,
        "as-of": _day(statement.as_of),
        "due": dollars(statement.closing_cents),
        "due-on": _day(statement.due_on),
        "practice": {
            "name": ours.name,
            "phone": _phone(ours.phone),
            "email": ours.email,
            "address": _address(),
        },
        "payer": {"name": statement.payer.name, "address": statement.payer.address},
        "summary": _summary(statement),
        "lines": [_line(line) for line in statement.lines],
        "aging": [
            {"label": str(label), "amount": dollars(cents)}
            for label, cents in zip(aging.LABELS, statement.aging_cents, strict=True)
        ],
        "ways": [
            f"Online, with a card: {settings.SITE_URL}/dues/",
            f"By phone: {_phone(ours.phone)}",
            "At the desk on your next visit",
        ],
        "closing": f"A question about this statement, or hard to pay at once? Call {_phone(ours.phone)}: "
        "we can talk about a payment plan.",
    }


def _summary(statement: Statement) -> list[dict[str, str]]:
    rows = (
        ("Balance before", statement.opening_cents),
        ("New charges", statement.charges_cents),
        ("Payments and credits", statement.credits_cents),
    )
    return [{"label": label, "amount": dollars(cents)} for label, cents in rows]


def _line(line: dict[str, Any]) -> dict[str, str]:
    return {
        "on": date.fromisoformat(line["on"]).strftime("%b %-d, %Y"),
        "patient": line["patient"],
        "description": line["description"],
        "amount": dollars(line["cents"]),
    }


def _address() -> str:
    place = Location.objects.filter(is_active=True).order_by("pk").first()
    return place.address if place else ""


def _day(day: date) -> str:
    return f"{day:%B %-d, %Y}"


def _phone(number: Any) -> str:
    return number.as_national if hasattr(number, "as_national") else str(number)
