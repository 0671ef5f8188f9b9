"""The front desk's day board: a day in columns, booked, moved and followed in place, live without reload.

Every write goes through the services; a no is shown where the question was asked and nothing typed is
lost. The board itself is asked for every few seconds and answered with 304 while the diary stands still.
"""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, cast
from uuid import uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import path, reverse

from appointments import board, desk, diary, services
from appointments.admin.look import Look
from appointments.admin.steps import STEPS, Step
from appointments.models import Appointment, AppointmentEvent, Reminder, VisitType
from appointments.refusals import SlotTaken, Unavailable
from eyecare import clock
from eyecare.errors import Refusal
from patients.models import Account, Patient
from practice import audit
from practice import services as practice
from practice.models import Location

State = Appointment.State

MOST_FOUND = 12
"""Patients listed for a search at the desk."""


class BoardPages:
    """Put before the admin of appointments: adds the board's pages to it."""

    admin_site: Any
    opts: Any

    def get_urls(self) -> list[Any]:
        return [*self._board_urls(), *super().get_urls()]  # type: ignore[misc]

    def _board_urls(self) -> Iterator[Any]:
        pages: tuple[tuple[str, Callable[..., HttpResponse], str], ...] = (
            ("board/", self.board_page, "board"),
            ("board/columns/", self.board_columns, "board_columns"),
            ("board/patients/", self.board_patients, "board_patients"),
            ("board/book/", self.board_book, "board_book"),
            ("board/<uuid:visit_id>/", self.board_visit, "board_visit"),
            ("board/<uuid:visit_id>/move/", self.board_move, "board_move"),
            ("board/<uuid:visit_id>/release/", self.board_release, "board_release"),
            ("board/<uuid:visit_id>/<slug:name>/", self.board_step, "board_step"),
        )
        for route, page, name in pages:
            yield path(route, self.admin_site.admin_view(page), name=f"appointments_appointment_{name}")

    def board_page(self, request: HttpRequest) -> HttpResponse:
        """Show the day with everything around it."""
        _need(request, "view")
        look = Look.of(request)
        context = self.admin_site.each_context(request) | _columns(request, look)
        context |= {
            "title": "Day board",
            "follows": "day" not in request.GET,
            "locations": Location.objects.filter(is_active=True),
            "stamp": _etag(request),
        }
        return TemplateResponse(request, "admin/appointments/board/page.html", context)

    def board_columns(self, request: HttpRequest) -> HttpResponse:
        """Answer the page's question what is new: nothing (304), or the columns."""
        _need(request, "view")
        etag = _etag(request)
        if request.headers.get("If-None-Match") == etag:
            return HttpResponseNotModified(headers={"ETag": etag})
        response = render(
            request, "admin/appointments/board/columns.html", _columns(request, Look.of(request))
        )
        response["ETag"] = etag
        return response

    def board_patients(self, request: HttpRequest) -> HttpResponse:
        """List the patients that a search at the desk finds, told apart by birth date and number."""
        _need(request, "add")
        if not request.user.has_perm("patients.view_patient"):
            raise PermissionDenied
        term = request.GET.get("q", "").replace("\0", "").strip()[:80]
        found = _patients(self.admin_site, request, term) if len(term) > 1 else []
        return render(request, "admin/appointments/board/patients.html", {"patients": found, "term": term})

    def board_book(self, request: HttpRequest) -> HttpResponse:
        """Ask who comes for what at a free time, and book it."""
        _need(request, "add")
        given = request.POST or request.GET
        try:
            when = services.slot_from_key(VisitType(minutes=board.STEP), given.get("at", ""))
        except Refusal as refusal:
            return _failed(request, refusal)
        form = desk.BookingForm(given, when=when)
        if request.method != "POST" or "check" in given:
            return _booking(request, form, desk.objection_to(form))
        if not form.is_valid():
            return _booking(request, form, None, status=422)
        try:
            booked = form.book(_staff(request))
        except Refusal as refusal:
            return _booking(request, form, refusal, status=refusal.status)
        return _done(request, f"{booked.patient} is booked: {services.slot_of(booked)}.", booked)

    def board_visit(self, request: HttpRequest, visit_id: str) -> HttpResponse:
        """Open a visit's panel; that somebody looked is recorded."""
        _need(request, "view")
        visit = _visit(visit_id)
        audit.read(visit)
        return _panel(request, visit)

    def board_step(self, request: HttpRequest, visit_id: str, name: str) -> HttpResponse:
        """Take a visit one step through its day."""
        _need(request, "change")
        visit, step = _visit(visit_id), STEPS.get(name)
        if step is None or request.method != "POST":
            raise Http404
        reason = request.POST.get("reason", "").strip()[:200]
        if step.asks_why and not reason:
            return _panel(request, visit, asked=step, status=422)
        try:
            step.take(visit, _staff(request), reason)
        except Refusal as refusal:
            return _panel(request, _visit(visit_id), asked=step, refusal=refusal, status=refusal.status)
        return _done(request, step.said.format(visit.patient), visit)

    def board_release(self, request: HttpRequest, visit_id: str) -> HttpResponse:
        """Give back a time that is held."""
        _need(request, "change")
        if request.method != "POST":
            raise Http404
        held = _visit(visit_id)
        services.release_hold(hold=held, channel=desk.STAFF, actor=_staff(request))
        return _done(request, "The time is no longer held.", held)

    def board_move(self, request: HttpRequest, visit_id: str) -> HttpResponse:
        """Read a move back before it is written."""
        _need(request, "change")
        visit = _visit(visit_id)
        given = request.POST or request.GET
        try:
            slot = services.slot_from_key(visit.visit_type, given.get("to", ""))
        except Refusal as refusal:
            return _failed(request, refusal)
        form = desk.MovingForm(given)
        if request.method != "POST":
            return _moving(
                request, visit, slot, form, desk.objection(visit.visit_type, slot, visit.patient, visit)
            )
        if not form.is_valid():
            return _moving(request, visit, slot, form, None, status=422)
        try:
            moved = form.move(visit, _staff(request))
        except Refusal as refusal:
            return _moving(request, visit, slot, form, refusal, status=refusal.status)
        return _done(request, f"{moved.patient} has moved to {services.slot_of(moved)}.", moved)


