"""Settings are documented, and a bad one stops the start with a sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)


def test_every_setting_is_listed_in_the_documentation() -> None:
    source = (ROOT / "eyecare" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))
    listed = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text()))
    assert read - listed == set()


def test_a_bad_value_stops_the_start_and_is_named() -> None:
    answer = _check({"LLM_QUEUE_LIMIT": "many"})
    assert answer.returncode != 0
    assert "LLM_QUEUE_LIMIT" in answer.stderr


def test_the_portal_does_not_start_without_a_secret_key() -> None:
    answer = _check({"DEMO": "0", "SECRET_KEY": ""})
    assert answer.returncode != 0
    assert "SECRET_KEY" in answer.stderr


def _check(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=os.environ | {"DEMO": "1"} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
