"""The desk's view of money: balances, the ledger, statements and their runs."""

import io
import zipfile
from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from billing import desk, downloads, services
from billing.models import BillingHold, LedgerEntry, Payer, Statement, StatementRun, StatementSkip
from billing.money import dollars
from eyecare import clock
from eyecare.errors import Refusal
from practice import audit
from practice import services as practice
from practice.desk import Chooses, History, ReadOnly, RecordsReads

MOST_IN_ONE_FILE = 200


class MoneyAdmin(RecordsReads, ReadOnly):
    """Shows rows that only services write; opening one is a read of a patient's record."""

    def has_post_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Say whether somebody may post to the ledger."""
        return request.user.has_perm("billing.add_ledgerentry")

    def has_run_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Say whether somebody may run statements and act on them: a manager."""
        return request.user.has_perm("billing.add_statementrun")

    def page_of(self, row: Model) -> str:
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def _dialog(title: str, form: type[BaseDialogForm], submit: str, description: str = "") -> ActionDialog:
    return ActionDialog(title=title, description=description, form_class=form, form_submit_text=submit)


class OwingFilter(admin.SimpleListFilter):
    title = "balance"
    parameter_name = "owes"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Owes money"), ("credit", "In credit"), ("no", "Owes nothing")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payer]) -> QuerySet[Payer]:
        narrowed = {"yes": {"owed_cents__gt": 0}, "credit": {"owed_cents__lt": 0}, "no": {"owed_cents": 0}}
        return queryset.filter(**narrowed.get(self.value() or "", {}))


class LedgerInline(History):
    model = LedgerEntry
    fk_name = "payer"
    verbose_name_plural = "ledger"
    fields = readonly_fields = ["posted_on", "patient", "kind", "description", "service_on", "amount"]
    per_page = 20
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        return super().get_queryset(request).select_related("patient")

    @display(description="Amount")
    def amount(self, entry: LedgerEntry) -> str:
        return dollars(entry.amount_cents)


class HoldInline(History):
    model = BillingHold
    fields = readonly_fields = ["reason", "starts_on", "ends_on", "note"]


@admin.register(Payer)
class PayerAdmin(MoneyAdmin):
    """Who owes what, and the three things the desk posts."""

    list_display = ["person", "number", "phone", "owes", "paid_on"]
    list_filter = [OwingFilter]
    search_fields = ["last_name", "first_name", "number", "phone"]
    fields = readonly_fields = ["person", "number", "phone", "email", "address", "owes", "by_age", "paid_on"]
    inlines = [LedgerInline, HoldInline]
    actions_detail = ["add_charge", "add_credit", "take_payment"]
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payer]:
        return Payer.objects.paying().with_balances()

    @display(description="Person", ordering="last_name")
    def person(self, payer: Payer) -> str:
        return payer.name

    @display(description="Owes", ordering="owed_cents")
    def owes(self, payer: Payer) -> str:
        return dollars(payer.owed_cents)  # type: ignore[attr-defined]

    @display(description="Last paid", ordering="paid_on")
    def paid_on(self, payer: Payer) -> date | None:
        return payer.paid_on  # type: ignore[attr-defined]

    @display(description="By age")
    def by_age(self, payer: Payer) -> str:
        aged = services.aging_of(payer)
        parts = [f"{label}: {dollars(cents)}" for label, cents in aged.by_label if cents]
        return ", ".join(parts) or "nothing owed"

    @action(
        description="Add a charge",
        icon="add_shopping_cart",
        permissions=["post"],
        dialog=_dialog("Add a charge", desk.ServiceDialog, "Post the charge"),
    )
    def add_charge(self, request: HttpRequest, form: desk.ServiceDialog, object_id: str) -> HttpResponse:
        return self._post(request, form, services.charge, "The charge is posted.", object_id)

    @action(
        description="Add a credit",
        icon="price_check",
        permissions=["post"],
        dialog=_dialog("Add a credit", desk.CreditDialog, "Post the credit"),
    )
    def add_credit(self, request: HttpRequest, form: desk.CreditDialog, object_id: str) -> HttpResponse:
        return self._post(request, form, services.credit, "The credit is posted.", object_id)

    @action(
        description="Take a payment",
        icon="payments",
        variant=ActionVariant.PRIMARY,
        permissions=["post"],
        dialog=_dialog(
            "Take a payment", desk.PaymentDialog, "Post the payment", "Cash, a check or the card terminal."
        ),
    )
    def take_payment(self, request: HttpRequest, form: desk.PaymentDialog, object_id: str) -> HttpResponse:
        payer = get_object_or_404(Payer, pk=object_id)
        form.cleaned_data["payer"] = payer
        return self._post(request, form, services.post_payment, "The payment is posted.", object_id)

    def _post(
        self, request: HttpRequest, form: desk.AmountDialog, verb: Any, success: str, object_id: str
    ) -> HttpResponse:
        given = {name: value for name, value in form.cleaned_data.items() if not name.startswith("_")}
        source = f"desk:{given.pop('key')}"
        return desk.carry_out(
            request,
            lambda: verb(**given, source=source, actor=request.user),
            success=success,
            back=reverse("admin:billing_payer_change", args=[object_id]),
        )


