"""The desk's pages open, search, filter, and cost a bounded number of queries."""

import pytest
from django.urls import reverse

from messaging.models import InboundText, Message, OptOut, Template
from orders.models import Order, Prescription
from patients.models import Account, Patient
from practice import audit
from practice.models import AuditEvent, Location, Notice, Practice, Provider
from tests.factories import (
    AccountFactory,
    LocationFactory,
    OrderFactory,
    PatientFactory,
    PrescriptionFactory,
    ProviderFactory,
)

MODELS = [
    Practice,
    Location,
    Provider,
    Notice,
    AuditEvent,
    Patient,
    Account,
    Message,
    InboundText,
    OptOut,
    Template,
    Order,
    Prescription,
]


def page(model: type, verb: str = "changelist", *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{verb}", args=args)


def rows(first: int, last: int) -> None:
    """Write rows of everything, each with related rows of its own."""
    for each in range(first, last):
        place = LocationFactory(name=f"Place {each}")
        patient = PatientFactory(guarantor=PatientFactory(account=None))
        provider = ProviderFactory(locations=[place], account=AccountFactory())
        prescription = PrescriptionFactory(patient=patient, provider=provider)
        OrderFactory(patient=patient, location=place, prescription=prescription)
        Message.objects.create(
            reason=f"{each}", kind="note", patient=patient, to=patient.phone, body="Hello."
        )
        InboundText.objects.create(provider_id=f"{each}", sender=patient.phone, recipient="x", body="Hi")
        OptOut.objects.create(phone=f"+1212555300{each}", word="stop")
        Notice.objects.create(title=f"Notice {each}", body="…")
        Template.objects.create(kind=f"kind {each}", body="Hello.")


@pytest.fixture
def desk(client, dana, practice):
    client.force_login(dana)
    return client


@pytest.mark.parametrize("model", MODELS)
def test_a_list_asks_no_more_for_more_rows(desk, model, django_assert_max_num_queries):
    rows(0, 2)
    with django_assert_max_num_queries(60) as few:
        assert desk.get(page(model)).status_code == 200
    rows(2, 6)
    with django_assert_max_num_queries(len(few)):
        assert desk.get(page(model)).status_code == 200


@pytest.mark.parametrize("model", [model for model in MODELS if model is not Practice])
def test_every_list_can_be_searched(desk, model):
    rows(0, 1)
    assert desk.get(page(model), {"q": "silva"}).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_every_row_opens(desk, model):
    rows(0, 1)
    row = model.objects.first()
    assert desk.get(page(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", [model for model in MODELS if model not in {Notice, Template}])
def test_what_must_be_kept_cannot_be_deleted_at_the_desk(desk, model):
    rows(0, 1)
    row = model.objects.first()
    assert desk.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [AuditEvent, Message, InboundText])
def test_what_only_the_house_writes_cannot_be_added_at_the_desk(desk, model):
    assert desk.get(page(model, "add")).status_code == 403


def test_opening_a_patient_at_the_desk_leaves_a_read(desk, ana, dana):
    desk.get(page(Patient, "change", ana.pk))
    event = AuditEvent.objects.get(action="read")
    assert (event.table, event.row, event.actor, event.channel, event.address) == (
        "patients_patient",
        str(ana.pk),
        str(dana.pk),
        "staff",
        "127.0.0.1",
    )


def test_saving_at_the_desk_is_recorded_as_a_change_by_whoever_saved(desk, ana, dana):
    form = desk.get(page(Patient, "change", ana.pk)).context["adminform"].form
    sent = {name: form[name].value() or "" for name in form.fields} | {"last_name": "Souza", **_no_inlines()}
    assert desk.post(page(Patient, "change", ana.pk), sent).status_code == 302
    event = AuditEvent.objects.filter(action="update", table="patients_patient").first()
    assert (event.changes, event.actor, event.channel) == (
        {"last_name": ["Silva", "Souza"]},
        str(dana.pk),
        "staff",
    )


def test_the_record_of_a_patient_is_one_press_away(desk, ana):
    with audit.acting(account=str(ana.account.pk)):
        Patient.objects.filter(pk=ana.pk).update(address="2 Elm Street")
    listed = desk.get(reverse("admin:patients_patient_show_record", args=[ana.pk]), follow=True)
    assert listed.status_code == 200
    assert ana.account.email in listed.content.decode()


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("silva", ["Ana"]),
        ("ana silva", ["Ana"]),
        ("1980-05-17", ["Ana"]),
        ("5/17/1980", ["Ana"]),
        ("(212) 555-0142", ["Ana"]),
        ("5550142", ["Ana"]),
        ("P90001", ["Ana"]),
        ("13/45/1980", []),
    ],
)
def test_a_patient_is_found_by_what_they_say_at_the_desk(desk, ana, ben, term, found):
    Patient.objects.filter(pk=ana.pk).update(phone="+12125550142", number="P90001")
    Patient.objects.filter(pk=ben.pk).update(date_of_birth="1975-01-02")
    listed = desk.get(page(Patient), {"q": term}).context["cl"].result_list
    assert [patient.first_name for patient in listed] == found


def test_a_patient_added_at_the_desk_gets_the_next_number(desk):
    sent = {
        "first_name": "Joe",
        "last_name": "Doe",
        "date_of_birth": "1990-01-01",
        "language": "en",
        "is_active": "on",
        **_no_inlines(),
    }
    assert desk.post(page(Patient, "add"), sent).status_code == 302
    assert Patient.objects.get(last_name="Doe").number == "P100001"


def test_a_birth_in_the_future_is_an_error_beside_its_field(desk):
    sent = {
        "first_name": "Joe",
        "last_name": "Doe",
        "date_of_birth": "2990-01-01",
        "language": "en",
        **_no_inlines(),
    }
    form = desk.post(page(Patient, "add"), sent).context["adminform"].form
    assert form.errors["date_of_birth"] == ["A date of birth cannot lie in the future."]
    assert not Patient.objects.filter(last_name="Doe").exists()


def test_a_log_in_is_added_by_its_email_address(desk):
    sent = {"email": "new@example.com", "password1": "a long pass phrase", "password2": "a long pass phrase"}
    assert desk.post(page(Account, "add"), sent).status_code == 302
    assert Account.objects.get(email="new@example.com").check_password("a long pass phrase")


def _no_inlines() -> dict[str, str]:
    return {
        f"{prefix}-{part}": "0"
        for prefix in ("proxies", "wards", "consents")
        for part in ("TOTAL_FORMS", "INITIAL_FORMS")
    }


@pytest.mark.django_db
@pytest.mark.parametrize("nonsense", ["abc", "-1", "9" * 40, "\0"])
@pytest.mark.parametrize("chosen", ["patient", "provider"])
def test_what_is_no_key_is_answered_beside_its_field(client, dana, practice, chosen, nonsense):
    client.force_login(dana)
    for page in ("appointments_appointment", "appointments_waitlistentry"):
        answer = client.post(reverse(f"admin:{page}_add"), {chosen: nonsense})
        assert answer.status_code == 200
        assert chosen in answer.context["adminform"].form.errors
        assert client.get(reverse(f"admin:{page}_add"), {chosen: nonsense}).status_code == 200
