"""Why something cannot be booked, moved or cancelled."""

from eyecare.errors import Refusal


class Unavailable(Refusal):
    """This slot cannot be had; the alternatives are the nearest slots that can."""

    code = "unavailable"
    another_time_helps = True
    """False where no other time would do either: then none is offered."""


class SlotTaken(Unavailable):
    """Somebody else has the provider's time."""

    code = "slot_taken"


class PatientBusy(SlotTaken):
    """The patient is elsewhere in the practice at that time."""

    code = "patient_busy"


class ResourceTaken(SlotTaken):
    """A room or machine that the visit needs is in use at that time."""

    code = "resource_taken"


class NotBookable(Unavailable):
    """A rule of the practice speaks against this slot or this visit."""

    code = "not_bookable"


class ByPhone(NotBookable):
    """The front desk books this kind of visit."""

    another_time_helps = False


class TooSoon(NotBookable):
    """Less notice than the visit needs."""

    code = "too_soon"


class TooFarAhead(NotBookable):
    """Beyond what the diary is open for."""

    code = "too_far_ahead"


class OutsideHours(NotBookable):
    """The provider does not see patients then."""

    code = "outside_hours"


class Closed(OutsideHours):
    """A holiday of the practice, or leave."""

    code = "closed"


class KeptForUrgent(OutsideHours):
    """The time is kept for urgent visits."""

    code = "kept_for_urgent"


class NotForYou(NotBookable):
    """This kind of visit is for new patients only, or for known ones only."""

    code = "not_for_you"
    another_time_helps = False


class TooManyVisits(NotBookable):
    """The patient has as many visits to come as they may book themselves."""

    code = "too_many_visits"
    another_time_helps = False


class NeedsStaff(NotBookable):
    """After several missed visits the front desk books the next one."""

    code = "needs_staff"
    another_time_helps = False


class TooLate(Refusal):
    """Too short before the visit to move or cancel it without a call."""

    code = "too_late"


class Ended(Refusal):
    """The appointment is over, cancelled or moved: this step is no longer possible."""

    code = "ended"


class NotNow(Refusal):
    """The step belongs to the day of the visit."""

    code = "not_now"
