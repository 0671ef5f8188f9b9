"""The Celery application: every task of the house is found from here."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eyecare.settings")

app = Celery("eyecare")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