def _need(request: HttpRequest, right: str) -> None:
    """Let only those go on who may `view`, `add` or `change` appointments."""
    if not request.user.has_perm(f"appointments.{right}_appointment"):
        raise PermissionDenied


def _staff(request: HttpRequest) -> Account:
    return cast(Account, request.user)


def _visit(visit_id: str) -> Appointment:
    return get_object_or_404(Appointment.objects.with_details(), pk=visit_id)


def _etag(request: HttpRequest) -> str:
    """Return what stays the same while the board does: one question to the database.

    Waiting times, the line of the present and what is held until when are told by the minute.
    """
    minute = clock.now().replace(second=0, microsecond=0)
    seen = (sorted(diary.stamps().items()), minute.isoformat(), request.user.pk, sorted(request.GET.items()))
    return f'"{sha256(repr(seen).encode()).hexdigest()[:32]}"'


def _columns(request: HttpRequest, look: Look) -> dict[str, Any]:
    allowed = request.user.has_perm
    right = "change" if look.moving else "add"
    return {
        "look": look,
        "aim": look.aim,
        "today": clock.today(),
        "placing": look.placing,
        "board": board.read(look.day, location=look.location, with_cancelled=look.cancelled, aim=look.aim),
        "may_place": allowed(f"appointments.{right}_appointment"),
    }


def _patients(site: Any, request: HttpRequest, term: str) -> list[Patient]:
    rows, _ = site.get_model_admin(Patient).get_search_results(request, Patient.objects.active(), term)
    return list(rows[:MOST_FOUND])


