"""Takes the pictures of the documentation from a running demo: `python docs/screens/take.py [address]`.

It signs in as the demo's people and writes to the assistant, so point it at a demo and nothing else.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
DESK = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take(open_as(browser, None, DESK), "/", "welcome")
        nora = open_as(browser, "Nora Lindqvist", DESK)
        take(nora, "/", "home")
        take(nora, "/dues/", "dues")
        take(open_as(browser, "Nora Lindqvist", PHONE, "dark"), "/", "home-phone-dark")
        take(open_as(browser, None, DESK), "/phones/+12125550111/", "phone-simulator")
        follow_an_order(nora)
        talk(open_as(browser, "Sam Carter", PHONE))


def open_as(browser: Browser, name: str | None, viewport: dict[str, int], theme: str = "light") -> Page:
    context = browser.new_context(
        base_url=ADDRESS, viewport=viewport, color_scheme=theme, reduced_motion="reduce"
    )
    page = context.new_page()
    if name:
        page.goto("/account/login/")
        page.get_by_role("button", name=name).click()
        page.wait_for_url("**/")
    return page


def take(page: Page, path: str, name: str) -> None:
    page.goto(path)
    page.screenshot(path=HERE / f"{name}.png")


def follow_an_order(page: Page) -> None:
    page.goto("/orders/")
    page.locator("a.row").first.click()
    page.screenshot(path=HERE / "order.png")


def talk(page: Page) -> None:
    page.goto("/chat/")
    answers = page.locator(".said--assistant[data-line]")
    before = answers.count()
    page.get_by_label("Your message").fill("I need my eyes checked, sometime next week in the morning")
    page.keyboard.press("Enter")
    answers.nth(before).wait_for()
    page.screenshot(path=HERE / "chat-phone.png")


if __name__ == "__main__":
    main()
