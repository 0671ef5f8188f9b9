"""The recall board: what there is to do, done to one or to many, and fast with very many."""

from datetime import date, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.urls import reverse

from appointments import recalls
from appointments.admin.recalls import StandingFilter
from appointments.models import Appointment, Recall, RecallAttempt, RecallRule, RecallRun
from eyecare import clock
from messaging.models import Message
from patients.models import Patient
from practice.models import AuditEvent
from tests import factories
from tests.factories import MONDAY, ZONE

pytestmark = pytest.mark.usefixtures("monday")

BOARD = "/admin/appointments/recall/"
RULES = "/admin/appointments/recallrule/"
TODAY = date(2026, 3, 2)


@pytest.fixture
def desk(client, dana):
    client.force_login(dana)
    return client


@pytest.fixture
def rule(exam):
    made = RecallRule.objects.create(name="Yearly", slug="yearly", books=exam, months=12)
    made.after.set([exam])
    return made


@pytest.fixture
def due(rule, ana):
    factories.ConsentFactory(patient=ana)
    return recalls.put_on(patient=ana, rule=rule, last_seen_on=date(2025, 3, 2))


def listed(desk, standing=""):
    response = desk.get(f"{BOARD}?standing={standing}" if standing else BOARD)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def press(desk, action, *chosen, **more):
    form = {"action": action, "_selected_action": [recall.pk for recall in chosen], **more}
    return desk.post(f"{BOARD}?standing=all", form, follow=action != "export_letters")


def told(response):
    return [str(message) for message in response.context["messages"]]


def test_the_board_opens_with_those_whose_turn_it_is(desk, due, ben, rule):
    recalls.put_on(patient=ben, rule=rule, last_seen_on=date(2026, 2, 1))
    assert listed(desk) == [due]
    page = desk.get(BOARD).content.decode()
    for shown in ("Ana Silva", "March 2, 2026", "March 2, 2025", "0 of 3", "Book a visit"):
        assert shown in page


def test_every_standing_is_a_link_and_the_shown_one_is_marked(desk, due, rule):
    page = desk.get(f"{BOARD}?standing=snoozed&rule__id__exact={rule.pk}&p=1").content.decode()
    assert f'<a href="?rule__id__exact={rule.pk}&amp;standing=overdue">Overdue</a>' in page
    assert page.count('aria-current="page">Snoozed</a>') == 1
    assert 'aria-current="page">Due now</a>' in desk.get(BOARD).content.decode()


def test_every_standing_shows_its_own(desk, due, ana, ben, exam, rule):
    everybody = StandingFilter.asks.keys() - {"all"}

    def standings(recall):
        return {name for name in everybody if recall in listed(desk, name)}

    assert standings(due) == {"due"}
    with clock.frozen_at(MONDAY + timedelta(days=1)):
        assert standings(due) == {"due", "overdue"}
    recalls.ask(recall=due)
    assert standings(due) == {"asked"}
    Message.objects.update(state="failed", explanation="not a mobile number")
    assert standings(due) == {"asked", "unreachable"}
    recalls.snooze(recall=due, until=date(2026, 5, 1))
    assert standings(due) == {"asked", "unreachable", "snoozed"}
    visit = factories.AppointmentFactory(patient=ana, visit_type=exam)
    assert standings(due) == {"booked", "snoozed"}
    Appointment.objects.filter(pk=visit.pk).update(state="cancelled")
    recalls.decline(recall=due)
    assert standings(due) == {"declined"}
    recalls.take_off(recall=due)
    assert standings(due) == {"off"}
    recalls.put_back(recall=due)
    Recall.objects.update(attempts=3)
    recalls.refresh(rule)
    recalls.work_through()
    due.refresh_from_db()
    assert standings(due) == {"exhausted", "unreachable"}
    assert due in listed(desk, "all")
    assert listed(desk, "no-such-thing") == []


