"""One program after the other is killed under a running portal; patients notice as little as can be."""

import os
import shutil
import signal
import subprocess
from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from appointments.models import Appointment
from billing.models import Statement, StatementRun
from chatbot.models import Document, Passage
from messaging.models import Message
from tests.drills.house import KEEPER, STOPS_WITHIN, House, Visitor, until

STATEMENTS = 120 + 3
"""Those of the script, and the three of the cast who owe something and are on no plan."""

WORKER_THREADS = 4

ALL_ANSWER = dict.fromkeys(
    ["/", "/appointments/", "/appointments/book/exam/", "/orders/", "/dues/", "/chat/"], 200
)
ALL_WELL = dict.fromkeys(["status", "database", "queue", "model", "vectors"], "ok")
MANY_STATEMENTS = """
from billing import services
from eyecare import clock
from patients.models import Consent, Patient

for patient in Patient.objects.filter(account=None)[:120]:
    services.charge(patient=patient, amount_cents=2500, description="Eye exam", source=f"drill:{patient.pk}")
    Consent.objects.create(patient=patient, kind=Consent.Kind.BILLING_TEXTS, granted=True, source="drill")
print(services.start_run(as_of=clock.today(), minimum_cents=0).pk)
"""
CHANGED_DOCUMENT = """
from chatbot import knowledge
from chatbot.models import Document
insurance = Document.objects.get(slug="insurance")
insurance.body += "\\n\\n## New this year\\nWe take Lighthouse Vision insurance."
knowledge.write(insurance)
"""
FOUND_BY_MEANING = """
from chatbot import knowledge
hit = knowledge.search("Where can I leave my car?", audience="everyone")[0]
print(hit.passage.document.slug if hit.similarity else "by words alone")
"""


def messages(**which: object) -> Counter[tuple[str, int]]:
    """Return how many messages there are of each state and number of attempts."""
    return Counter(Message.objects.using("house").filter(**which).values_list("state", "attempts"))


def book_by_chat(patient: Visitor) -> str:
    """Book an exam in three turns; return the id of the visit."""
    offer = patient.say("book an eye exam")
    patient.say(offer.choices[0]["label"])
    booked = patient.say("yes")
    assert [effect["action"] for effect in booked.effects] == ["appointment.booked"], booked.text
    return str(booked.effects[0]["id"])


def test_without_the_model_host_the_chat_books_and_pages_answer(house: House) -> None:
    sam = house.patient("new")
    assert sam.say("what do I owe?").engine == "model"
    with house.without("runmodel"):
        assert house.health() == ALL_WELL | {"status": "degraded", "model": "down"}
        assert sam.pages() == ALL_ANSWER
        assert sam.say("what do I owe?").engine == "rules"
        visit = book_by_chat(sam)
    assert Appointment.objects.using("house").get(pk=visit).is_active
    until(house.is_whole, "the model host is back")
    assert sam.say("what do I owe?").engine == "model"


def test_a_model_host_that_hangs_costs_a_turn_its_deadline_and_no_more(house: House) -> None:
    walter = house.patient("overdue")
    hung = until(lambda: house.kept("runmodel"), "the model host runs")
    os.kill(hung, signal.SIGSTOP)
    try:
        reply = walter.say("what do I owe?")
        assert walter.pages() == ALL_ANSWER
    finally:
        os.kill(hung, signal.SIGCONT)
    assert reply.engine == "rules"
    assert "$249.00" in reply.text
    assert reply.milliseconds < 5_000
    until(house.is_whole, "the model host goes on")


def test_without_chroma_questions_are_answered_by_words_and_a_changed_document_follows(house: House) -> None:
    maria = house.patient("booked")
    is_stale = Document.objects.using("house").stale().exists
    until(lambda: not is_stale(), "the demo's documents have their vectors")
    assert house.run(FOUND_BY_MEANING).split() == ["finding-us-and-parking"]
    with house.without("runchroma"):
        assert house.health() == ALL_WELL | {"status": "degraded", "vectors": "down"}
        assert maria.pages() == ALL_ANSWER
        house.run(CHANGED_DOCUMENT)
        words = Passage.objects.using("house").filter(text__contains="Lighthouse")
        until(words.exists, "the changed document is cut into passages")
        assert "Lighthouse Vision" in maria.say("Do you take Lighthouse Vision insurance?").text
        assert is_stale()
    until(house.is_whole, "Chroma is back")
    until(lambda: not is_stale(), "the changed document has its vectors")
    assert house.run(FOUND_BY_MEANING).split() == ["finding-us-and-parking"]
    assert "Lighthouse Vision" in maria.say("Do you take Lighthouse Vision insurance?").text