def _panel(
    request: HttpRequest,
    visit: Appointment,
    *,
    asked: Step | None = None,
    refusal: Refusal | None = None,
    status: int = 200,
) -> HttpResponse:
    may_change = request.user.has_perm("appointments.change_appointment")
    events = AppointmentEvent.objects.filter(appointment=visit).select_related("actor")
    reminders = Reminder.objects.filter(appointment=visit).select_related("message").order_by("due_at")
    context = {
        "visit": visit,
        "times": _times(visit),
        "icon": board.ICONS.get(State(visit.state), "event"),
        "events": events,
        "reminders": reminders,
        "rooms": visit.resource_bookings.select_related("resource"),
        "steps": [step for step in STEPS.values() if may_change and step.is_open_to(visit)],
        "may_move": may_change and visit.state in services.COMES_FROM[State.MOVED],
        "may_release": may_change and visit.state == State.HELD,
        "may_book": request.user.has_perm("appointments.add_appointment"),
        "asked": asked,
        "refusal": refusal,
    }
    return render(request, "admin/appointments/board/visit.html", context, status=status)


def _times(visit: Appointment) -> str:
    slot = services.slot_of(visit)
    wall = board.Wall(slot.starts_at.date(), practice.zone())
    return wall.range_words(wall.span(slot.starts_at, slot.ends_at))


def _booking(
    request: HttpRequest, form: desk.BookingForm, refusal: Refusal | None, status: int = 200
) -> HttpResponse:
    placed = "placing" in request.POST or any(name in request.GET for name in ("patient", "visit_type"))
    context = {
        "form": form,
        "when": f"{form.when:%A, %B %-d at %-I:%M %p}",
        "until": f"{form.slot().ends_at:%-I:%M %p}" if "visit_type" in form.chosen else "",
        "placing": placed,
        "chosen": form.chosen,
        "key": form.chosen.get("key") or uuid4(),
        "kinds": form.kinds,
        "told": status != 200,
        "refusal": refusal,
        "may_override": _may_override(refusal),
    }
    return render(request, "admin/appointments/board/book.html", context, status=status)


def _moving(
    request: HttpRequest,
    visit: Appointment,
    slot: services.Slot,
    form: desk.MovingForm,
    refusal: Refusal | None,
    status: int = 200,
) -> HttpResponse:
    form.full_clean()
    standing = services.slot_of(visit)
    context = {
        "visit": visit,
        "slot": slot,
        "standing": standing,
        "key": form.cleaned_data.get("key") or uuid4(),
        "given": form.cleaned_data,
        "may_be_here": slot.starts_at.date() == standing.starts_at.date() == clock.today(),
        "instead": [free for free in refusal.alternatives if free.key != standing.key] if refusal else [],
        "refusal": refusal,
        "may_override": _may_override(refusal),
    }
    return render(request, "admin/appointments/board/move.html", context, status=status)


def _may_override(refusal: Refusal | None) -> bool:
    """Say whether staff may leave the rule for a reason: time that is taken stays taken."""
    return isinstance(refusal, Unavailable) and not isinstance(refusal, SlotTaken)


def _done(request: HttpRequest, said: str, visit: Appointment) -> HttpResponse:
    """Close the dialog and say what was done; a board with something to place goes to where it stands."""
    if "placing" in request.POST:
        messages.success(request, said)
        day = services.slot_of(visit).starts_at.date()
        page = reverse("admin:appointments_appointment_board")
        return HttpResponse(headers={"HX-Redirect": f"{page}?day={day}#visit-{visit.pk}"})
    told = {"desk:done": {"said": said, "shown": f"visit-{visit.pk}"}}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(told)})


def _failed(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    context = {"refusal": refusal}
    return render(request, "admin/appointments/board/failed.html", context, status=refusal.status)
