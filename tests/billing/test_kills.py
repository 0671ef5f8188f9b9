"""A worker killed at any point, ten times over: every statement is made once and told once."""

import json
import os
import subprocess
import sys

from django.conf import settings

DRIVER = """
import json, os, random, signal
from datetime import timedelta
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.db import connection
from billing import services
from billing.models import Statement
from eyecare import clock
from messaging.models import Message
from patients.models import Consent
from tests import factories

with clock.frozen_at(factories.MONDAY):
    factories.PracticeFactory()
    factories.LocationFactory()
    for _ in range(25):
        payer = factories.LedgerEntryFactory().payer
        factories.ConsentFactory(patient=payer, kind=Consent.Kind.BILLING_TEXTS)
    run = services.start_run(as_of=clock.today(), minimum_cents=0)


def work_until_killed(kill_at):
    seen = 0

    def count(execute, *query):
        nonlocal seen
        seen += 1
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(*query)

    with connection.execute_wrapper(count):
        services.work_on(run.pk)


killed = 0
for attempt in range(10):
    connection.close()
    if (child := os.fork()) == 0:
        with clock.frozen_at(factories.MONDAY + timedelta(minutes=3 * attempt)):
            work_until_killed(random.Random(attempt).randint(1, 40))
        os._exit(0)
    killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

left = Statement.objects.filter(state="queued").count()
with clock.frozen_at(factories.MONDAY + timedelta(hours=1)):
    services.work_on(run.pk)
run.refresh_from_db()
print(json.dumps({
    "killed": killed,
    "left before the last worker": left > 0,
    "run": run.state,
    "sent": Statement.objects.filter(state="sent").exclude(pdf=None).count(),
    "told": Message.objects.filter(kind="statement_ready").values("subject_id").distinct().count(),
    "messages": Message.objects.count(),
}))
"""


def test_a_worker_killed_ten_times_makes_and_tells_every_statement_once(tmp_path):
    world = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "eyecare.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path}/money.sqlite3",
        "CELERY_BROKER_URL": "memory://",
        "LOG_LEVEL": "CRITICAL",
    }
    driver = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=settings.BASE_DIR,
        env=world,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert driver.returncode == 0, driver.stderr
    assert json.loads(driver.stdout.splitlines()[-1]) == {
        "killed": 10,
        "left before the last worker": True,
        "run": "done",
        "sent": 25,
        "told": 25,
        "messages": 25,
    }