def test_a_worker_killed_in_a_statement_run_makes_and_sends_everything_once(house: House) -> None:
    sam = house.patient("new")
    run = StatementRun.objects.using("house").get(pk=house.run(MANY_STATEMENTS).split()[-1])
    statements = run.statements
    made = statements.exclude(state=Statement.State.QUEUED)
    until(lambda: made.count() >= 5, "the run is under way")
    with house.without("worker"):
        left = statements.filter(state=Statement.State.QUEUED).count()
        assert left > 0
        assert sam.pages() == ALL_ANSWER
        visit = sam.book().split("/")[2]
        assert messages(subject_id=visit) == {("queued", 0): 1}
        age_claims()
    until(lambda: done(run), "the run is finished")
    until(lambda: not messages(state="queued"), "everything queued has left")

    assert Counter(statements.values_list("state", flat=True)) == {"sent": STATEMENTS}
    assert not statements.filter(pdf=None).exists()
    assert statements.values("payer").distinct().count() == STATEMENTS
    told = messages(kind="statement_ready")
    assert told["sent", 1] + told["unknown", 1] == told.total() == STATEMENTS
    assert told["unknown", 1] <= WORKER_THREADS
    assert messages(subject_id=visit) == {("sent", 1): 1}


def age_claims() -> None:
    """Let the time pass after which a worker that holds something counts as dead."""
    long_ago = timezone.now() - timedelta(minutes=10)
    Statement.objects.using("house").filter(state="queued").exclude(claimed_at=None).update(
        claimed_at=long_ago
    )
    Message.objects.using("house").filter(state="sending").update(claimed_at=long_ago)


def done(run: StatementRun) -> bool:
    run.refresh_from_db()
    return run.state == StatementRun.State.DONE


def test_a_wiped_queue_loses_no_work(house: House) -> None:
    maria = house.patient("booked")
    first = maria.book().split("/")[2]
    until(lambda: messages(subject_id=first) == {("sent", 1): 1}, "the worker works")
    shutil.rmtree(house.folder / "queue")
    second = maria.book().split("/")[2]
    until(lambda: messages(subject_id=second) == {("sent", 1): 1}, "a sweep sends what nobody was nudged for")
    third = maria.book().split("/")[2]
    until(lambda: messages(subject_id=third) == {("sent", 1): 1}, "the queue is there again")
    assert maria.pages() == ALL_ANSWER


def test_ctrl_c_ends_every_program_and_the_next_start_finds_its_ports_free(house: House) -> None:
    before = Appointment.objects.using("house").count()
    assert house.interrupt() == 130
    assert house.processes() == {}
    house.start()
    assert Appointment.objects.using("house").count() == before
    assert house.patient("new").pages() == ALL_ANSWER


def test_the_house_ends_as_a_whole_when_its_web_server_dies(house: House) -> None:
    web = next(pid for pid, line in house.processes().items() if "uvicorn" in line)
    os.kill(web, signal.SIGKILL)
    assert house.roof.wait(timeout=STOPS_WITHIN) != 0
    assert house.processes() == {}
    house.start()


def test_a_killed_clock_is_started_again_and_there_is_only_one(house: House) -> None:
    with house.without("beat"):
        assert house.patient("new").pages() == ALL_ANSWER
    with house.without("worker"):
        pass
    clocks = [line for line in house.processes().values() if "beat" in line and line[1:3] != KEEPER]
    assert len(clocks) == 1


def test_a_second_house_is_told_which_ports_are_taken(house: House) -> None:
    second = subprocess.run(
        house.manage("start", "--port", str(house.web)),
        cwd=settings.BASE_DIR,
        env=house.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert f"{house.web} (web), {house.model} (model), {house.vectors} (vectors)" in second.stderr
    assert house.is_whole()
