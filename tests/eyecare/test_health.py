"""Monitoring sees what is down, and the portal is down only without its database."""

import pytest
from django.db import DatabaseError
from django.test import Client

from eyecare import health


@pytest.mark.django_db
def test_a_missing_model_and_missing_vectors_only_degrade(client: Client) -> None:
    response = client.get("/health/")
    assert response.status_code == 200
    assert response.json() == {
        "status": "degraded",
        "database": "ok",
        "queue": "ok",
        "model": "down",
        "vectors": "down",
    }


@pytest.mark.django_db
def test_without_its_database_the_portal_is_down(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise DatabaseError

    monkeypatch.setattr(health.connection, "cursor", refuse)
    response = client.get("/health/")
    assert response.status_code == 503
    assert response.json()["status"] == "down"


@pytest.mark.django_db
def test_health_says_nothing_to_be_cached(client: Client) -> None:
    assert "no-store" in client.get("/health/")["Cache-Control"]
