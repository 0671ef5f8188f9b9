from datetime import date

import pytest

from chatbot.tools import Options, Situation, ToolContext, registry
from eyecare.errors import NotFound
from orders.chat_tools import OrderArgument, order_status
from orders.models import Order
from tests.factories import MONDAY, OrderFactory


def context(channel: str = "web") -> ToolContext:
    return ToolContext(channel, None, "key", "", MONDAY, "patients")


def situation(patient: object) -> Situation:
    return Situation(patient, {}, context())


def test_the_assistant_knows_the_task():
    assert registry.tools()["order_status"].is_private


def test_an_order_at_the_lab_is_told_with_the_day_it_is_expected(ana, monday):
    order = OrderFactory(patient=ana, stage=Order.Stage.AT_LAB, promised_on=date(2026, 3, 9))
    reply = order_status(ana, context=context())
    assert reply.text == "Your glasses are at the lab, expected by Monday, March 9."
    assert [(card.title, card.url) for card in reply.cards] == [
        (f"Order {order.number}", f"/orders/{order.pk}/")
    ]


def test_a_late_order_is_not_glossed_over(ana, monday):
    OrderFactory(patient=ana, stage=Order.Stage.AT_LAB, promised_on=date(2026, 2, 27))
    assert order_status(ana, context=context()).text == (
        "Your glasses are at the lab and late: expected by Friday, February 27."
    )


def test_a_text_message_does_not_say_what_was_ordered(ana, monday):
    order = OrderFactory(patient=ana, kind="contacts", stage=Order.Stage.NOTIFIED, description="Toric")
    reply = order_status(ana, context=context("sms"))
    assert reply.text == f"Your order {order.number} is ready to collect at Main Street."
    assert reply.cards == ()


def test_every_open_order_is_told_when_none_is_named(ana, monday):
    OrderFactory(patient=ana, kind="glasses", stage=Order.Stage.RECEIVED, ordered_at=MONDAY)
    OrderFactory(patient=ana, kind="contacts", stage=Order.Stage.VERIFIED)
    OrderFactory(patient=ana, kind="sunglasses", stage=Order.Stage.COLLECTED)
    assert set(order_status(ana, context=context()).text.splitlines()) == {
        "Your glasses have arrived and are being checked.",
        "Your contact lenses are ready to collect at Main Street.",
    }


def test_without_open_orders_the_last_one_is_told(ana):
    OrderFactory(patient=ana, stage=Order.Stage.COLLECTED)
    assert order_status(ana, context=context()).text == "Your glasses were collected."


def test_without_any_order_nothing_is_made_up(ana, ben):
    OrderFactory(patient=ben)
    assert order_status(ana, context=context()).text == "You have no order with us at the moment."


@pytest.mark.parametrize("stage", Order.Stage)
def test_every_stage_has_a_sentence_on_every_channel(ana, stage):
    OrderFactory(patient=ana, stage=stage)
    for channel in ("web", "sms"):
        assert order_status(ana, context=context(channel)).text.startswith("Your ")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("my glasses", "glasses"),
        ("new frames", "glasses"),
        ("contacts", "contacts"),
        ("contact lenses", "contacts"),
        ("the sunglasses", "sunglasses"),
        ("mis lentes de contacto", "contacts"),
        ("mis anteojos", "glasses"),
    ],
)
def test_an_order_is_found_by_the_patients_word_for_it(ana, words, kind):
    for each in Order.Kind:
        OrderFactory(patient=ana, kind=each)
    assert OrderArgument().read(words, situation(ana)).kind == kind


def test_an_order_is_found_by_its_number(ana):
    OrderFactory.create_batch(2, patient=ana)
    order = Order.objects.first()
    assert OrderArgument().read(f"order {order.number.lower()}", situation(ana)) == order


def test_words_that_fit_several_orders_get_those_as_choices(ana):
    OrderFactory.create_batch(2, patient=ana, kind="glasses")
    OrderFactory(patient=ana, kind="contacts")
    options = OrderArgument().read("my glasses", situation(ana))
    assert isinstance(options, Options)
    assert len(options.choices) == 2


def test_another_patients_order_cannot_be_loaded_by_its_key(ana, ben):
    bens = OrderFactory(patient=ben)
    with pytest.raises(NotFound):
        OrderArgument().load(str(bens.pk), situation(ana))


def test_the_only_order_goes_without_saying(ana):
    order = OrderFactory(patient=ana)
    assert OrderArgument().default(situation(ana)) == order
    assert OrderArgument().load(OrderArgument().dump(order), situation(ana)) == order


@pytest.mark.parametrize("words", ["my order", "order", "the status of my order", "them"])
def test_words_that_name_no_order_mean_all_of_them(ana, words):
    OrderFactory(patient=ana, kind="glasses")
    assert OrderArgument().read(words, situation(ana)) is None


def test_who_has_no_order_is_not_asked_which(ana):
    assert OrderArgument().read("my glasses", situation(ana)) is None
