"""Nobody reaches another patient's rows: every route of the house is walked, none is listed by hand.

A route that this file cannot fill fails: say in `BENS` whose row it speaks of, or in `PUBLIC` why
anybody may open it.
"""

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.db.models import Model
from django.forms.models import model_to_dict
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from appointments.models import Appointment, Opening, Recall, RecallRule, WaitlistEntry, WaitlistOffer
from billing.models import Statement, StatementRun
from chatbot.models import Assistant, ChatMessage, Conversation
from eyecare import clock
from patients.models import Account, Patient
from payments.models import Checkout
from tests import factories
from workshop.models import Dataset, FineTuneJob, ModelVersion

PUBLIC = {
    "/": "the welcome page",
    "/chat/": "practice questions need no log-in",
    "/chat/messages/": "practice questions need no log-in",
    "/chat/news/": "practice questions need no log-in",
    "/chat/documents/<slug:slug>/": "the practice's public documents",
    "/chat/<slug:assistant>/": "practice questions need no log-in",
    "/chat/<slug:assistant>/messages/": "practice questions need no log-in",
    "/chat/<slug:assistant>/news/": "practice questions need no log-in",
    "/api/v1/notices/": "notices are for everyone",
    "/api/v1/notices/<pk>/": "notices are for everyone",
    "/phones/": "the simulator exists in the demo only",
    "/phones/<str:number>/": "the simulator exists in the demo only",
    "/webhooks/stripe/": "signed by Stripe",
    "/webhooks/twilio/": "signed by Twilio",
    "/webhooks/twilio/status/": "signed by Twilio",
    "/appointments/calendar/<str:token>.ics": "calendar programs cannot sign in; the link is the secret",
    "/api/v1/schema/": "describes the API",
    "/api/v1/docs/": "describes the API",
}
ELSEWHERE = ("/admin/", "/account/", "/static/")
"""The admin has permissions of its own, allauth tests of its own."""

BENS = {
    "/appointments/": "appointment",
    "/api/v1/appointments/": "appointment",
    "/appointments/again/": "recall",
    "/appointments/waitlist/": "entry",
    "/appointments/waitlist/offers/": "offer",
    "/api/v1/holds/": "hold",
    "/api/v1/waitlist/": "entry",
    "/api/v1/waitlist-offers/": "offer",
    "/orders/": "order",
    "/api/v1/orders/": "order",
    "/dues/statements/": "statement",
    "/api/v1/statements/": "statement",
    "/pay/": "checkout",
    "/chat/stream/": "message",
    "/chat/<slug:assistant>/stream/": "message",
    "/chat/": "conversation",
    "/api/v1/chat/": "conversation",
}
"""Which of Ben's rows fills the parameter of a route, by the longest prefix that fits."""

STAFFS = {"/api/v1/upload/": "dataset", "/api/v1/fine-tune/": "fine_tune", "/api/v1/models/": "version"}
"""The same for rows of no patient's, which members of staff reach who have the right to."""

NO_ROW = {
    "slug": "exam",
    "assistant": "assistant",
    "key": "not-a-slot",
    "token": "not-a-token",
    "number": "+12125550111",
    "format": "json",
}
"""Parameters that name nobody's row."""

METHODS = ("get", "post", "put", "patch", "delete")
REFUSED = {302, 401, 403, 404, 405}


def routes() -> list[str]:
    """Return every route below the root, as `/orders/<uuid:order_id>/`."""
    return sorted(
        {route for route in _walk(get_resolver().url_patterns, "") if not route.startswith(ELSEWHERE)}
    )


def _walk(entries: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for entry in entries:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, route)
        else:
            yield simplify_regex(route)


def parameters(route: str) -> list[str]:
    return [name for name in re.findall(r"<(?:\w+:)?(\w+)>", route) if name not in NO_ROW]


ROUTES = routes()
WITH_A_ROW = [route for route in ROUTES if parameters(route) and route not in PUBLIC]
STAFFS_ROWS = [route for route in WITH_A_ROW if route.startswith(tuple(STAFFS))]


@pytest.fixture
def bens_rows(ben: Patient, exam: object, okafor: object) -> dict[str, Model]:
    """One row of every kind that a route can speak of, all Ben's."""
    conversation = factories.ConversationFactory(patient=ben, account=ben.account)
    run = StatementRun.objects.create(as_of="2026-03-01", minimum_cents=500)
    visit = factories.AppointmentFactory(patient=ben, visit_type=exam, provider=okafor)
    return {
        "appointment": visit,
        "hold": factories.AppointmentFactory(
            patient=ben,
            visit_type=exam,
            provider=okafor,
            starts_at=visit.starts_at + timedelta(hours=2),
            state="held",
            held_until=clock.now() + timedelta(minutes=10),
        ),
        **_on_the_waitlist(visit),
        "recall": _recall(visit),
        "order": factories.OrderFactory(patient=ben),
        "statement": Statement.objects.create(
            run=run, payer=ben, number="S-1", as_of="2026-03-01", state=Statement.State.SENT, pdf=b"%PDF-1.7"
        ),
        "checkout": Checkout.objects.create(payer=ben, amount_cents=1_000, state=Checkout.State.OPEN),
        "conversation": conversation,
        **_in_the_workshop(),
        "message": ChatMessage.objects.create(
            conversation=conversation,
            author=ChatMessage.Author.PATIENT,
            channel=Conversation.Channel.WEB,
            text="Hi",
        ),
    }


def _recall(visit: Appointment) -> Recall:
    rule = RecallRule.objects.create(name="Yearly", slug="yearly", books=visit.visit_type, months=12)
    return Recall.objects.create(patient=visit.patient, rule=rule)


