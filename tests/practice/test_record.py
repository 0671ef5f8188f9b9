from datetime import date
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLiteConnection
from django.http import HttpResponse

from appointments.models import CalendarLink
from chatbot.models import Document, Example
from orders.models import Order
from patients.models import Account, Patient, Proxy
from practice import audit, record
from practice.middleware import AuditContext
from practice.models import AuditEvent, Location, Provider
from tests.factories import (
    DocumentFactory,
    LedgerEntryFactory,
    LocationFactory,
    OrderFactory,
    PatientFactory,
    ProviderFactory,
)


@pytest.fixture
def recorded(ana):
    """The events that a test causes after its cast is in place, oldest first."""
    before = AuditEvent.objects.count()
    return lambda: list(AuditEvent.objects.order_by("id")[before:])


def test_a_saved_change_leaves_what_it_was_and_what_it_became(ana, recorded):
    with audit.acting(account="7", channel="staff", address="10.0.0.9"):
        ana.first_name = "Anna"
        ana.save()
    (event,) = recorded()
    assert (event.action, event.table, UUID(event.row)) == ("update", "patients_patient", ana.pk)
    assert event.changes == {"first_name": ["Ana", "Anna"]}
    assert (event.actor, event.channel, event.address) == ("7", "staff", "10.0.0.9")


def test_a_save_that_changes_nothing_leaves_nothing(ana, recorded):
    ana.save()
    assert recorded() == []


def test_bulk_create_leaves_an_event_for_each_row(ana, recorded):
    people = [PatientFactory.build(number=f"B{number}", account=None) for number in range(3)]
    with audit.acting(account="7"):
        Patient.objects.bulk_create(people)
    assert [(event.action, UUID(event.row), event.actor) for event in recorded()] == [
        ("insert", person.pk, "7") for person in people
    ]


def test_update_of_many_rows_leaves_an_event_for_each(ana, ben, recorded):
    recorded_before = len(recorded())
    with audit.acting(account="7"):
        Patient.objects.filter(pk__in=[ana.pk, ben.pk]).update(is_active=False)
    events = recorded()[recorded_before:]
    assert {UUID(event.row) for event in events} == {ana.pk, ben.pk}
    assert {event.actor for event in events} == {"7"}


def test_raw_sql_leaves_an_event_with_the_actor(ana, recorded):
    with audit.acting(account="7"), connection.cursor() as cursor:
        cursor.execute("/* by hand */ UPDATE patients_patient SET last_name = %s", ["100%"])
    (event,) = recorded()
    assert (event.changes, event.actor) == ({"last_name": ["Silva", "100%"]}, "7")


def test_raw_sql_without_parameters_may_hold_a_percent_sign(ana, recorded):
    with audit.acting(account="50% 'O''Neil'"), connection.cursor() as cursor:
        cursor.execute("UPDATE patients_patient SET last_name = '5%'")
    (event,) = recorded()
    assert (event.changes, event.actor) == ({"last_name": ["Silva", "5%"]}, "50% 'O''Neil'")


def test_executemany_leaves_an_event_for_each_row(ana, recorded):
    with audit.acting(account="7"), connection.cursor() as cursor:
        cursor.executemany("UPDATE patients_patient SET last_name = %s", [("Souza",), ("Sosa",)])
    assert [(event.changes["last_name"], event.actor) for event in recorded()] == [
        (["Silva", "Souza"], "7"),
        (["Souza", "Sosa"], "7"),
    ]


def test_a_deleted_row_stays_in_the_record(ana, ben, recorded):
    proxy = Proxy.objects.create(patient=ben, proxy=ana, relation="carer")
    row = str(proxy.pk)
    proxy.delete()
    event = recorded()[-1]
    assert (event.action, event.table, event.row) == ("delete", "patients_proxy", row)
    assert [UUID(event.changes[column][0]) for column in ("patient_id", "proxy_id")] == [ben.pk, ana.pk]


def test_outside_any_door_the_system_acts(ana, recorded):
    Patient.objects.update(is_active=False)
    assert [(event.actor, event.channel) for event in recorded()] == [("", "system")]


def test_each_write_names_its_own_actor_in_one_transaction(ana, recorded):
    with transaction.atomic():
        with audit.acting(account="7"):
            Patient.objects.update(first_name="Anna")
        Patient.objects.update(first_name="Ana")
    assert [event.actor for event in recorded()] == ["7", ""]


def test_a_rolled_back_write_leaves_the_next_actor_right(ana, recorded):
    with audit.acting(account="7"):
        with transaction.atomic():
            Patient.objects.update(first_name="Anna")
            transaction.set_rollback(True)
        Patient.objects.update(first_name="Annie")
    (event,) = recorded()
    assert (event.actor, event.changes) == ("7", {"first_name": ["Ana", "Annie"]})


