"""Quiet hours: when a message that can wait may leave."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def allowed_at(moment: datetime, *, quiet_from: time, quiet_until: time, zone: ZoneInfo) -> datetime:
    """Return `moment`, or the end of the quiet hours that it falls into, on the wall clock of `zone`.

    The hours may run over midnight; where both ends are the same there are none.
    """
    local = moment.astimezone(zone)
    if not _is_quiet(local.time(), quiet_from, quiet_until):
        return moment
    ends_tomorrow = local.time() >= quiet_until
    day = local.date() + timedelta(days=1) if ends_tomorrow else local.date()
    return datetime.combine(day, quiet_until, zone)


def _is_quiet(wall: time, quiet_from: time, quiet_until: time) -> bool:
    if quiet_from <= quiet_until:
        return quiet_from <= wall < quiet_until
    return wall >= quiet_from or wall < quiet_until
