import pytest
from django.contrib.messages import get_messages

from messaging import services
from messaging.models import InboundText, Message, OptOut, Template

LIST = "/admin/messaging/message/"


@pytest.fixture
def desk(client, dana, practice):
    client.force_login(dana)
    return client


@pytest.mark.parametrize(("state", "after"), [("failed", "queued"), ("unknown", "unknown"), ("sent", "sent")])
def test_only_what_failed_is_sent_again(desk, order_ready, state, after):
    Message.objects.update(state=state)
    response = desk.post(LIST, {"action": "send_again", "_selected_action": [str(order_ready.pk)]})
    order_ready.refresh_from_db()
    assert order_ready.state == after
    (message,) = get_messages(response.wsgi_request)
    assert (message.level_tag == "success") is (after == "queued")


def test_the_desk_sees_why_a_message_was_dropped(desk, ana, monday):
    services.send(services.queue(kind="note", reason="n", patient=ana, body="Hello.").pk)
    assert "the patient has not agreed to these messages" in desk.get(LIST).content.decode()


def test_texts_that_need_a_person_can_be_listed(desk):
    for number, attempts in enumerate([0, 5]):
        InboundText.objects.create(
            provider_id=f"SM{number}", sender="+12125552001", recipient="x", body="Hi", attempts=attempts
        )
    found = desk.get("/admin/messaging/inboundtext/", {"answered": "given_up"}).context["cl"].result_list
    assert [text.provider_id for text in found] == ["SM1"]


def test_an_opt_out_told_at_the_desk_counts(desk, ana):
    desk.post("/admin/messaging/optout/add/", {"phone": str(ana.phone), "word": "by phone"})
    assert services.is_opted_out(str(ana.phone))
    assert desk.post(f"/admin/messaging/optout/{OptOut.objects.get().pk}/delete/").status_code == 403


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("Hi {nickname}", "Not known here: nickname. This message knows {first_name}, {location}, {phone}"),
        ("Hi {first_name", "Every brace that opens must close"),
        ("Hi {first_name:>99999999}", "Every brace that opens must close, around one name"),
        ("Hi {first_name!r}", "Every brace that opens must close, around one name"),
    ],
)
def test_a_wording_that_could_not_be_filled_is_refused_beside_its_field(desk, body, problem):
    sent = {"kind": "order_ready", "language": "en", "body": body}
    form = desk.post("/admin/messaging/template/add/", sent).context["adminform"].form
    assert form.errors["body"][0].startswith(problem)
    assert not Template.objects.exists()
