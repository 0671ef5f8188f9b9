from orders.models import Order
from tests.factories import OrderFactory


def test_a_patient_reads_their_own_orders_only(client, ana, ben):
    mine = OrderFactory(patient=ana, stage=Order.Stage.AT_LAB)
    OrderFactory(patient=ben)
    client.force_login(ana.account)
    page = client.get("/api/v1/orders/").json()
    assert page["count"] == 1
    (order,) = page["results"]
    assert (order["id"], order["number"], order["status"]) == (str(mine.pk), mine.number, "At the lab")
    assert [step["label"] for step in order["steps"] if step["place"] == "current"] == ["At the lab"]


def test_another_patients_order_looks_missing(client, ana, ben):
    bens = OrderFactory(patient=ben)
    client.force_login(ana.account)
    for path in (f"/api/v1/orders/{bens.pk}/", "/api/v1/orders/nonsense/"):
        response = client.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_the_patient_of_the_session_counts_and_not_one_in_the_request(client, ana, ben):
    OrderFactory(patient=ben)
    client.force_login(ana.account)
    assert client.get("/api/v1/orders/", {"patient": str(ben.pk), "pid": ben.number}).json()["count"] == 0


def test_orders_are_read_only(client, ana):
    order = OrderFactory(patient=ana)
    client.force_login(ana.account)
    for call in (client.put, client.patch, client.delete):
        assert (
            call(f"/api/v1/orders/{order.pk}/", {"stage": "collected"}, "application/json").status_code == 405
        )
    order.refresh_from_db()
    assert order.stage == Order.Stage.ON_HOLD


def test_nobody_reads_orders_without_signing_in(client, ana):
    assert client.get("/api/v1/orders/").status_code in {401, 403}


def test_staff_without_a_record_are_told_why(client, dana):
    client.force_login(dana)
    assert client.get("/api/v1/orders/").json()["code"] == "no_record"


def test_the_number_of_queries_does_not_grow_with_the_orders(client, ana, django_assert_max_num_queries):
    OrderFactory.create_batch(12, patient=ana)
    client.force_login(ana.account)
    with django_assert_max_num_queries(7):
        assert len(client.get("/api/v1/orders/").json()["results"]) == 12