@admin.register(LedgerEntry)
class LedgerEntryAdmin(MoneyAdmin):
    """Every entry. A wrong one is reversed, never changed."""

    list_display = ["posted_on", "payer", "patient", "kind", "description", "service_on", "amount"]
    list_filter = ["kind", "posted_on"]
    list_select_related = ["payer", "patient"]
    search_fields = ["description", "payer__last_name", "payer__number", "patient__last_name", "source"]
    fields = readonly_fields = [
        "payer",
        "patient",
        "kind",
        "amount",
        "description",
        "service_on",
        "posted_at",
        "source",
        "reverses",
        "actor",
    ]
    actions = None
    actions_detail = ["reverse_entry"]

    @display(description="Amount", ordering="amount_cents")
    def amount(self, entry: LedgerEntry) -> str:
        return dollars(entry.amount_cents)

    @action(
        description="Reverse",
        icon="undo",
        variant=ActionVariant.DANGER,
        permissions=["post"],
        dialog=_dialog(
            "Reverse this entry", desk.ReasonDialog, "Reverse", "Both entries stay in the ledger."
        ),
    )
    def reverse_entry(self, request: HttpRequest, form: desk.ReasonDialog, object_id: str) -> HttpResponse:
        entry = get_object_or_404(LedgerEntry.objects.select_related("payer", "patient"), pk=object_id)
        reason = form.cleaned_data["reason"]
        return desk.carry_out(
            request,
            lambda: services.reverse(entry=entry, reason=reason, actor=request.user),  # type: ignore[arg-type]
            success="The entry is reversed.",
            back=self.page_of(entry),
        )


@admin.register(BillingHold)
class BillingHoldAdmin(Chooses, ModelAdmin):
    list_display = ["payer", "reason", "starts_on", "ends_on", "note"]
    list_filter = ["reason", "starts_on"]
    list_select_related = ["payer"]
    search_fields = ["payer__last_name", "payer__number", "note"]
    autocomplete_fields = ["payer"]


