"""A patient's lens orders: where each one is, and what was ordered."""

import uuid

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from orders import services, stages
from orders.models import Order
from patients.access import PatientRequest, patient_required

PAGE = 10


@require_safe
@patient_required
def orders(request: PatientRequest) -> HttpResponse:
    mine = Order.objects.for_patient(request.patient).select_related("location").prefetch_related("changes")
    page = Paginator(mine, PAGE).get_page(request.GET.get("page"))
    followed = [(order, stages.progress(order)) for order in page]
    return render(request, "orders/list.html", {"tab": "orders", "page": page, "orders": followed})


@require_safe
@patient_required
def detail(request: PatientRequest, order_id: uuid.UUID) -> HttpResponse:
    order = services.get_for(request.patient, order_id)
    successor = Order.objects.filter(remake_of=order).first() if order.stage == order.Stage.REMADE else None
    shown = {"tab": "orders", "order": order, "steps": stages.progress(order), "successor": successor}
    return render(request, "orders/detail.html", shown)
