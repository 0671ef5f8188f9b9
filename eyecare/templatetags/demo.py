"""The demo practice's log-ins, for the sign-in page of a demo."""

from django import template
from django.conf import settings

from eyecare import cast

register = template.Library()


@register.simple_tag
def demo_logins() -> list[cast.Member]:
    """Return whom a newcomer may play; nobody outside the demo."""
    return [cast.MEMBERS[role] for role in cast.LOGINS] if settings.DEMO else []


@register.simple_tag
def demo_password() -> str:
    return cast.PASSWORD if settings.DEMO else ""


@register.simple_tag
def demo_phones() -> list[cast.Member]:
    """Return whose phone a newcomer may play: one of the cast for each number."""
    return list({member.phone: member for member in reversed(cast.PATIENTS)}.values())[::-1]