@admin.register(StatementRun)
class StatementRunAdmin(MoneyAdmin):
    """Batches: previewed, started, watched."""

    list_display = ["as_of", "progress", "made", "sent", "to_print", "failed", "skipped", "created_by"]
    list_filter = ["state", "as_of"]
    list_select_related = ["created_by"]
    fields = readonly_fields = ["as_of", "smallest", "created_by", "created_at", "finished_at"]
    actions = None
    actions_list = ["new_run"]
    change_form_outer_before_template = "admin/billing/statementrun/progress.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[StatementRun]:
        return StatementRun.objects.with_counts()

    def get_urls(self) -> list[Any]:
        watch = self.admin_site.admin_view(self.watch)
        return [
            path("<uuid:run_id>/progress/", watch, name="billing_statementrun_progress"),
            *super().get_urls(),
        ]

    @display(description="State", label={"running": "info", "done": "success"})
    def progress(self, run: StatementRun) -> tuple[str, str]:
        return run.state, run.get_state_display()

    @display(description="Smallest balance")
    def smallest(self, run: StatementRun) -> str:
        return dollars(run.minimum_cents)

    @display(description="Statements", ordering="made")
    def made(self, run: StatementRun) -> int:
        return run.made  # type: ignore[attr-defined]

    @display(description="Sent", ordering="sent")
    def sent(self, run: StatementRun) -> int:
        return run.sent  # type: ignore[attr-defined]

    @display(description="To print", ordering="to_print")
    def to_print(self, run: StatementRun) -> int:
        return run.to_print  # type: ignore[attr-defined]

    @display(description="Failed", ordering="failed")
    def failed(self, run: StatementRun) -> int:
        return run.failed  # type: ignore[attr-defined]

    @display(description="Skipped", ordering="skipped")
    def skipped(self, run: StatementRun) -> int:
        return run.skipped  # type: ignore[attr-defined]

    def watch(self, request: HttpRequest, run_id: str) -> HttpResponse:
        """Answer the page's question how far the run is."""
        if not self.has_view_permission(request):
            return HttpResponse(status=403)
        run = get_object_or_404(self.get_queryset(request), pk=run_id)
        return render(request, self.change_form_outer_before_template, {"original": run})

    @action(
        description="New statement run",
        url_path="new",
        icon="playlist_add_check",
        variant=ActionVariant.PRIMARY,
        permissions=["run"],
    )
    def new_run(self, request: HttpRequest) -> HttpResponse:
        """Show what a run would do; start it on POST."""
        form = desk.RunForm(request.POST or request.GET or _usual_run())
        figures = form.cleaned_data if form.is_valid() else None
        if request.method == "POST" and figures:
            run = self._start(request, figures)
            if run:
                return desk.carry_out(request, int, success="The run has started.", back=self.page_of(run))
        context = self.admin_site.each_context(request) | {
            "title": "New statement run",
            "opts": self.opts,
            "form": form,
            "preview": self._preview(request, figures) if figures else None,
        }
        return TemplateResponse(request, "admin/billing/statementrun/new.html", context)

    def _preview(self, request: HttpRequest, figures: dict[str, Any]) -> services.Preview | None:
        try:
            return services.preview(**figures)
        except Refusal as refusal:
            messages.error(request, refusal.sentence)
            return None

    def _start(self, request: HttpRequest, figures: dict[str, Any]) -> StatementRun | None:
        try:
            return services.start_run(**figures, actor=request.user)  # type: ignore[arg-type]
        except Refusal as refusal:
            messages.error(request, refusal.sentence)
            return None


def _usual_run() -> dict[str, str]:
    smallest = dollars(practice.current().statement_minimum_cents)
    return {"as_of": clock.today().isoformat(), "minimum_cents": smallest}


STATE_COLOURS = {"queued": "info", "rendered": "warning", "sent": "success", "failed": "danger", "void": ""}