def _in_the_workshop() -> dict[str, Model]:
    """Return what was uploaded, a training on it and the version that it made."""
    assistant = Assistant.objects.get(is_default=True)
    dataset = Dataset.objects.create(name="Ours", licence="own", sha256="0", size_bytes=1, rows=1, kept=1)
    version = ModelVersion.objects.create(
        assistant=assistant, number=1, name="ours", kind="model", sha256="0", size_bytes=1
    )
    job = FineTuneJob.objects.create(assistant=assistant, dataset=dataset, epochs=1, learning_rate=1e-4)
    return {"dataset": dataset, "fine_tune": job, "version": version}


def _on_the_waitlist(visit: Appointment) -> dict[str, Model]:
    """Return a wish of the visit's patient, and a time that came free and is offered to them."""
    entry = WaitlistEntry.objects.create(
        patient=visit.patient, visit_type=visit.visit_type, first_day=clock.today()
    )
    freed = factories.AppointmentFactory(
        visit_type=visit.visit_type,
        provider=visit.provider,
        starts_at=visit.starts_at + timedelta(hours=4),
        state="cancelled",
    )
    opening = Opening.objects.create(
        freed_by=freed,
        provider=freed.provider,
        location=freed.location,
        busy_from=freed.busy_from,
        busy_until=freed.busy_until,
    )
    offer = WaitlistOffer.objects.create(
        entry=entry,
        opening=opening,
        starts_at=freed.starts_at,
        answer_until=clock.now() + timedelta(minutes=30),
    )
    return {"entry": entry, "offer": offer}


def fill(route: str, rows: dict[str, Model]) -> str:
    known = BENS | STAFFS
    prefix = max((start for start in known if route.startswith(start)), key=len, default=None)
    assert prefix, f"{route}: say in BENS whose row it speaks of"
    for name in parameters(route):
        route = re.sub(rf"<(?:\w+:)?{name}>", str(rows[known[prefix]].pk), route)
    return without_parameters(route)


def without_parameters(route: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: NO_ROW[found[1]], route)


def state_of(rows: dict[str, Model]) -> str:
    for row in rows.values():
        row.refresh_from_db()
    return json.dumps({name: model_to_dict(row) for name, row in rows.items()}, default=str)


def test_there_are_routes_to_walk() -> None:
    assert len(ROUTES) > 25
    assert len(WITH_A_ROW) > 8


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", WITH_A_ROW)
def test_another_patients_row_looks_missing_and_stays_as_it_is(
    client: Client, ana: Patient, bens_rows: dict[str, Model], route: str, method: str
) -> None:
    client.force_login(ana.account)
    before = state_of(bens_rows)
    response = getattr(client, method)(fill(route, bens_rows), content_type="application/json")
    assert response.status_code in {404, 405, 415}
    assert state_of(bens_rows) == before


@pytest.mark.parametrize("route", WITH_A_ROW)
def test_a_row_that_never_existed_answers_the_same(
    client: Client, ana: Patient, bens_rows: dict[str, Model], route: str
) -> None:
    client.force_login(ana.account)
    path = fill(route, bens_rows)
    missing = re.sub(r"[0-9a-f-]{36}", "00000000-0000-4000-8000-000000000000", path)
    missing = re.sub(r"/models/\d+/", "/models/4711/", missing)
    assert client.get(missing).status_code == client.get(path).status_code


@pytest.mark.parametrize("route", [route for route in WITH_A_ROW if route not in STAFFS_ROWS])
def test_ben_reaches_his_own(client: Client, ben: Patient, bens_rows: dict[str, Model], route: str) -> None:
    """Without this, a route that answers 404 to everybody would pass the tests above."""
    client.force_login(ben.account)
    statuses = {getattr(client, method)(fill(route, bens_rows)).status_code for method in ("get", "post")}
    if "key" not in route:
        assert statuses - {404, 405}


@pytest.mark.parametrize("route", STAFFS_ROWS)
def test_the_staff_reach_what_is_theirs(
    client: Client, dana: Account, bens_rows: dict[str, Model], route: str
) -> None:
    client.force_login(dana)
    statuses = {getattr(client, method)(fill(route, bens_rows)).status_code for method in ("get", "post")}
    assert statuses - {404, 405}


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in PUBLIC])
def test_nobody_sees_a_private_page_without_signing_in(
    client: Client, bens_rows: dict[str, Model], route: str
) -> None:
    path = fill(route, bens_rows) if parameters(route) else without_parameters(route)
    for method in METHODS:
        assert getattr(client, method)(path).status_code in REFUSED, f"{method} {path}"


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in PUBLIC])
def test_a_switched_off_account_is_refused_at_its_next_request(
    client: Client, ben: Patient, bens_rows: dict[str, Model], route: str
) -> None:
    assert ben.account
    client.force_login(ben.account)
    Account.objects.filter(pk=ben.account.pk).update(is_active=False)
    path = fill(route, bens_rows) if parameters(route) else without_parameters(route)
    assert client.get(path).status_code in REFUSED


@pytest.mark.parametrize("name", ["patient", "pid", "patient_id", "account", "hidden_patient_code"])
def test_a_patient_named_in_the_request_changes_nothing(
    client: Client, ana: Patient, ben: Patient, bens_rows: dict[str, Model], name: str
) -> None:
    client.force_login(ana.account)
    for path in ("/api/v1/appointments/", "/api/v1/orders/", "/api/v1/statements/", "/api/v1/balance/"):
        assert client.get(path, {name: str(ben.pk)}).content == client.get(path).content


def test_the_phone_simulator_is_not_there_outside_the_demo(
    client: Client, practice: object, settings: object
) -> None:
    settings.DEMO = False  # type: ignore[attr-defined]
    assert client.get("/phones/").status_code == 404
    assert client.get("/phones/+12125550111/").status_code == 404
