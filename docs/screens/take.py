"""Takes the pictures of the documentation from a running demo: `python docs/screens/take.py [address]`.

It signs in as the demo's people and writes to the assistant, so point it at a demo and nothing else.
"""

import shutil
import sys
from base64 import b64encode
from datetime import date, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
DESK = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
BOARD = "/admin/appointments/appointment/board/"


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
        take(open_as(browser, "Dana Whitfield", DESK), f"{BOARD}?day={next_weekday()}", "board")
        talk(open_as(browser, "Sam Carter", PHONE))
        compose(browser, ["home.png", "chat-phone.png", "home-phone-dark.png"], "portal")


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


def next_weekday() -> date:
    day = date.today() + timedelta(days=1)  # noqa: DTZ011 - a demo, on this machine's own day
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)


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


def compose(browser: Browser, pictures: list[str], name: str) -> None:
    """Lay pictures side by side at one height: the one that opens the README."""
    page = browser.new_page(viewport={"width": 1820, "height": 760})
    sources = (b64encode((HERE / picture).read_bytes()).decode() for picture in pictures)
    page.set_content(
        "<style>body{margin:0;padding:32px;display:flex;gap:28px;background:#dcd3c0}"
        "img{height:696px;border-radius:14px}</style>"
        + "".join(f'<img src="data:image/png;base64,{source}">' for source in sources)
    )
    page.screenshot(path=HERE / f"{name}.png")


if __name__ == "__main__":
    main()