@admin.register(Statement)
class StatementAdmin(MoneyAdmin):
    """What each payer was told, with its PDF."""

    list_display = ["number", "payer", "as_of", "amount", "shown_state", "delivery", "document"]
    list_filter = ["state", "delivery", "as_of", "run"]
    list_select_related = ["payer"]
    search_fields = ["number", "payer__last_name", "payer__number"]
    fields = readonly_fields = [
        "number",
        "payer",
        "run",
        "as_of",
        "amount",
        "state",
        "delivery",
        "document",
        "sent_at",
        "error",
        "void_reason",
        "pdf_sha256",
    ]
    ordering = ["-number"]
    actions = ["try_again", "mark_mailed", "download"]
    actions_detail = ["retry_statement", "void_statement"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Statement]:
        return super().get_queryset(request).defer("pdf", "lines")

    def get_urls(self) -> list[Any]:
        shown = self.admin_site.admin_view(self.show_pdf)
        return [path("<uuid:statement_id>/pdf/", shown, name="billing_statement_pdf"), *super().get_urls()]

    @display(description="Amount", ordering="closing_cents")
    def amount(self, statement: Statement) -> str:
        return dollars(statement.closing_cents)

    @display(description="State", ordering="state", label=STATE_COLOURS)
    def shown_state(self, statement: Statement) -> tuple[str, str]:
        return statement.state, statement.get_state_display()

    @display(description="PDF")
    def document(self, statement: Statement) -> str:
        if not statement.pdf_sha256:
            return "—"
        address = reverse("admin:billing_statement_pdf", args=[statement.pk])
        return format_html('<a class="underline" href="{}" target="_blank">open</a>', address)

    def show_pdf(self, request: HttpRequest, statement_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            return HttpResponse(status=403)
        statement = get_object_or_404(Statement.objects.exclude(pdf_sha256=""), pk=statement_id)
        audit.read(statement)
        return downloads.as_response(statement)

    @admin.action(description="Try failed ones again", permissions=["run"])
    def try_again(self, request: HttpRequest, chosen: QuerySet[Statement]) -> None:
        self._each(request, chosen, services.retry, "queued again")

    @admin.action(description="Mark as mailed", permissions=["run"])
    def mark_mailed(self, request: HttpRequest, chosen: QuerySet[Statement]) -> None:
        self._each(request, chosen, services.mark_mailed, "marked as mailed")

    @admin.action(description="Download the PDFs", permissions=["view"])
    def download(self, request: HttpRequest, chosen: QuerySet[Statement]) -> FileResponse:
        made = Statement.objects.filter(pk__in=chosen.values("pk")).exclude(pdf_sha256="")
        return FileResponse(_zipped(made[:MOST_IN_ONE_FILE]), as_attachment=True, filename="statements.zip")

    @action(
        description="Try again",
        icon="refresh",
        permissions=["run"],
        dialog=_dialog("Try this statement again", BaseDialogForm, "Try again", "Only a failed one can be."),
    )
    def retry_statement(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        statement = get_object_or_404(Statement, pk=object_id)
        return desk.carry_out(
            request,
            lambda: services.retry(statement=statement),
            success="The statement is queued again.",
            back=self.page_of(statement),
        )

    @action(
        description="Void",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["run"],
        dialog=_dialog(
            "Void this statement",
            desk.ReasonDialog,
            "Void",
            "The payer no longer sees it. The balance stays.",
        ),
    )
    def void_statement(self, request: HttpRequest, form: desk.ReasonDialog, object_id: str) -> HttpResponse:
        statement = get_object_or_404(Statement, pk=object_id)
        return desk.carry_out(
            request,
            lambda: services.void(statement=statement, reason=form.cleaned_data["reason"]),
            success="The statement is void.",
            back=self.page_of(statement),
        )

    def _each(self, request: HttpRequest, chosen: QuerySet[Statement], verb: Any, done: str) -> None:
        count = 0
        for statement in chosen:
            try:
                verb(statement=statement)
            except Refusal as refusal:
                messages.warning(request, f"{statement.number}: {refusal.sentence}")
            else:
                count += 1
        messages.success(request, f"{count} {done}.")


def _zipped(statements: QuerySet[Statement]) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for statement in statements.iterator(chunk_size=20):
            audit.read(statement)
            archive.writestr(f"{statement.number}.pdf", bytes(statement.pdf or b""))
    packed.seek(0)
    return packed


@admin.register(StatementSkip)
class StatementSkipAdmin(MoneyAdmin):
    list_display = ["payer", "reason", "balance", "run"]
    list_filter = ["reason", "run"]
    list_select_related = ["payer", "run"]
    search_fields = ["payer__last_name", "payer__number"]
    fields = readonly_fields = ["payer", "reason", "balance", "run"]
    actions = None

    @display(description="Balance", ordering="balance_cents")
    def balance(self, skip: StatementSkip) -> str:
        return dollars(skip.balance_cents)
