"""What a page says while its database is away, and that it needs no cache."""

import json

import pytest
from django.core.cache import BaseCache
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from eyecare import views
from eyecare.cache import SpareRedisCache


def trouble_after(error: Exception, path: str) -> HttpResponse:
    try:
        raise error
    except type(error):
        return views.trouble(RequestFactory().get(path))


def test_a_page_without_its_database_asks_to_come_back() -> None:
    answer = trouble_after(OperationalError("server closed the connection"), "/dues/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "Your record is as it was before" in answer.content.decode()
    assert "server closed" not in answer.content.decode()


def test_a_program_without_our_database_gets_a_problem_document() -> None:
    answer = trouble_after(OperationalError("server closed the connection"), "/api/v1/balance/")
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert json.loads(answer.content)["detail"] == views.TROUBLE


def test_a_mistake_of_ours_stays_a_500_that_nobody_should_repeat() -> None:
    answer = trouble_after(KeyError("name"), "/dues/")
    assert answer.status_code == 500
    assert "Retry-After" not in answer


@pytest.fixture
def lost_cache() -> BaseCache:
    return SpareRedisCache("redis://127.0.0.1:9/0", {})


def test_a_lost_cache_remembers_nothing_and_breaks_nothing(lost_cache: BaseCache) -> None:
    lost_cache.set("zone", "America/New_York")
    assert lost_cache.get("zone", "unknown") == "unknown"
    assert lost_cache.get_many(["zone"]) == {}
    assert lost_cache.add("visitor", 0) is True
    assert lost_cache.incr("visitor") == 0
    assert lost_cache.delete("zone") is False
