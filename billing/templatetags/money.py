"""`{% load money %}{{ cents|dollars }}`"""

from django import template

from billing import money

register = template.Library()
register.filter("dollars", money.dollars)
