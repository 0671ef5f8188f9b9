"""The demo practice behind a real server, and Debian's Chromium in front of it."""

import os
import shutil
from collections.abc import Callable

import pytest
from django.core.management import call_command
from playwright.sync_api import Browser, Page, expect

from eyecare import cast

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
PATIENCE_MS = 30_000
"""How long a busy machine may take; nothing waits when it is faster."""

expect.set_options(timeout=PATIENCE_MS)

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright keeps a loop in this thread

SignedIn = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.is_relative_to(os.path.dirname(__file__))]
    for item in here:
        item.add_marker(pytest.mark.browser)
        if CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="needs Chromium: apt-get install chromium"))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    return {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}


@pytest.fixture
def portal(live_server, settings):
    """The demo practice, open for visitors; returns its address."""
    settings.SITE_URL = live_server.url
    call_command("demo_data", verbosity=0)
    return live_server.url


@pytest.fixture
def visit(browser: Browser, portal: str) -> SignedIn:
    """Open a browser as one of the cast, or as a stranger: visit("booked", viewport=PHONE)."""

    def open_page(role: str | None = None, **look: object) -> Page:
        context = browser.new_context(base_url=portal, reduced_motion="reduce", **look)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        if role:
            page.goto("/account/login/")
            page.get_by_label("Email").fill(cast.MEMBERS[role].email)
            page.get_by_label("Password", exact=True).fill(cast.PASSWORD)
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.wait_for_url("**/")
        return page

    return open_page
