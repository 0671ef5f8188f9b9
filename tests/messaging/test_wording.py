import re
from datetime import timedelta

import pytest

from eyecare import clock
from messaging import alphabet, services, wording
from messaging.models import Template
from practice.models import Practice
from tests.factories import MONDAY, PatientFactory

HEALTH = re.compile(
    "exam|dilat|prescri|glaucoma|cataract|diabet|retina|lens|glasses|vision|sick|diagnos|lente|receta"
)
CONTEXT = {
    "starts_at": MONDAY,
    "provider": "Dr. Maya Okafor",
    "location": "Main Street",
    "amount": "$12.50",
    "held_until": MONDAY + timedelta(minutes=75),
    "link": "https://portal.harbor.test/appointments/recall/4d1f6f0e-6c3a-4b0e-9a57-6a4f3c2b1d0e/",
}
KINDS = sorted(kind for kind in wording.KINDS if kind != "reply")
TEXTS = [kind for kind in KINDS if not kind.endswith(wording.BY_EMAIL)]
TWO_PARTS = {"recall_due", "recall_again"}
"""They carry a link."""


def body(kind: str, patient: object, channel: str = "sms", **context: object) -> str:
    message = services.queue(
        kind=kind, reason=kind, patient=patient, channel=channel, context={**CONTEXT, **context}
    )
    return message.body


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", TEXTS)
def test_every_text_is_short_and_says_nothing_about_health(practice, kind, language):
    ana = PatientFactory(language=language)
    text = body(kind, ana)
    assert alphabet.parts(text) <= (2 if kind in TWO_PARTS else 1), text
    assert not HEALTH.search(text.casefold())
    assert "{" not in text


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", TEXTS)
def test_no_text_takes_more_than_two_parts_where_all_names_are_long(practice, kind, language):
    Practice.objects.update(name="Springfield Family Eye Care and Optical")
    maximiliana = PatientFactory(first_name="Maximiliana", language=language)
    long_names = {"provider": "Dr. Alexandra Konstantinopoulos", "location": "Riverside Medical Center"}
    wednesday = MONDAY.replace(month=9, day=23, hour=12, minute=45)
    text = body(kind, maximiliana, **long_names, starts_at=wednesday)
    assert alphabet.parts(text) <= 2, text


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_email_says_anything_about_health_or_asks_for_a_reply_by_number(practice, kind, language):
    mail = body(kind.removesuffix(wording.BY_EMAIL), PatientFactory(language=language), "email")
    assert not HEALTH.search(mail.casefold())
    assert not re.search(r"(reply|responda) 1", mail.casefold())


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", sorted(set(TEXTS) - {"help", "opted_in", "opted_out"}))
def test_every_email_has_a_subject_in_the_patients_language(kind, language):
    other = "en" if language == "es" else "es"
    assert wording.subject(kind, language)
    assert wording.subject(kind, language) != wording.subject(kind, other)


@pytest.mark.parametrize("kind", KINDS)
def test_both_languages_say_the_same_things(kind):
    """A Spanish text may leave out that questions are welcome, never when or where."""
    english, spanish = (
        wording.placeholders(text) for text in (wording.KINDS[kind].en, wording.KINDS[kind].es)
    )
    assert spanish <= english
    assert english - spanish <= {"location"} - english


def test_an_email_keeps_the_marks_that_texts_cannot_carry(practice):
    maría = PatientFactory(first_name="María", language="es")
    mail = body("appointment_reminder", maría, "email")
    assert mail.startswith("Hola María:\n\nLo esperamos el lunes 2 de marzo a las 9:00 AM con Dr. Maya")
    assert "Maria, hora libre" in body("waitlist_offer", maría)


def test_a_reminder_tells_when_in_practice_time(ana):
    assert body("appointment_reminder", ana) == (
        "Harbor Eye Care: Ana, see you Mon, Mar 2 at 9:00 AM with Dr. Maya Okafor, Main Street. "
        "Reply 1 to confirm, 2 to cancel, 3 to change."
    )


def test_a_reminder_in_spanish_keeps_to_the_alphabet_of_texts(practice):
    josé = PatientFactory(first_name="José", language="es")
    assert body("appointment_reminder", josé) == (
        "Harbor Eye Care: José, lo esperamos el lunes 2 de marzo a las 9:00 AM con Dr. Maya Okafor, "
        "Main Street. Responda 1 confirmar, 2 cancelar, 3 cambiar."
    )


def test_no_message_asks_for_a_reply_that_the_carrier_takes_as_an_opt_out():
    assert not [kind for kind, text in wording.KINDS.items() if "reply cancel" in text.en.casefold()]


def test_the_practices_own_wording_comes_first(ana):
    Template.objects.create(kind="order_ready", body="Hi {first_name}! Come and get it at {location}.")
    assert body("order_ready", ana) == "Hi Ana! Come and get it at Main Street."


def test_a_wording_with_a_placeholder_that_has_no_value_gives_way_to_the_built_in_one(ana):
    Template.objects.create(kind="order_ready", body="Hi {nickname}!")
    assert body("order_ready", ana).startswith("Harbor Eye Care: Ana, your order is ready")


@pytest.mark.parametrize("broken", ["Hi {first_name:d}!", "Hi {first_name:>9999999999}!", "Hi {first_name"])
def test_a_wording_that_breaks_when_it_is_filled_gives_way_to_the_built_in_one(ana, broken):
    Template.objects.create(kind="order_ready", body=broken)
    assert body("order_ready", ana).startswith("Harbor Eye Care: Ana, your order is ready")


def test_a_practice_words_an_email_apart_from_the_text(ana):
    Template.objects.create(kind="appointment_reminder", body="Hi {first_name}, reply 1!")
    Template.objects.create(kind="appointment_reminder_email", body="Dear {first_name}, on {date}: {url}")
    assert body("appointment_reminder", ana, "email").startswith("Dear Ana, on Monday, March 2: http")


def test_a_missing_value_is_named(ana):
    with clock.frozen_at(MONDAY), pytest.raises(ValueError, match="order_ready message needs location"):
        services.queue(kind="order_ready", reason="r", patient=ana)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("😀" * 35, 1),
    ],
)
def test_parts_are_counted_as_carriers_count_them(text, parts):
    assert alphabet.parts(text) == parts


def test_marks_that_texts_cannot_carry_get_a_plain_form():
    assert alphabet.fold("“Señora Núñez” — a las 9…") == '"Señora Nuñez" - a las 9...'