def test_a_request_is_asked_for_its_account_only_at_a_write(ana, recorded, django_assert_num_queries):
    asked = []

    def who() -> audit.Actor:
        asked.append(True)
        return audit.Actor(str(Account.objects.get(pk=ana.account_id).pk), "web")

    with audit.acting_as(who):
        Patient.objects.count()
        assert not asked
        Patient.objects.update(first_name="Anna")
    assert {event.actor for event in recorded()} == {str(ana.account_id)}


def test_long_texts_and_passwords_stay_out_of_the_record(ana, recorded):
    document = DocumentFactory()
    Document.objects.update(body="Something else")
    ana.account.set_password("another long password")
    ana.account.save()
    first, *_, changed, password = recorded()
    assert (UUID(first.row), first.changes["body"]) == (document.pk, [None, "…"])
    assert changed.changes == {"body": [None, "…"]}
    assert password.changes == {"password": [None, "…"]}


def test_a_vector_that_is_worked_out_leaves_nothing_in_the_record(recorded):
    Example.objects.create(text="is dr. holm in on friday", commands=[{"name": "ask_practice"}])
    written = recorded()
    Example.objects.update(vector=b"\0" * 768, vector_model="MiniLM", stamp=7)
    assert recorded() == written


def test_rows_behind_a_patient_are_recorded_too(ana, recorded):
    order = OrderFactory(patient=ana)
    Order.objects.filter(pk=order.pk).update(promised_on=date(2026, 3, 9))
    event = recorded()[-1]
    assert (event.table, event.changes) == ("orders_order", {"promised_on": [None, "2026-03-09"]})


def test_rows_that_join_two_others_are_recorded_too(main_street: Location, recorded):
    provider: Provider = ProviderFactory(locations=[main_street])
    event = recorded()[-1]
    assert event.table == "practice_provider_locations"
    assert event.changes["provider_id"] == [None, provider.pk]


def test_an_insert_still_returns_its_own_key_and_an_update_its_own_count(main_street):
    assert LocationFactory(name="Harbor").pk != LocationFactory(name="Hill").pk
    assert Location.objects.filter(name__startswith="H").update(directions="Up the hill") == 2


@pytest.mark.parametrize(
    "sql", ["UPDATE practice_auditevent SET actor = 'nobody'", "DELETE FROM practice_auditevent"]
)
def test_the_record_itself_cannot_be_changed(ana, recorded, sql):
    before = AuditEvent.objects.count()
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
    assert AuditEvent.objects.count() == before
    assert not AuditEvent.objects.filter(actor="nobody").exists()


def test_a_write_costs_no_further_query(ana, django_assert_num_queries):
    with audit.acting(account="7"), django_assert_num_queries(1):
        Patient.objects.update(first_name="Anna")


def test_installing_the_triggers_again_changes_nothing(ana, recorded):
    record.install()
    Patient.objects.update(first_name="Anna")
    assert len(recorded()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_can_be_emptied_and_its_triggers_stand_again(practice):
    entry = LedgerEntryFactory()
    call_command("flush", interactive=False, verbosity=0)
    assert not AuditEvent.objects.exists()
    LedgerEntryFactory(payer=PatientFactory(account=None))
    assert [event.table for event in AuditEvent.objects.order_by("id")] == [
        "patients_patient",
        "billing_ledgerentry",
    ]
    with pytest.raises(DatabaseError):
        type(entry).objects.all().delete()


@pytest.mark.django_db
def test_every_new_connection_knows_who_acts(tmp_path):
    place = {**connection.settings_dict, "NAME": str(tmp_path / "other.sqlite3"), "OPTIONS": {}}
    other = SQLiteConnection(place, alias="other")
    with audit.acting(account="7"), other.cursor() as cursor:
        assert cursor.execute("SELECT eyecare_actor('account')").fetchone() == ("7",)
    other.close()


def test_a_request_that_signs_in_on_the_way_is_recorded_under_its_account(ana, rf, recorded):
    def view(request):
        request.user = ana.account  # as a token does, long after the middleware began
        Patient.objects.update(address="2 Elm Street")
        return HttpResponse()

    request = rf.get("/api/v1/orders/", REMOTE_ADDR="10.0.0.9")
    request.user = AnonymousUser()
    AuditContext(view)(request)
    event = recorded()[-1]
    assert (event.actor, event.channel, event.address) == (str(ana.account.pk), "api", "10.0.0.9")


def test_what_happens_after_a_request_is_not_put_down_to_it(ana, rf, recorded):
    request = rf.get("/")
    request.user = ana.account
    AuditContext(lambda request: HttpResponse())(request)
    Patient.objects.update(address="2 Elm Street")
    assert recorded()[-1].actor == ""


def test_the_key_to_a_patients_calendar_is_not_written_down(ana):
    link = CalendarLink.objects.create(patient=ana)
    event = AuditEvent.objects.get(table="appointments_calendarlink", action="insert")
    assert link.token not in str(event.changes)
    assert event.changes["token"] == [None, "…"]
