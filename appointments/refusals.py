"""Why something cannot be booked, moved or cancelled."""

from eyecare.errors import Refusal


class Unavailable(Refusal):
    """This slot cannot be had; the alternatives are the nearest slots that can."""

    code = "unavailable"


class SlotTaken(Unavailable):
    """Somebody else has the provider's time."""

    code = "slot_taken"


class PatientBusy(SlotTaken):
    """The patient is elsewhere in the practice at that time."""

    code = "patient_busy"


class NotBookable(Unavailable):
    """A rule of the practice speaks against this slot or this visit."""

    code = "not_bookable"


class TooSoon(NotBookable):
    """Less notice than the visit needs."""

    code = "too_soon"


class TooFarAhead(NotBookable):
    """Beyond what the diary is open for."""

    code = "too_far_ahead"


class OutsideHours(NotBookable):
    """The provider does not see patients then."""

    code = "outside_hours"


class TooLate(Refusal):
    """Too short before the visit to move or cancel it without a call."""

    code = "too_late"


class Ended(Refusal):
    """The appointment is over, cancelled or moved: this step is no longer possible."""

    code = "ended"
