"""The demo's records: prescriptions, lens orders, what is owed, and the practice's documents."""

from datetime import datetime, timedelta
from pathlib import Path

from billing.models import BillingHold, LedgerEntry
from chatbot.models import Document
from eyecare import cast, clock
from orders.models import Order, Prescription, StageChange
from patients.models import Patient
from practice.models import Location, Provider

DOCUMENTS = Path(__file__).parent / "documents"
Stage = Order.Stage


def build() -> None:
    """Write what the cast's parts need."""
    _glasses(
        cast.patient("booked"), "L00001", "Progressive lenses, anti-reflective", Stage.AT_LAB, promised_in=6
    )
    _glasses(
        cast.patient("order_ready"),
        "L00002",
        "Single-vision glasses, blue frame",
        Stage.NOTIFIED,
        promised_in=-1,
    )
    _contact_lenses(cast.patient("contact_lens"))
    _bills()
    documents()


def _glasses(patient: Patient, number: str, description: str, stage: str, promised_in: int) -> None:
    today = clock.today()
    prescription = Prescription.objects.create(
        patient=patient,
        provider=Provider.objects.get(last_name="Okafor"),
        kind=Prescription.Kind.GLASSES,
        issued_on=today - timedelta(days=10),
        expires_on=today + timedelta(days=720),
        od_sphere="-2.25", od_cylinder="-0.50", od_axis=90, os_sphere="-2.00", pupillary_distance_mm="62.0",
    )  # fmt: skip
    order = Order.objects.create(
        number=number,
        patient=patient,
        prescription=prescription,
        location=Location.objects.get(name="Main Street"),
        kind=Order.Kind.GLASSES,
        description=description,
        lab="Clearview Optical Lab",
        stage=stage,
        promised_on=today + timedelta(days=promised_in),
        ordered_at=clock.now() - timedelta(days=9),
    )
    _history(order)


def _history(order: Order) -> None:
    """Write the steps from the order to its stage, a day or two apart."""
    path = [
        Stage.ON_HOLD,
        Stage.PRICED,
        Stage.AT_LAB,
        Stage.RECEIVED,
        Stage.VERIFIED,
        Stage.NOTIFIED,
        Stage.COLLECTED,
    ]
    steps = path[: path.index(Stage(order.stage)) + 1]
    gap = (clock.now() - order.ordered_at) / (len(steps) + 1)
    for position, stage in enumerate(steps):
        StageChange.objects.create(
            order=order,
            from_stage=steps[position - 1] if position else "",
            to_stage=stage,
            at=_moment(order.ordered_at, gap, position),
        )


def _moment(start: datetime, gap: timedelta, position: int) -> datetime:
    return start + gap * position


def _contact_lenses(patient: Patient) -> None:
    today = clock.today()
    Prescription.objects.create(
        patient=patient,
        provider=Provider.objects.get(last_name="Reyes"),
        kind=Prescription.Kind.CONTACTS,
        issued_on=today - timedelta(days=345),
        expires_on=today + timedelta(days=20),
        od_sphere="-3.00", os_sphere="-2.75", base_curve_mm="8.50", diameter_mm="14.2", product="Dailies Clear 30",
    )  # fmt: skip


def _bills() -> None:
    _charge("booked", 14_500, "Comprehensive eye exam", days_ago=40)
    _charge("booked", 3_900, "Retinal photographs", days_ago=40)
    _pay("booked", 5_000, "Copay at the desk", days_ago=40)
    _charge("booked", 21_800, "Progressive lenses", days_ago=9)
    _pay("booked", 13_400, "Payment by card", days_ago=9)
    _charge("contact_lens", 22_000, "Contact lens fitting and exam", days_ago=50)
    _pay("contact_lens", 4_000, "First instalment", days_ago=20)
    BillingHold.objects.create(
        payer=cast.patient("contact_lens"),
        reason=BillingHold.Reason.PAYMENT_PLAN,
        note="$40 a month",
        starts_on=clock.today() - timedelta(days=20),
    )
    _charge("child", 12_000, "Children's eye exam", days_ago=15, payer="parent")
    _charge("overdue", 16_500, "Diabetic eye exam", days_ago=130)
    _charge("overdue", 8_400, "Contact lenses, 6 boxes", days_ago=100)


def _charge(role: str, cents: int, description: str, days_ago: int, payer: str = "") -> None:
    _entry(LedgerEntry.Kind.CHARGE, role, cents, description, days_ago, payer)


def _pay(role: str, cents: int, description: str, days_ago: int) -> None:
    _entry(LedgerEntry.Kind.PAYMENT, role, -cents, description, days_ago, "")


def _entry(kind: str, role: str, cents: int, description: str, days_ago: int, payer: str) -> None:
    day = clock.today() - timedelta(days=days_ago)
    LedgerEntry.objects.create(
        payer=cast.patient(payer or role),
        patient=cast.patient(role),
        kind=kind,
        amount_cents=cents,
        description=description,
        service_on=day,
        posted_on=day,
        posted_at=clock.now() - timedelta(days=days_ago),
        source=f"demo:{role}:{description}:{days_ago}",
    )


def documents() -> None:
    """Write the practice's documents; a first block of `name: value` lines is their heading."""
    for path in sorted(DOCUMENTS.glob("*.md")):
        head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
        fields = dict(line.split(": ", 1) for line in head.splitlines())
        Document.objects.create(
            title=fields["title"],
            slug=path.stem,
            audience=fields["audience"],
            body=body.strip(),
            reviewed_on=clock.today() - timedelta(days=30),
        )
