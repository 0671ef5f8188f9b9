"""The recalls that a practice begins with, until it sets its own."""

from dataclasses import dataclass

from django.db import transaction

from appointments.models import RecallInterval, RecallRule, VisitType
from appointments.recalls.deriving import refresh


@dataclass(frozen=True)
class Default:
    """A rule by the slugs of its visit types; `by_age` are ages in years with their months."""

    slug: str
    name: str
    after: tuple[str, ...]
    books: tuple[str, ...]
    """The first of these that the practice offers."""

    months: int
    by_age: tuple[tuple[int, int], ...] = ()
    is_for_everyone: bool = True


DEFAULTS = (
    # Asymptomatic adults, AAO: under 40 every 5-10 years, 40-54 2-4, 55-64 1-3, from 65 on 1-2
    Default(
        "routine-exam",
        "Routine exam",
        after=("exam", "diabetic-exam"),
        books=("exam",),
        months=60,
        by_age=((40, 36), (55, 24), (65, 12)),
    ),
    # Type 2 diabetes yearly from the diagnosis on, type 1 yearly from five years after the onset (AAO)
    Default(
        "diabetic-exam",
        "Diabetic eye exam",
        after=("diabetic-exam",),
        books=("diabetic-exam", "exam"),
        months=12,
        is_for_everyone=False,
    ),
    # Contact lens wearers yearly (AOA)
    Default(
        "contact-lenses",
        "Contact lenses",
        after=("contact-lens-fitting", "contact-lens-check"),
        books=("contact-lens-check", "contact-lens-fitting"),
        months=12,
    ),
)


@transaction.atomic
def load_defaults() -> list[RecallRule]:
    """Set up the usual rules for the visit types that the practice has; return those that are new.

    A rule that stands is left as the practice has set it.
    """
    offered = {visit_type.slug: visit_type for visit_type in VisitType.objects.all()}
    made = [rule for default in DEFAULTS if (rule := _load(default, offered))]
    for rule in made:
        refresh(rule)
    return made


def _load(default: Default, offered: dict[str, VisitType]) -> RecallRule | None:
    after = [offered[slug] for slug in default.after if slug in offered]
    books = next((offered[slug] for slug in default.books if slug in offered), None)
    if not after or books is None:
        return None
    terms = {"months": default.months, "is_for_everyone": default.is_for_everyone, "books": books}
    rule, is_new = RecallRule.objects.get_or_create(
        slug=default.slug, defaults=terms | {"name": default.name}
    )
    if not is_new:
        return None
    rule.after.set(after)
    bands = (RecallInterval(rule=rule, from_age=age, months=months) for age, months in default.by_age)
    RecallInterval.objects.bulk_create(bands)
    return rule