def test_who_could_not_be_reached_is_told_with_the_reason(desk, rule, ben):
    recall = recalls.put_on(patient=ben, rule=rule)
    recalls.ask_due()
    assert listed(desk, "unreachable") == [recall]
    page = desk.get(f"{BOARD}?standing=unreachable").content.decode()
    assert "1 of 3" in page
    assert recall.history.get().outcome.split(";")[0] in page


def test_the_board_tells_when_the_patient_comes(desk, due, ana, exam):
    factories.AppointmentFactory(
        patient=ana, visit_type=exam, starts_at=datetime(2026, 3, 9, 20, tzinfo=ZONE)
    )
    assert "Mar 9, 2026" in desk.get(f"{BOARD}?standing=booked").content.decode()


def test_the_number_of_queries_does_not_grow_with_the_recalls(
    desk, due, rule, exam, django_assert_max_num_queries
):
    recalls.ask(recall=due)
    with django_assert_max_num_queries(20) as few:
        listed(desk, "all")
    for day in range(30):
        patient = factories.PatientFactory(guarantor=due.patient)
        factories.ConsentFactory(patient=patient)
        visit = factories.AppointmentFactory(
            patient=patient, visit_type=exam, state="done", starts_at=MONDAY - timedelta(days=400 + day)
        )
        recalls.visit_completed(visit)
    assert recalls.ask_due() == 30
    with django_assert_max_num_queries(len(few)):
        assert len(listed(desk, "all")) == 31


