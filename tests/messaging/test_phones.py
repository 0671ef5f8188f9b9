"""The phone simulator of the demo."""

import pytest

from messaging.models import InboundText
from tests import factories

NORA = "/phones/+12125550111/"


def test_what_is_written_on_the_phone_arrives_as_a_text(client, practice):
    response = client.post(NORA, {"body": "STOP"}, follow=True)
    text = InboundText.objects.get()
    assert (str(text.sender), text.recipient, text.body) == ("+12125550111", "+12125550100", "STOP")
    assert "STOP" in response.content.decode()


def test_a_text_that_has_not_left_is_not_on_the_phone(client, practice):
    ana = factories.PatientFactory(phone="+12125550111")
    for number, state in enumerate(("queued", "dropped", "sent")):
        ana.messages.create(
            to="+12125550111", reason=f"test:{number}", kind="reply", body=f"I am {state}", state=state
        )
    page = client.get(NORA).content.decode()
    assert "I am sent" in page
    assert "I am queued" not in page
    assert "I am dropped" not in page


@pytest.mark.parametrize("number", ["abc", "+1", "911"])
def test_a_number_that_is_none_is_not_found(client, practice, number):
    assert client.get(f"/phones/{number}/").status_code == 404


def test_an_empty_text_is_not_sent(client, practice):
    client.post(NORA, {"body": "  "})
    assert not InboundText.objects.exists()
