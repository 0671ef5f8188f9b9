import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from messaging.models import Message
from orders import services
from orders.models import Order
from tests.factories import OrderFactory, PrescriptionFactory

Stage = Order.Stage
LIST = "/admin/orders/order/"


@pytest.fixture
def desk(client, dana, practice):
    client.force_login(dana)
    return client


def said(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def press(desk, name: str, order: Order, **sent: str):
    return desk.post(
        reverse(f"admin:orders_order_{name}", args=[order.pk]), {"_form_submitted": "on", **sent}
    )


def test_an_order_added_at_the_desk_has_a_number_and_a_first_step(desk, ana, main_street, dana):
    sent = {
        "patient": str(ana.pk),
        "kind": "glasses",
        "description": "Bifocals",
        "location": str(main_street.pk),
        "changes-TOTAL_FORMS": "0",
        "changes-INITIAL_FORMS": "0",
    }
    assert desk.post(f"{LIST}add/", sent).status_code == 302
    order = Order.objects.get()
    assert (order.number, order.changes.get().actor) == ("L100001", dana)


def test_many_orders_are_moved_on_at_once_and_the_others_are_named(desk, ana, dana):
    at_lab = OrderFactory(patient=ana, stage=Stage.AT_LAB)
    on_hold = OrderFactory(patient=ana, stage=Stage.ON_HOLD)
    chosen = [str(at_lab.pk), str(on_hold.pk)]
    response = desk.post(LIST, {"action": "received", "_selected_action": chosen})
    assert sorted(said(response)) == sorted(
        [f"{at_lab.number} is now received.", "An order that is on hold cannot become received."]
    )
    at_lab.refresh_from_db()
    on_hold.refresh_from_db()
    assert (at_lab.stage, on_hold.stage) == (Stage.RECEIVED, Stage.ON_HOLD)
    assert at_lab.changes.get().actor == dana


def test_an_order_moves_on_with_a_note(desk, ana):
    order = OrderFactory(patient=ana, stage=Stage.VERIFIED)
    response = press(desk, "move_on", order, to=Stage.NOTIFIED, note="called too")
    assert said(response) == [f"{order.number} is now patient told."]
    assert order.changes.get().note == "called too"
    assert Message.objects.get().kind == "order_ready"


def test_the_dialog_takes_no_step_that_the_table_forbids(desk, ana):
    order = OrderFactory(patient=ana, stage=Stage.ON_HOLD)
    press(desk, "move_on", order, to=Stage.COLLECTED)
    order.refresh_from_db()
    assert order.stage == Stage.ON_HOLD


def test_a_remake_is_made_at_the_desk(desk, ana):
    order = OrderFactory(patient=ana, stage=Stage.RECEIVED)
    press(desk, "remake", order, note="wrong colour")
    order.refresh_from_db()
    assert (order.stage, order.remake.stage) == (Stage.REMADE, Stage.PRICED)


def test_the_patient_of_an_order_cannot_be_changed(desk, ana, ben, main_street):
    order = services.place(patient=ana, kind="glasses", description="Bifocals", location=main_street)
    sent = {
        "patient": str(ben.pk),
        "kind": "glasses",
        "description": "Trifocals",
        "location": str(main_street.pk),
        "changes-TOTAL_FORMS": "0",
        "changes-INITIAL_FORMS": "0",
    }
    desk.post(f"{LIST}{order.pk}/change/", sent)
    order.refresh_from_db()
    assert (order.patient, order.description) == (ana, "Trifocals")


def test_late_orders_can_be_listed(desk, ana, monday):
    late = OrderFactory(patient=ana, stage=Stage.AT_LAB, promised_on="2026-02-27")
    OrderFactory(patient=ana, stage=Stage.COLLECTED, promised_on="2026-02-27")
    OrderFactory(patient=ana, stage=Stage.AT_LAB, promised_on="2026-03-02")
    assert list(desk.get(LIST, {"late": "yes"}).context["cl"].result_list) == [late]


def test_an_issued_prescription_is_not_changed_at_the_desk(desk, ana):
    prescription = PrescriptionFactory(patient=ana)
    page = f"/admin/orders/prescription/{prescription.pk}/change/"
    assert desk.get(page).status_code == 200
    assert desk.post(page, {"kind": "contacts"}).status_code == 403
