"""Recalls as a table for letters: one line a patient, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from appointments.models import Recall
from eyecare import clock
from practice import audit
from practice import services as practice
from practice.models import AuditEvent

COLUMNS = (
    "Number",
    "First name",
    "Last name",
    "Addressed to",
    "Address",
    "Language",
    "Phone",
    "E-mail",
    "Recall",
    "Due",
    "Last seen",
    "Attempts",
)
CHUNK = 500

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def note_reading(recall_ids: Sequence[int]) -> None:
    """Record that the actor took these patients' names and addresses out of the house."""
    actor = audit.current()
    for start in range(0, len(recall_ids), CHUNK):
        chunk = Recall.objects.filter(pk__in=recall_ids[start : start + CHUNK])
        AuditEvent.objects.bulk_create(
            AuditEvent(
                at=clock.now(),
                action=AuditEvent.Action.READ,
                table="patients_patient",
                row=str(patient_id),
                actor=actor.account,
                channel=actor.channel,
                address=actor.address,
            )
            for patient_id in chunk.values_list("patient_id", flat=True)
        )


def parts(recall_ids: Sequence[int]) -> Iterator[str]:
    """Yield the table piece by piece, in the order given; it opens as UTF-8 in a spreadsheet."""
    yield "\ufeff" + _line(COLUMNS)
    for start in range(0, len(recall_ids), CHUNK):
        chunk = recall_ids[start : start + CHUNK]
        recalls = Recall.objects.with_details().select_related("patient__guarantor").in_bulk(chunk)
        yield "".join(_line(_row(recalls[pk])) for pk in chunk if pk in recalls)


def last_seen(recall: Recall) -> date | None:
    """Return the day of the last visit that counts, here or elsewhere; needs `last_visit`."""
    visit = recall.last_visit
    here = visit.starts_at.astimezone(practice.zone()).date() if visit else None
    return max((day for day in (here, recall.last_seen_on) if day), default=None)


def _row(recall: Recall) -> Iterator[object]:
    patient = recall.patient
    yield from (patient.number, patient.first_name, patient.last_name)
    yield from (patient.payer.name, patient.address or patient.payer.address)
    phone = patient.phone or patient.payer.phone
    yield from (patient.get_language_display(), phone.as_national if phone else "")
    yield from (patient.email or patient.payer.email, recall.rule.name)
    yield from (recall.due_on or "", last_seen(recall) or "", recall.attempts)


def _line(cells: Iterable[object]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([_safe(str(cell)) for cell in cells])
    return written.getvalue()


def _safe(text: str) -> str:
    """Keep a spreadsheet from taking what a patient wrote for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
