"""Whatever is sent to the diary's doors, the answer is a clear no and never a fault of ours.

The test client raises what a view raises: an exception that nobody turned into an answer fails here.
"""

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appointments import services, waitlist
from appointments.models import Appointment
from tests.eyecare.test_isolation import routes

pytestmark = pytest.mark.usefixtures("monday")

NASTY = (
    "", " ", "0", "-1", "1", "exam", "null", "[]", "{}", "true", "NaN", "1e400", "\x00", "a\x00b",
    "9" * 19, "9" * 40, "-" + "9" * 40, "0000-00-00", "0001-01-01", "2026-02-30", "2026-03-03",
    "9999-12-31", "10000-01-01", "2026-03-03T25:61", "24:00", "25:99", "٢٠٢٦-٠٣-٠٣", "½", "²", "１",
    "é\u202e", "😀", "\ud800", "\ufeff", "' OR 1=1 --", "../../etc/passwd", "%00", "%s%n", "<script>",
    "1.1.20260303T1400", "1.1.00000000T0000", "1.1.99991231T2359", "-1.-1.20260303T1400",
    "9999999999999999999.1.20260303T1400", "1.1.20260308T0730", "²..", "1.1.²0260303T1400",
    "00000000-0000-0000-0000-000000000000", "x" * 5_000,
)  # fmt: skip

texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=40))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)

NAMES = (
    "visit_type", "slot", "moving", "from", "to", "provider", "location", "limit", "offset", "note",
    "reason", "start", "part", "page", "first_day", "last_day", "weekdays", "from_time", "until_time",
    "key", "patient", "format",
)  # fmt: skip
given_names = st.sampled_from(NAMES)

DOORS = [
    route
    for route in routes()
    if route.startswith(("/appointments/", "/api/v1/"))
    and any(
        part in route for part in ("appointments", "slots", "holds", "waitlist", "calendar", "visit-types")
    )
]

hostile = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def rows(ana, exam, okafor, tuesday_nine, slot_at) -> dict[str, str]:
    """What Ana has, by the name of the route's parameter: every door opens on something."""
    visit = services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="web")
    entry = waitlist.join(patient=ana, visit_type=exam, channel="web")
    return {
        "appointment_id": str(visit.pk),
        "pk": str(visit.pk),
        "entry_id": str(entry.pk),
        "offer_id": "00000000-0000-4000-8000-000000000000",
        "recall_id": "1",
        "slug": "exam",
        "key": slot_at(4, 10).key,
        "token": "nothing",
    }


@pytest.fixture
def anas(client: Client, ana: Any) -> Client:
    client.force_login(ana.account)
    return client


def path_of(route: str, rows: dict[str, str]) -> str:
    for name, value in rows.items():
        for kind in ("uuid:", "slug:", "str:", "int:", ""):
            route = route.replace(f"<{kind}{name}>", value)
    assert "<" not in route, f"{route}: say in `rows` what fills it"
    return route


def assert_answered(response: Any, route: str) -> None:
    assert response.status_code < 500, route
    if route.startswith("/api/") and response.status_code >= 400:
        assert response["Content-Type"] == "application/problem+json", route
        assert {"code", "detail", "status"} <= json.loads(response.content).keys()


def test_there_are_doors_to_knock_at() -> None:
    assert len(DOORS) > 25


@pytest.mark.parametrize("route", DOORS)
@hostile
@given(query=st.dictionaries(given_names, texts, max_size=6))
def test_a_query_of_any_kind_is_answered(
    anas: Client, rows: dict[str, str], route: str, query: dict[str, str]
) -> None:
    readable = {name: value.encode("utf-8", "replace") for name, value in query.items()}
    assert_answered(anas.get(path_of(route, rows), readable), route)


@pytest.mark.parametrize("route", [route for route in DOORS if route.startswith("/api/")])
@hostile
@given(body=st.one_of(anything, st.dictionaries(given_names, anything, max_size=6)))
def test_a_body_of_any_shape_is_answered(
    anas: Client, rows: dict[str, str], route: str, body: object
) -> None:
    cache.clear()
    response = anas.post(path_of(route, rows), json.dumps(body), content_type="application/json")
    assert_answered(response, route)


@pytest.mark.parametrize("route", [route for route in DOORS if route.startswith("/appointments/")])
@hostile
@given(form=st.dictionaries(given_names, texts, max_size=6))
def test_a_form_of_any_kind_is_answered(
    anas: Client, rows: dict[str, str], route: str, form: dict[str, str]
) -> None:
    readable = {name: value.encode("utf-8", "replace").decode() for name, value in form.items()}
    assert_answered(anas.post(path_of(route, rows), readable), route)


@pytest.mark.parametrize("name", ["slug", "key", "token", "pk", "appointment_id", "entry_id", "recall_id"])
@hostile
@given(value=texts)
def test_a_path_of_any_kind_is_answered(anas: Client, rows: dict[str, str], name: str, value: str) -> None:
    from urllib.parse import quote

    piece = quote(value.encode("utf-8", "replace"), safe="")
    for route in DOORS:
        if f"{name}>" in route:
            assert_answered(anas.get(path_of(route, {**rows, name: piece})), "")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 5_000, b'{"slot": "\\ud800"}', b"\x00"])
@pytest.mark.parametrize("door", ["appointments/", "holds/", "waitlist/"])
def test_a_body_that_is_no_json_is_refused_and_nothing_is_written(
    anas: Client, exam: object, door: str, body: bytes
) -> None:
    response = anas.post(f"/api/v1/{door}", body, content_type="application/json")
    assert response.status_code == 400
    assert not Appointment.objects.exists()


@pytest.mark.parametrize("key", ["k" * 81, "a\x00b", "é" * 50, "\ud800"])
def test_a_request_key_that_is_none_is_refused_or_kept_as_it_is(
    anas: Client, exam: object, tuesday_nine: Any, key: str
) -> None:
    response = anas.post(
        "/api/v1/appointments/",
        json.dumps({"visit_type": "exam", "slot": tuesday_nine.key}),
        content_type="application/json",
        headers={"Idempotency-Key": key.encode("utf-8", "surrogatepass").decode("latin-1")},
    )
    assert response.status_code in {201, 400}
