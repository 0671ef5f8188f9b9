"""How the admin is laid out for the front desk: the day first, the set-up last."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils.text import format_lazy

PRIMARY = {
    "50": "oklch(97.5% .014 195)",
    "100": "oklch(94% .03 195)",
    "200": "oklch(88% .055 195)",
    "300": "oklch(80% .08 195)",
    "400": "oklch(70% .095 195)",
    "500": "oklch(58% .095 198)",
    "600": "oklch(49% .085 200)",
    "700": "oklch(42% .072 202)",
    "800": "oklch(35% .058 205)",
    "900": "oklch(29% .046 208)",
    "950": "oklch(21% .034 212)",
}


def _item(title: str, icon: str, model: str, narrowed: str = "") -> dict[str, Any]:
    """Return an entry for a list, which opens narrowed by a query such as "?day=today"."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": format_lazy("{}{}", reverse_lazy(f"admin:{app}_{name}_changelist"), narrowed),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
        "active": lambda request: (
            request.path.startswith(reverse(f"admin:{app}_{name}_changelist"))
            and getattr(request.resolver_match, "url_name", "") not in PAGES
        ),
    }


PAGES = {"appointments_appointment_board"}
"""Pages with an entry of their own that lie under a list's address."""


def _page(title: str, icon: str, name: str, permission: str) -> dict[str, Any]:
    """Return an entry for a page of the admin that is no list."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{name}"),
        "permission": lambda request: request.user.has_perm(permission),
    }


UNFOLD = {
    "SITE_TITLE": "Eyecare",
    "SITE_HEADER": "Eyecare",
    "SITE_SUBHEADER": "The practice's desk",
    "SITE_SYMBOL": "visibility",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("eyecare/iris.svg")},
    ],
    "SHOW_VIEW_ON_SITE": False,
    "COLORS": {"primary": PRIMARY},
    "DASHBOARD_CALLBACK": "eyecare.today.show",
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "title": "The day",
                "items": [
                    {"title": "Today", "icon": "today", "link": reverse_lazy("admin:index")},
                    _page(
                        "Day board",
                        "view_week",
                        "appointments_appointment_board",
                        "appointments.view_appointment",
                    ),
                    _item("Appointments", "calendar_month", "appointments.appointment"),
                    _item("Waitlist", "hourglass_top", "appointments.waitlistentry", "?waits=now"),
                    _item("Times that came free", "event_available", "appointments.opening"),
                    _item("Recalls", "event_repeat", "appointments.recall"),
                    _item("Conversations", "forum", "chatbot.conversation"),
                    _item("Waiting for a person", "support_agent", "chatbot.handoff", "?ended_at__isempty=1"),
                    _item("Messages", "sms", "messaging.message"),
                    _item("Reminders", "notifications_active", "appointments.reminder"),
                    _item("Texts from patients", "mark_chat_unread", "messaging.inboundtext"),
                ],
            },
            {
                "title": "People and lenses",
                "items": [
                    _item("Patients", "person", "patients.patient"),
                    _item("Lens orders", "eyeglasses", "orders.order"),
                    _item("Prescriptions", "description", "orders.prescription"),
                ],
            },
            {
                "title": "Money",
                "items": [
                    _item("Balances", "account_balance_wallet", "billing.payer"),
                    _item("Statement runs", "receipt_long", "billing.statementrun"),
                    _item("Statements", "draft", "billing.statement"),
                    _item("Ledger", "account_balance", "billing.ledgerentry"),
                    _item("Billing holds", "pause_circle", "billing.billinghold"),
                    _item("Checkouts", "credit_card", "payments.checkout"),
                    _item("Payment events", "sync_alt", "payments.paymentevent"),
                ],
            },
            {
                "title": "The assistant",
                "collapsible": True,
                "items": [
                    _item("Documents", "menu_book", "chatbot.document"),
                    _item("Red flags", "emergency", "chatbot.redflag"),
                    _item("Assistants", "smart_toy", "chatbot.assistant"),
                    _item("Examples", "school", "chatbot.example"),
                ],
            },
            {
                "title": "The model factory",
                "collapsible": True,
                "items": [
                    _item("Training examples", "dataset", "workshop.dataset"),
                    _item("Fine-tunes", "model_training", "workshop.finetunejob"),
                    _item("Model versions", "deployed_code", "workshop.modelversion"),
                    _item("What served when", "history_edu", "workshop.promotion"),
                ],
            },
            {
                "title": "Set-up",
                "collapsible": True,
                "items": [
                    _item("Practice", "storefront", "practice.practice"),
                    _item("Locations", "location_on", "practice.location"),
                    _item("Providers", "stethoscope", "practice.provider"),
                    _item("Notices", "campaign", "practice.notice"),
                    _item("Diary settings", "tune", "appointments.diarysettings"),
                    _item("Visit types", "event_note", "appointments.visittype"),
                    _item("Rooms and machines", "meeting_room", "appointments.resource"),
                    _item("Kinds of rooms and machines", "category", "appointments.resourcekind"),
                    _item("Weekly hours", "schedule", "appointments.weeklyhours"),
                    _item("Dated exceptions", "event_busy", "appointments.scheduleexception"),
                    _item("Urgent time", "emergency_home", "appointments.urgentblock"),
                    _item("Reminder rules", "notifications", "appointments.reminderrule"),
                    _item("Recall rules", "rule", "appointments.recallrule"),
                    _item("Wordings", "edit_note", "messaging.template"),
                    _item("Opted-out numbers", "do_not_disturb_on", "messaging.optout"),
                    _item("Log-ins", "badge", "patients.account"),
                    _item("The record", "history", "practice.auditevent"),
                ],
            },
        ],
    },
}
