"""The practice's own facts, read by everyone."""

import zoneinfo

from django.conf import settings
from django.core.cache import cache

from practice.models import Practice

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
