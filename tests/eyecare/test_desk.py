"""The desk: its first page, who may do what, and the ways from a patient to everything of theirs."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from eyecare import clock, roles
from messaging.models import Message
from orders.models import Order
from patients.models import Account, Patient
from practice.models import AuditEvent
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday", "practice")]


def staff(role: str) -> Client:
    """Sign somebody in who has just the rights of this role."""
    account: Account = factories.AccountFactory(is_staff=True)
    account.groups.add(roles.group(role))
    client = Client()
    client.force_login(account)
    return client


@pytest.fixture
def front_desk() -> Client:
    return staff("front desk")


@pytest.fixture
def manager() -> Client:
    return staff("manager")


def test_the_first_page_counts_what_waits_and_names_who_comes(front_desk: Client, ana: Patient) -> None:
    visit = factories.AppointmentFactory(patient=ana, starts_at=clock.now() + timedelta(hours=1))
    factories.ConversationFactory(patient=ana, status="waiting")
    factories.OrderFactory(
        patient=ana, stage=Order.Stage.AT_LAB, promised_on=clock.today() - timedelta(days=1)
    )
    Message.objects.create(reason="x", kind="note", to="+12125550100", body="Hi", state=Message.State.FAILED)
    page = front_desk.get(reverse("admin:index"))
    assert {pile.title: pile.count for pile in page.context["piles"] if pile.count} == {
        "Conversations waiting for a person": 1,
        "Messages that did not arrive": 1,
        "Orders past the promised day": 1,
    }
    assert list(page.context["visits"]) == [visit]
    for pile in page.context["piles"]:
        shown = front_desk.get(pile.link)
        assert shown.status_code == 200
        assert shown.context["cl"].result_count == pile.count


def test_a_visit_that_is_over_or_cancelled_is_not_still_to_come(front_desk: Client) -> None:
    factories.AppointmentFactory(starts_at=clock.now() - timedelta(hours=1))
    factories.AppointmentFactory(starts_at=clock.now() + timedelta(hours=1), state="cancelled")
    factories.AppointmentFactory(starts_at=clock.now() + timedelta(days=1))
    assert list(front_desk.get(reverse("admin:index")).context["visits"]) == []


def test_the_first_page_costs_the_same_for_more_visits(
    front_desk: Client, django_assert_max_num_queries
) -> None:
    page = reverse("admin:index")
    factories.AppointmentFactory(starts_at=clock.now() + timedelta(hours=1))
    with django_assert_max_num_queries(30) as few:
        front_desk.get(page)
    for hour in range(2, 7):
        factories.AppointmentFactory(starts_at=clock.now() + timedelta(hours=hour))
    with django_assert_max_num_queries(len(few)):
        front_desk.get(page)


def test_the_front_desk_may_not_run_statements_or_change_the_set_up(front_desk: Client) -> None:
    closed = [
        "billing_statementrun_changelist",
        "billing_statementrun_new_run",
        "payments_paymentevent_changelist",
        "practice_auditevent_changelist",
        "practice_location_add",
        "chatbot_redflag_changelist",
        "patients_account_add",
    ]
    assert {name: front_desk.get(reverse(f"admin:{name}")).status_code for name in closed} == dict.fromkeys(
        closed, 403
    )


def test_a_manager_may_run_statements_and_not_make_log_ins(manager: Client) -> None:
    assert manager.get(reverse("admin:billing_statementrun_new_run")).status_code == 200
    assert manager.get(reverse("admin:practice_auditevent_changelist")).status_code == 200
    assert manager.get(reverse("admin:patients_account_add")).status_code == 403


@pytest.mark.parametrize("role", roles.ROLES)
def test_every_entry_of_the_menu_opens_for_whoever_sees_it(role: str) -> None:
    desk = staff(role)
    shown = desk.get(reverse("admin:index")).context["sidebar_navigation"]
    links = [str(item["link"]) for group in shown for item in group["items"] if item["has_permission"]]
    assert len(links) > 5
    assert [link for link in links if desk.get(link, follow=True).status_code != 200] == []


def test_a_patients_page_leads_to_everything_of_theirs(
    front_desk: Client, ana: Patient, ben: Patient
) -> None:
    mine = factories.AppointmentFactory(patient=ana)
    factories.AppointmentFactory(patient=ben)
    page = front_desk.get(reverse("admin:patients_patient_change", args=[ana.pk])).content.decode()
    ways = ["appointments_appointment", "orders_order", "chatbot_conversation", "messaging_message"]
    for way in ways:
        assert f"{reverse(f'admin:{way}_changelist')}?q={ana.number}" in page
    found = front_desk.get(reverse("admin:appointments_appointment_changelist"), {"q": ana.number})
    assert list(found.context["cl"].result_list) == [mine]


def test_a_line_of_the_record_leads_to_the_row_it_is_about(
    manager: Client, front_desk: Client, ana: Patient
) -> None:
    opened = reverse("admin:patients_patient_change", args=[ana.pk])
    front_desk.get(opened)
    event = AuditEvent.objects.get(action="read", row=str(ana.pk))
    page = manager.get(reverse("admin:practice_auditevent_change", args=[event.pk])).content.decode()
    assert f'href="{opened}"' in page
    assert f"patient {str(ana.pk)[:8]}" in page


def test_roles_are_made_once_and_then_left_to_the_practice() -> None:
    call_command("make_roles", stdout=StringIO())
    manager = Group.objects.get(name="manager")
    manager.permissions.clear()
    call_command("make_roles", stdout=StringIO())
    assert not manager.permissions.exists()
    assert Group.objects.get(name="front desk").permissions.count() == len(roles.FRONT_DESK)


@pytest.mark.django_db
def test_after_an_upgrade_groups_catch_up_with_what_is_new_and_lose_nothing() -> None:
    desk = roles.group("front desk")
    kept = Permission.objects.get(codename="delete_notice")
    desk.permissions.remove(Permission.objects.get(codename="view_recall"))
    desk.permissions.add(kept)
    call_command("make_roles", catch_up=True, stdout=StringIO())
    assert set(roles.FRONT_DESK) <= {
        f"{row.content_type.app_label}.{row.codename}" for row in desk.permissions.all()
    }
    assert kept in desk.permissions.all()
