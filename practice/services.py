"""The practice's own facts, read by everyone."""

import zoneinfo

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import F

from practice.models import Practice, Series

_TIME_ZONE_KEY = "practice.time_zone"


def current() -> Practice:
    """Return the practice; raises Practice.DoesNotExist before it is set up."""
    return Practice.objects.get(only=True)


def time_zone() -> str:
    """Return the name of the practice's time zone, from the cache when it is there."""
    name = cache.get(_TIME_ZONE_KEY)
    if name is None:
        name = Practice.objects.values_list("time_zone", flat=True).first()
        if name is None:
            return settings.TIME_ZONE
        cache.set(_TIME_ZONE_KEY, name, 60)
    return name


def zone() -> zoneinfo.ZoneInfo:
    """Return the practice's time zone."""
    return zoneinfo.ZoneInfo(time_zone())


@transaction.atomic
def draw_number(prefix: str) -> str:
    """Return the next number of a series, P100001 for instance.

    The UPDATE holds the row until the caller's transaction ends: no two callers draw the same number,
    and one that is rolled back leaves no gap.
    """
    series, _ = Series.objects.get_or_create(prefix=prefix)
    Series.objects.filter(pk=series.pk).update(last=F("last") + 1)
    series.refresh_from_db()
    return str(series)
