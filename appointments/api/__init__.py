"""The diary for other programs: free slots, and what belongs to the patient whose record is open."""

from django.urls import path

from appointments.api.appointments import AppointmentViewSet
from appointments.api.calendars import CalendarLinkView
from appointments.api.holds import HoldViewSet
from appointments.api.slots import SlotsView, SlotView, VisitTypeViewSet
from appointments.api.waitlist import WaitlistOfferViewSet, WaitlistViewSet

router_entries = [
    ("appointments", AppointmentViewSet, "appointment"),
    ("holds", HoldViewSet, "hold"),
    ("visit-types", VisitTypeViewSet, "visit-type"),
    ("waitlist", WaitlistViewSet, "waitlist"),
    ("waitlist-offers", WaitlistOfferViewSet, "waitlist-offer"),
]
api_urlpatterns = [
    path("slots/", SlotsView.as_view(), name="slots"),
    path("slots/<str:key>/", SlotView.as_view(), name="slot"),
    path("calendar-link/", CalendarLinkView.as_view(), name="calendar-link"),
]
