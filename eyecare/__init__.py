"""The frame of the house."""

# `delay_on_commit` exists only on tasks of an app that Django has loaded: keep this import.
from eyecare.celery import app as celery_app

__all__ = ["celery_app"]
