"""Lens orders on their way, and the prescriptions behind them."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from eyecare import clock
from orders import services, stages
from orders.models import Order, OrderQuerySet, Prescription, PrescriptionQuerySet, StageChange
from practice.desk import History, Kept, RecordsReads, attempt

Stage = Order.Stage


class StageChangeInline(History):
    model = StageChange
    verbose_name_plural = "history"
    fields = readonly_fields = ["at", "from_stage", "to_stage", "actor", "note"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[StageChange]:
        return super().get_queryset(request).select_related("actor")


class LateFilter(admin.SimpleListFilter):
    title = "late"
    parameter_name = "late"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Past the promised day")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return cast(OrderQuerySet, queryset).late() if self.value() == "yes" else queryset


class StepDialog(BaseDialogForm):
    """Where an order goes next: only where the table lets it go."""

    to = forms.ChoiceField(label="Next stage", widget=UnfoldAdminSelectWidget)
    note = forms.CharField(max_length=200, required=False, widget=UnfoldAdminTextInputWidget)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        order = Order.objects.filter(pk=self.object_id).first()
        allowed = stages.ALLOWED[order.stage] - {Stage.REMADE} if order else frozenset()
        choices = [choice for choice in Stage.choices if choice[0] in allowed]
        self.fields["to"].choices = choices


class NoteDialog(BaseDialogForm):
    note = forms.CharField(label="Why", max_length=200, widget=UnfoldAdminTextInputWidget)


@admin.register(Order)
class OrderAdmin(RecordsReads, Kept):
    """Orders: moved on one by one with a note, or many at once."""

    list_display = [
        "number",
        "patient",
        "kind",
        "description",
        "standing",
        "promised_on",
        "lateness",
        "location",
    ]
    list_filter = ["stage", LateFilter, "kind", "location"]
    list_select_related = ["patient", "location"]
    search_fields = ["number", "patient__last_name", "patient__first_name", "patient__number", "description"]
    autocomplete_fields = ["patient", "prescription", "location"]
    readonly_fields = ["number", "stage", "remake_of", "ordered_at"]
    fields = [
        ("number", "stage"),
        ("patient", "prescription"),
        ("kind", "description"),
        ("lab", "promised_on"),
        ("location", "ordered_at"),
        "remake_of",
    ]
    inlines = [StageChangeInline]
    date_hierarchy = "ordered_at"
    actions = ["sent_to_lab", "received", "verified", "notified", "collected"]
    actions_detail = ["move_on", "remake"]

    def get_readonly_fields(self, request: HttpRequest, obj: Order | None = None) -> list[str]:
        """Whose order it is cannot change any more once it is written."""
        return [*self.readonly_fields, "patient"] if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Order, form: forms.ModelForm, change: bool) -> None:
        """Write a new order as everywhere else, with its number and first step."""
        if change:
            super().save_model(request, obj, form, change)
        else:
            placed = services.place(**form.cleaned_data, actor=request.user)  # type: ignore[arg-type]
            obj.pk, obj.number, obj._state = placed.pk, placed.number, placed._state

    @display(
        description="Stage",
        ordering="stage",
        label={
            Stage.ON_HOLD: "warning",
            Stage.AT_LAB: "info",
            Stage.RECEIVED: "info",
            Stage.VERIFIED: "success",
            Stage.NOTIFIED: "success",
        },
    )
    def standing(self, order: Order) -> tuple[str, str]:
        return order.stage, order.get_stage_display()

    @display(description="Late", label={"late": "danger"})
    def lateness(self, order: Order) -> str:
        return "late" if order.is_late else ""

    @action(
        description="Move on",
        icon="arrow_forward",
        variant=ActionVariant.PRIMARY,
        permissions=["move"],
        dialog={
            "title": "Move this order on",
            "description": "“Patient told” sends the text that it is ready.",
            "form_class": StepDialog,
            "form_submit_text": "Move on",
        },
    )
    def move_on(self, request: HttpRequest, form: StepDialog, object_id: str) -> HttpResponse:
        order = get_object_or_404(Order.objects.with_details(), pk=object_id)
        to, note = form.cleaned_data["to"], form.cleaned_data["note"]
        self._advance(request, order, to, note)
        return _back_to(request, order)

    @action(
        description="Remake",
        icon="replay",
        permissions=["move"],
        dialog={
            "title": "Have it made again",
            "description": "Closes this order and opens a new one that is linked to it.",
            "form_class": NoteDialog,
            "form_submit_text": "Remake",
        },
    )
    def remake(self, request: HttpRequest, form: NoteDialog, object_id: str) -> HttpResponse:
        order = get_object_or_404(Order.objects.with_details(), pk=object_id)
        attempt(
            request,
            lambda: services.remake(order=order, actor=request.user, note=form.cleaned_data["note"]),  # type: ignore[arg-type]
            f"{order.number} is being remade under a new number.",
        )
        return _back_to(request, order)

    @action(description="Sent to the lab", permissions=["move"])
    def sent_to_lab(self, request: HttpRequest, queryset: OrderQuerySet) -> None:
        self._advance_all(request, queryset, Stage.AT_LAB)

    @action(description="Received from the lab", permissions=["move"])
    def received(self, request: HttpRequest, queryset: OrderQuerySet) -> None:
        self._advance_all(request, queryset, Stage.RECEIVED)

    @action(description="Checked", permissions=["move"])
    def verified(self, request: HttpRequest, queryset: OrderQuerySet) -> None:
        self._advance_all(request, queryset, Stage.VERIFIED)

    @action(description="Tell the patients that they are ready", permissions=["move"])
    def notified(self, request: HttpRequest, queryset: OrderQuerySet) -> None:
        self._advance_all(request, queryset, Stage.NOTIFIED)

    @action(description="Collected", permissions=["move"])
    def collected(self, request: HttpRequest, queryset: OrderQuerySet) -> None:
        self._advance_all(request, queryset, Stage.COLLECTED)

    def has_move_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Say whether somebody may move orders."""
        return request.user.has_perm("orders.change_order")

    def _advance_all(self, request: HttpRequest, queryset: OrderQuerySet, to: str) -> None:
        for order in queryset.with_details():
            self._advance(request, order, to)

    def _advance(self, request: HttpRequest, order: Order, to: str, note: str = "") -> None:
        attempt(
            request,
            lambda: services.advance(order=order, to=to, actor=request.user, note=note),  # type: ignore[arg-type]
            f"{order.number} is now {Stage(to).label}.",
        )


