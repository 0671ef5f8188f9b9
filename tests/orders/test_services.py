from datetime import date, timedelta

import pytest

from eyecare.errors import NotFound
from messaging import services as messaging
from messaging.models import Message
from orders import services, stages
from orders.models import Order, StageChange
from tests.factories import MONDAY, ConsentFactory, OrderFactory, PrescriptionFactory

Stage = Order.Stage


def carried(order: Order, *path: str) -> Order:
    for stage in path:
        services.advance(order=order, to=stage)
    return order


@pytest.fixture
def order(ana, main_street, monday) -> Order:
    return services.place(patient=ana, kind="glasses", description="Progressive lenses", location=main_street)


@pytest.fixture
def ready(order, ana) -> Order:
    ConsentFactory(patient=ana)
    return carried(order, Stage.PRICED, Stage.AT_LAB, Stage.RECEIVED, Stage.VERIFIED)


def test_a_new_order_has_the_next_number_and_a_first_step(order, ana, main_street):
    another = services.place(patient=ana, kind="contacts", description="Daily", location=main_street)
    assert (order.number, another.number) == ("L100001", "L100002")
    assert [(step.from_stage, step.to_stage) for step in order.changes.all()] == [("", "on_hold")]


def test_every_step_is_kept_with_who_when_and_why(order, dana):
    services.advance(order=order, to=Stage.PRICED, actor=dana, note="VSP approved")
    order.refresh_from_db()
    step = order.changes.last()
    assert order.stage == Stage.PRICED
    assert (step.from_stage, step.to_stage, step.actor, step.note, step.at) == (
        "on_hold",
        "priced",
        dana,
        "VSP approved",
        MONDAY,
    )


@pytest.mark.parametrize("to", sorted(set(Stage) - stages.ALLOWED[Stage.ON_HOLD]))
def test_a_step_that_is_not_in_the_table_changes_nothing(order, to):
    with pytest.raises(services.StepNotAllowed):
        services.advance(order=order, to=to)
    order.refresh_from_db()
    assert (order.stage, order.changes.count()) == (Stage.ON_HOLD, 1)


def test_of_two_people_who_move_an_order_at_once_one_is_told(order):
    seen_by_another = Order.objects.get(pk=order.pk)
    services.advance(order=order, to=Stage.PRICED)
    with pytest.raises(services.AlreadyMoved):
        services.advance(order=seen_by_another, to=Stage.VOIDED)
    order.refresh_from_db()
    assert (order.stage, order.changes.count()) == (Stage.PRICED, 2)


def test_nothing_is_ordered_from_a_prescription_that_ran_out(order, ana):
    order.prescription = PrescriptionFactory(
        patient=ana, issued_on=date(2024, 1, 5), expires_on=MONDAY.date() - timedelta(days=1)
    )
    order.save()
    services.advance(order=order, to=Stage.PRICED)
    with pytest.raises(services.PrescriptionExpired, match="ran out on March 1, 2026"):
        services.advance(order=order, to=Stage.AT_LAB)
    order.refresh_from_db()
    assert order.stage == Stage.PRICED


def test_the_patient_is_told_once_that_the_order_is_ready(ready, ana):
    services.advance(order=ready, to=Stage.NOTIFIED)
    message = Message.objects.get()
    assert (message.to, message.reason) == (str(ana.phone), f"order-ready:{ready.pk}")
    assert message.body == (
        "Harbor Eye Care: Ana, your order is ready to collect at Main Street. Questions? Call (212) 555-0100."
    )


def test_an_order_that_was_collected_in_between_is_not_announced(ready):
    services.advance(order=ready, to=Stage.NOTIFIED)
    services.advance(order=ready, to=Stage.COLLECTED)
    message = Message.objects.get()
    messaging.send(message.pk)
    message.refresh_from_db()
    assert (message.state, message.explanation) == (
        Message.State.DROPPED,
        "the order is no longer waiting to be collected",
    )


def test_an_order_that_still_waits_is_announced(ready):
    services.advance(order=ready, to=Stage.NOTIFIED)
    message = Message.objects.get()
    messaging.send(message.pk)
    message.refresh_from_db()
    assert message.state == Message.State.SENT


def test_a_remake_is_a_new_order_linked_to_the_old_one(ready, dana):
    remade = services.remake(order=ready, actor=dana, note="scratched lens")
    ready.refresh_from_db()
    assert (ready.stage, remade.stage, remade.remake_of) == (Stage.REMADE, Stage.PRICED, ready)
    assert (remade.patient, remade.description) == (ready.patient, ready.description)
    assert (remade.number, remade.changes.get().note) == ("L100002", "remake of L100001")


def test_an_order_is_remade_once(ready):
    stale = Order.objects.get(pk=ready.pk)
    services.remake(order=ready)
    with pytest.raises(services.AlreadyMoved):
        services.remake(order=stale)
    assert Order.objects.count() == 2


def test_a_remake_is_never_a_mere_step(ready):
    with pytest.raises(services.StepNotAllowed):
        services.advance(order=ready, to=Stage.REMADE)


def test_another_patients_order_looks_missing(order, ana, ben):
    assert services.get_for(ana, order.pk) == order
    for patient, key in [(ben, order.pk), (ana, "not-a-uuid"), (ana, "")]:
        with pytest.raises(NotFound):
            services.get_for(patient, key)


def test_every_stage_is_in_the_table_and_has_a_label_for_the_patient():
    assert set(stages.ALLOWED) == set(stages.LABELS) == set(Stage)
    assert set().union(*stages.ALLOWED.values()) <= set(Stage)


def test_progress_shows_the_way_done_and_the_way_ahead(order):
    carried(order, Stage.PRICED, Stage.AT_LAB)
    steps = stages.progress(services.get_for(order.patient, order.pk))
    assert [(step.label, step.place.value, step.on) for step in steps] == [
        ("Ordered", "done", MONDAY.date()),
        ("At the lab", "current", MONDAY.date()),
        ("Being checked", "ahead", None),
        ("Ready to collect", "ahead", None),
        ("Collected", "ahead", None),
    ]


def test_progress_of_a_voided_order_ends_there(order):
    carried(order, Stage.PRICED, Stage.VOIDED)
    steps = stages.progress(services.get_for(order.patient, order.pk))
    assert [(step.label, step.place.value) for step in steps] == [
        ("Ordered", "done"),
        ("Cancelled", "current"),
    ]


def test_a_list_of_orders_with_progress_takes_two_queries(ana, django_assert_num_queries):
    for order in OrderFactory.create_batch(5, patient=ana):
        StageChange.objects.create(order=order, to_stage=Stage.PRICED)
    with django_assert_num_queries(2):
        for order in Order.objects.for_patient(ana).with_details():
            stages.progress(order)
            str(order.location)
