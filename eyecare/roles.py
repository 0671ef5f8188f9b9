"""What each part of the staff may do; a practice changes it later under Groups in the admin."""

from django.contrib.auth.models import Group, Permission

FRONT_DESK = {
    "practice.view_practice",
    "practice.view_location",
    "practice.view_openinghours",
    "practice.view_provider",
    "practice.view_notice",
    "practice.add_notice",
    "practice.change_notice",
    "patients.view_account",
    "patients.view_patient",
    "patients.add_patient",
    "patients.change_patient",
    "patients.view_proxy",
    "patients.add_proxy",
    "patients.change_proxy",
    "patients.view_consent",
    "patients.add_consent",
    "appointments.view_appointment",
    "appointments.add_appointment",
    "appointments.change_appointment",
    "appointments.view_appointmentevent",
    "appointments.view_reminder",
    "appointments.view_visittype",
    "appointments.view_weeklyhours",
    "appointments.view_scheduleexception",
    "appointments.view_reminderrule",
    "appointments.view_resource",
    "appointments.view_resourcekind",
    "appointments.view_urgentblock",
    "appointments.view_diarysettings",
    "appointments.view_waitlistentry",
    "appointments.add_waitlistentry",
    "appointments.change_waitlistentry",
    "appointments.view_waitlistoffer",
    "appointments.view_opening",
    "appointments.change_opening",
    "appointments.view_recall",
    "appointments.add_recall",
    "appointments.change_recall",
    "appointments.view_recallattempt",
    "appointments.view_recallrule",
    "appointments.view_recallinterval",
    "orders.view_prescription",
    "orders.add_prescription",
    "orders.view_order",
    "orders.add_order",
    "orders.change_order",
    "orders.view_stagechange",
    "messaging.view_message",
    "messaging.change_message",
    "messaging.view_inboundtext",
    "messaging.view_optout",
    "messaging.add_optout",
    "chatbot.view_conversation",
    "chatbot.change_conversation",
    "chatbot.view_handoff",
    "chatbot.view_document",
    "chatbot.view_assistant",
    "chatbot.view_example",
    "chatbot.add_example",
    "billing.view_payer",
    "billing.view_ledgerentry",
    "billing.add_ledgerentry",
    "billing.view_statement",
    "billing.view_billinghold",
    "billing.add_billinghold",
    "billing.change_billinghold",
}
"""The day: people, diary, orders, conversations, payments taken at the desk. The set-up is only read."""

MANAGER = FRONT_DESK | {
    "practice.change_practice",
    "practice.add_location",
    "practice.change_location",
    "practice.add_openinghours",
    "practice.change_openinghours",
    "practice.delete_openinghours",
    "practice.add_provider",
    "practice.change_provider",
    "practice.delete_notice",
    "practice.view_auditevent",
    "appointments.add_visittype",
    "appointments.change_visittype",
    "appointments.add_weeklyhours",
    "appointments.change_weeklyhours",
    "appointments.delete_weeklyhours",
    "appointments.add_scheduleexception",
    "appointments.change_scheduleexception",
    "appointments.delete_scheduleexception",
    "appointments.add_reminderrule",
    "appointments.change_reminderrule",
    "appointments.add_resource",
    "appointments.change_resource",
    "appointments.add_resourcekind",
    "appointments.change_resourcekind",
    "appointments.add_urgentblock",
    "appointments.change_urgentblock",
    "appointments.delete_urgentblock",
    "appointments.add_diarysettings",
    "appointments.change_diarysettings",
    "appointments.add_recallrule",
    "appointments.change_recallrule",
    "appointments.add_recallinterval",
    "appointments.change_recallinterval",
    "appointments.delete_recallinterval",
    "messaging.view_template",
    "messaging.add_template",
    "messaging.change_template",
    "messaging.delete_template",
    "chatbot.view_redflag",
    "chatbot.add_redflag",
    "chatbot.change_redflag",
    "chatbot.add_document",
    "chatbot.change_document",
    "chatbot.delete_document",
    "chatbot.add_assistant",
    "chatbot.change_assistant",
    "chatbot.change_example",
    "chatbot.delete_example",
    "billing.view_statementrun",
    "billing.add_statementrun",
    "billing.view_statementskip",
    "payments.view_checkout",
    "payments.view_paymentevent",
    "workshop.view_dataset",
    "workshop.view_finetunejob",
    "workshop.view_modelversion",
    "workshop.view_promotion",
}
"""The front desk's work, statement runs, the set-up and the record. Log-ins and groups stay the admin's:
whoever may change a log-in may give themselves every right."""

MODEL_BUILDER = {
    "chatbot.view_assistant",
    "chatbot.view_document",
    "chatbot.view_example",
    "chatbot.add_example",
    "chatbot.change_example",
    "workshop.view_dataset",
    "workshop.add_dataset",
    "workshop.view_finetunejob",
    "workshop.add_finetunejob",
    "workshop.change_finetunejob",
    "workshop.view_modelversion",
    "workshop.change_modelversion",
    "workshop.promote_modelversion",
    "workshop.view_evaluation",
    "workshop.view_promotion",
}
"""The assistant's model: examples, fine-tunes, versions. No patient's record."""

ROLES = {"front desk": FRONT_DESK, "manager": MANAGER, "model builder": MODEL_BUILDER}


def group(name: str) -> Group:
    """Return the group of this role; its rights are set when it is made, and are the practice's own then."""
    role, made = Group.objects.get_or_create(name=name)
    if made:
        role.permissions.set(_permissions(ROLES[name]))
    return role


def catch_up(name: str) -> int:
    """Give a group the rights that came with a newer version; return how many. None is taken away."""
    role = group(name)
    missing = set(_permissions(ROLES[name])) - set(role.permissions.all())
    role.permissions.add(*missing)
    return len(missing)


def _permissions(names: set[str]) -> list[Permission]:
    """Return the permissions that are meant; LookupError for one that no model has."""
    apps = {name.partition(".")[0] for name in names}
    rows = Permission.objects.filter(content_type__app_label__in=apps).select_related("content_type")
    by_name = {f"{row.content_type.app_label}.{row.codename}": row for row in rows}
    if unknown := names - by_name.keys():
        raise LookupError(f"No such permissions: {', '.join(sorted(unknown))}")
    return [by_name[name] for name in names]
