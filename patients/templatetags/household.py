"""The people whom an account may act for, for the menu of every page."""

from django import template

from patients import services
from patients.models import Account, Patient

register = template.Library()


@register.simple_tag
def people_of(account: Account) -> list[Patient]:
    return services.patients_of(account)
