"""The diary's pages for patients."""

from django.urls import path

from appointments.views import again, booking, calendars, visits, waiting

app_name = "appointments"
urlpatterns = [
    path("", visits.visits, name="list"),
    path("again/<int:recall_id>/", again.again, name="recall"),
    path("book/", booking.choose_visit, name="book"),
    path("book/<slug:slug>/", booking.choose_time, name="times"),
    path("book/<slug:slug>/give-back/", booking.give_back, name="give_back"),
    path("book/<slug:slug>/<str:key>/", booking.book, name="book_time"),
    path("waitlist/", waiting.wishes, name="waitlist"),
    path("waitlist/join/<slug:slug>/", waiting.join, name="join"),
    path("waitlist/<uuid:entry_id>/withdraw/", waiting.withdraw, name="withdraw"),
    path("waitlist/offers/<uuid:offer_id>/accept/", waiting.accept, name="accept"),
    path("waitlist/offers/<uuid:offer_id>/decline/", waiting.decline, name="decline"),
    path("calendar/", calendars.subscription, name="calendar"),
    path("calendar/renew/", calendars.renew, name="renew_calendar"),
    path("calendar/<str:token>.ics", calendars.calendar_feed, name="calendar_feed"),
    path("calendar/", calendars.subscription, name="calendar"),
    path("calendar/renew/", calendars.renew, name="renew_calendar"),
    path("calendar/<str:token>.ics", calendars.calendar_feed, name="calendar_feed"),
    path("<uuid:appointment_id>/", visits.detail, name="detail"),
    path("<uuid:appointment_id>/calendar.ics", calendars.calendar_file, name="calendar_file"),
    path("<uuid:appointment_id>/calendar.ics", calendars.calendar_file, name="calendar_file"),
    path("<uuid:appointment_id>/confirm/", visits.confirm, name="confirm"),
    path("<uuid:appointment_id>/earlier/", waiting.earlier, name="earlier"),
    path("<uuid:appointment_id>/move/", booking.move, name="move"),
    path("<uuid:appointment_id>/move/give-back/", booking.give_back_move, name="give_back_move"),
    path("<uuid:appointment_id>/move/<str:key>/", booking.move_to, name="move_to"),
    path("<uuid:appointment_id>/cancel/", visits.cancel, name="cancel"),
]
