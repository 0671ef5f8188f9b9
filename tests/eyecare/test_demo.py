"""The demo practice is loaded once, whole, and says what it holds."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from appointments.models import Appointment
from billing import services as billing
from chatbot.models import Document, RedFlag
from eyecare import cast
from orders.models import Order
from practice.models import Provider
from tests import factories


@pytest.fixture
def demo(db: None) -> dict[str, dict[str, object]]:
    call_command("demo_data", now=factories.MONDAY, stdout=StringIO())
    printed = StringIO()
    call_command("demo_data", cast=True, now=factories.MONDAY, stdout=printed)
    return json.loads(printed.getvalue())


def test_the_demo_has_a_house_a_diary_and_documents(demo: dict[str, object], monday: object) -> None:
    assert Provider.objects.count() == 3
    assert Document.objects.count() >= 20
    assert RedFlag.objects.filter(is_active=True).count() >= 20
    assert Appointment.objects.count() > 800


def test_every_part_is_in_the_cast(demo: dict[str, object]) -> None:
    assert list(demo) == [
        "booked", "order_ready", "contact_lens", "parent", "child", "overdue", "opted_out", "new",
        "front_desk", "manager", "admin",
    ]  # fmt: skip


def test_the_cast_holds_what_is_expected_of_it(
    demo: dict[str, dict[str, dict[str, object]]], monday: object
) -> None:
    booked = cast.patient("booked")
    expected = demo["booked"]["expected"]
    assert expected["balance_cents"] == billing.balance_cents(booked) == 21_800
    assert len(expected["appointments"]) == 1  # type: ignore[arg-type]
    assert expected["orders"] == [{"number": "L00001", "stage": Order.Stage.AT_LAB}]
    assert demo["new"]["expected"] == {"balance_cents": 0, "appointments": [], "orders": []}
    assert demo["parent"]["phone"] == demo["child"]["phone"]


def test_loading_twice_changes_nothing(demo: dict[str, object]) -> None:
    before = Appointment.objects.count()
    call_command("demo_data", stdout=StringIO())
    assert Appointment.objects.count() == before


def test_a_real_practice_is_never_mixed_with_the_demo(practice: object) -> None:
    with pytest.raises(CommandError, match="holds a practice already"):
        call_command("demo_data", stdout=StringIO())
