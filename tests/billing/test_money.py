"""Cents as people write and read them."""

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from billing import money


@pytest.mark.parametrize(
    ("cents", "text"),
    [(0, "$0.00"), (5, "$0.05"), (1_250, "$12.50"), (-500, "-$5.00"), (123_456_789, "$1,234,567.89")],
)
def test_cents_are_written_as_dollars(cents, text):
    assert money.dollars(cents) == text


@given(st.integers(0, 10**9))
def test_what_is_written_reads_back(cents):
    assert money.cents(money.dollars(cents)) == cents


@pytest.mark.parametrize(("text", "cents"), [("12", 1_200), ("$ 12.5", 1_250), ("1,200 dollars", 120_000)])
def test_an_amount_is_read_as_people_write_it(text, cents):
    assert money.cents(text) == cents


@pytest.mark.parametrize("text", ["", "-5", "12.345", "1,2", "all of it", "1e3", "NaN"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="not an amount"):
        money.cents(text)


def test_templates_can_show_dollars():
    assert Template("{% load money %}{{ owed|dollars }}").render(Context({"owed": 1_250})) == "$12.50"