@pytest.fixture
def very_many(rule):
    people = Patient.objects.bulk_create(
        Patient(number=f"T{n}", first_name="T", last_name=str(n), date_of_birth=date(1980, 1, 1))
        for n in range(5_000)
    )
    days = [TODAY + timedelta(days=n - 100) for n in range(5_000)]
    Recall.objects.bulk_create(
        Recall(patient=patient, rule=rule, due_on=day, next_attempt_on=day - timedelta(days=21))
        for patient, day in zip(people, days, strict=True)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def test_the_board_of_very_many_reads_by_an_index_and_counts_only_what_it_shows(
    desk, very_many, django_assert_max_num_queries
):
    with django_assert_max_num_queries(20) as asked:
        assert len(listed(desk)) == 50
    counts = [query["sql"] for query in asked.captured_queries if "COUNT(" in query["sql"]]
    assert counts
    assert all("next_attempt_on" in sql for sql in counts)  # the whole is never counted
    assert "recall_to_ask" in plan(Recall.objects.due().order_by("-next_attempt_on", "pk"))
    assert "recall_due" in plan(Recall.objects.live().overdue().order_by("due_on", "pk"))


def plan(rows):
    """Return how the database would read the first page, as if a scan of few rows cost much too."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    return rows[:50].explain()


def test_somebody_is_put_on_a_recall_in_the_form(desk, ana, rule):
    form = {
        "patient": ana.pk,
        "rule": rule.pk,
        "last_seen_on": "2025-06-30",
        "months": "8",
        "note": "Glaucoma",
    }
    assert desk.post(f"{BOARD}add/", form).status_code == 302
    recall = Recall.objects.get()
    assert (recall.due_on, recall.is_put_on, recall.note) == (date(2026, 2, 28), True, "Glaucoma")
    page = reverse("admin:appointments_recall_change", args=[recall.pk])
    inlines = {"history-TOTAL_FORMS": 0, "history-INITIAL_FORMS": 0}
    changed = {"last_seen_on": "2025-06-30", "months": "", "note": "", **inlines}
    assert desk.post(page, changed).status_code == 302
    recall.refresh_from_db()
    assert (recall.due_on, recall.months) == (date(2026, 6, 30), None)


@pytest.mark.parametrize(
    "wrong",
    [{"last_seen_on": "2026-03-03"}, {"months": "0"}, {"months": "99999"}, {"months": "x"}, {"rule": ""}],
)
def test_a_form_that_cannot_be_writes_nothing(desk, ana, rule, wrong):
    form = {"patient": ana.pk, "rule": rule.pk, "last_seen_on": "", "months": "", "note": "", **wrong}
    assert desk.post(f"{BOARD}add/", form).status_code == 200
    assert not Recall.objects.exists()


def test_opening_a_recall_is_on_record(desk, due, dana):
    assert desk.get(reverse("admin:appointments_recall_change", args=[due.pk])).status_code == 200
    event = AuditEvent.objects.filter(action="read").get()
    assert (event.table, event.row, event.actor) == ("appointments_recall", str(due.pk), str(dana.pk))


def test_many_are_asked_and_the_others_told_why_not(desk, due, ben, rule):
    declined = recalls.put_on(patient=ben, rule=rule)
    recalls.decline(recall=declined)
    messages = told(press(desk, "ask_all", due, declined))
    assert messages == ["1 recall: asked.", "1 not: Ben Moreau: the recall is marked: does not want it."]
    assert RecallAttempt.objects.get().recall == due


@pytest.mark.parametrize(
    ("pressed", "state"), [("decline_all", "declined"), ("take_off_all", "off"), ("put_back_all", "waiting")]
)
def test_many_change_their_state(desk, due, pressed, state):
    Recall.objects.update(attempts=2)
    press(desk, pressed, due)
    due.refresh_from_db()
    assert due.state == state


def test_many_are_snoozed_until_a_day_that_is_asked_for(desk, due):
    page = press(desk, "snooze_all", due)
    assert "When may they be asked again?" in page.content.decode()
    assert f'value="{due.pk}"' in page.content.decode()
    assert "1 recall: not before 2026-05-01." in told(press(desk, "snooze_all", due, until="2026-05-01"))
    due.refresh_from_db()
    assert due.next_attempt_on == date(2026, 5, 1)


@pytest.mark.parametrize("until", ["", "soon", "2026-13-01"])
def test_a_snooze_without_a_day_asks_again(desk, due, until):
    assert "When may they be asked again?" in press(desk, "snooze_all", due, until=until).content.decode()


def test_a_snooze_into_the_past_is_refused_with_a_sentence(desk, due):
    (message,) = told(press(desk, "snooze_all", due, until="2026-03-01"))
    assert message == "1 not: Please give a day after today, within five years."


def test_too_many_at_once_are_refused(desk, very_many):
    (message,) = told(press(desk, "decline_all", Recall.objects.first(), select_across="1"))
    assert message == "Nothing was done: please choose 500 recalls at most."
    assert not Recall.objects.filter(state="declined").exists()


@pytest.mark.parametrize("step", ["ask", "decline", "take_off", "put_back"])
def test_one_is_acted_on_after_a_dialog(desk, due, step):
    address = reverse(f"admin:appointments_recall_{step}", args=[due.pk])
    assert desk.get(address).status_code == 200
    assert not RecallAttempt.objects.exists()
    assert desk.post(address, {"_form_submitted": "on"}).status_code == 302
    due.refresh_from_db()
    expected = {"decline": "declined", "take_off": "off"}
    assert due.state == expected.get(step, "waiting")
    assert RecallAttempt.objects.count() == (step == "ask")


def test_booking_opens_the_page_with_the_patient_filled(desk, due, ana, exam):
    response = desk.get(reverse("admin:appointments_recall_book", args=[due.pk]), follow=True)
    assert response.status_code == 200
    assert f'value="{ana.pk}" selected' in response.content.decode()


def table(response):
    async def collect():
        return [part async for part in response.streaming_content]

    return b"".join(async_to_sync(collect)()).decode("utf-8-sig").splitlines()


def test_the_letters_are_a_table_that_no_spreadsheet_runs(desk, due, ana, dana):
    Patient.objects.filter(pk=ana.pk).update(first_name="=HYPERLINK(1)", address="+1 Elm, Springfield")
    response = press(desk, "export_letters", due)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    header, row = table(response)
    assert header.startswith("Number,First name,Last name,Addressed to")
    assert f"{ana.number},'=HYPERLINK(1),Silva,'=HYPERLINK(1) Silva,\"'+1 Elm, Springfield\",English" in row
    assert row.endswith("Yearly,2026-03-02,2025-03-02,0")
    read = AuditEvent.objects.filter(action="read", table="patients_patient").get()
    assert (read.row, read.actor) == (str(ana.pk), str(dana.pk))


def test_very_many_letters_are_written_in_pieces(desk, very_many):
    response = press(desk, "export_letters", Recall.objects.first(), select_across="1")
    assert len(table(response)) == 5_001


def test_more_than_anybody_looks_through_is_neither_counted_nor_written(desk, very_many, monkeypatch):
    monkeypatch.setattr("appointments.admin.recalls.MOST_LISTED", 1_000)
    response = desk.get(f"{BOARD}?standing=all")
    assert response.context["cl"].result_count == 1_000
    response = desk.post(
        f"{BOARD}?standing=all",
        {"action": "export_letters", "_selected_action": [Recall.objects.first().pk], "select_across": "1"},
        follow=True,
    )
    assert told(response) == ["Nothing was written: please choose 1000 letters at most."]
    assert not AuditEvent.objects.filter(action="read").exists()


def test_staff_without_the_right_cannot_act(client, due):
    client.force_login(factories.AccountFactory(is_staff=True))
    assert client.get(BOARD).status_code == 403
    assert client.post(reverse("admin:appointments_recall_ask", args=[due.pk])).status_code == 403
    assert (
        client.get(reverse("admin:appointments_recallrule_progress", args=[due.rule_id])).status_code == 403
    )
    assert not RecallAttempt.objects.exists()


# The rules


def a_form(rule, *bands, **more):
    form = {
        "name": rule.name,
        "slug": rule.slug,
        "after": [visit_type.pk for visit_type in rule.after.all()],
        "books": rule.books_id,
        "months": rule.months,
        "is_for_everyone": "on",
        "first_days_before": 21,
        "pause_days": 21,
        "most_attempts": 3,
        "most_a_day": 100,
        "is_active": "on",
        "intervals-TOTAL_FORMS": len(bands),
        "intervals-INITIAL_FORMS": 0,
    }
    for number, (from_age, months) in enumerate(bands):
        form |= {f"intervals-{number}-from_age": from_age, f"intervals-{number}-months": months}
    return form | more


def test_a_changed_rule_is_worked_through_for_everybody(desk, due, rule):
    page = reverse("admin:appointments_recallrule_change", args=[rule.pk])
    assert desk.post(page, a_form(rule, (40, 6))).status_code == 302
    run = RecallRun.objects.get()
    assert (run.in_all, run.finished_at) == (1, None)
    assert "0 of about 1 patients" in desk.get(page).content.decode()
    recalls.work_through()
    due.refresh_from_db()
    assert due.due_on == date(2025, 9, 2)
    progress = desk.get(reverse("admin:appointments_recallrule_progress", args=[rule.pk])).content.decode()
    assert "Worked through for 1 patient" in progress
    assert "hx-get" not in progress


def test_a_rule_that_was_only_looked_at_makes_no_work(desk, rule):
    page = reverse("admin:appointments_recallrule_change", args=[rule.pk])
    assert desk.post(page, a_form(rule)).status_code == 302
    assert not RecallRun.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"months": 0}, {"months": 241}, {"pause_days": 0}, {"most_attempts": 0}, {"slug": "a b"}]
)
def test_a_rule_that_cannot_be_is_refused(desk, rule, wrong):
    page = reverse("admin:appointments_recallrule_change", args=[rule.pk])
    response = desk.post(page, a_form(rule, **wrong))
    assert response.status_code == 200
    assert response.context["errors"]
    assert not RecallRun.objects.exists()


def test_two_intervals_for_one_age_are_refused(desk, rule):
    page = reverse("admin:appointments_recallrule_change", args=[rule.pk])
    assert desk.post(page, a_form(rule, (40, 6), (40, 12))).status_code == 200
    assert not rule.intervals.exists()


def test_the_rules_are_listed_with_their_progress(desk, due, rule, django_assert_max_num_queries):
    recalls.refresh(rule)
    with django_assert_max_num_queries(15):
        page = desk.get(RULES).content.decode()
    assert "0 of 1" in page