class ValidFilter(admin.SimpleListFilter):
    title = "validity"
    parameter_name = "valid"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Valid"), ("no", "Run out")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "no":
            return queryset.filter(expires_on__lt=clock.today())
        return cast(PrescriptionQuerySet, queryset).valid() if self.value() == "yes" else queryset


@admin.register(Prescription)
class PrescriptionAdmin(RecordsReads, Kept):
    """Prescriptions, right eye and left eye side by side. One that was issued is not changed."""

    list_display = ["patient", "kind", "issued_on", "expires_on", "provider"]
    list_filter = ["kind", ValidFilter, "provider"]
    list_select_related = ["patient", "provider"]
    search_fields = ["patient__last_name", "patient__first_name", "patient__number"]
    autocomplete_fields = ["patient", "provider"]
    date_hierarchy = "issued_on"
    fields = [
        ("patient", "provider"),
        ("issued_on", "expires_on"),
        ("kind", "short_expiry_reason"),
        ("od_sphere", "os_sphere"),
        ("od_cylinder", "os_cylinder"),
        ("od_axis", "os_axis"),
        ("od_add", "os_add"),
        ("pupillary_distance_mm", "product"),
        ("base_curve_mm", "diameter_mm"),
    ]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)


def _back_to(request: HttpRequest, order: Order) -> HttpResponse:
    page = reverse("admin:orders_order_change", args=[order.pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)
