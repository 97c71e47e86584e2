"""Writes docs/images/ anew: ``python -m docs.pictures``. The gates are made up; Chromium and pngquant are needed."""

import subprocess
from pathlib import Path

from playwright.sync_api import Browser, expect

from canary_operator.model.rollout import RolloutRef
from tests.browser.chromium import chromium
from tests.browser.stand import Stand
from tests.web import town as made_up
from tests.web.town import Town, held, populate, walk

IMAGES = Path(__file__).parent / "images"
API = RolloutRef("shop", "api-service")
GATE = f"/gates/{API.namespace}/{API.name}"
# Name, address, scheme, width and height.
PICTURES = (
    ("gates-light", "/", "light", 1280, 860),
    ("gates-dark", "/", "dark", 1280, 860),
    ("gate-light", GATE, "light", 1280, 1400),
    ("gate-dark", GATE, "dark", 1280, 1400),
    ("phone-light", "/", "light", 360, 780),
    ("phone-gate-dark", GATE, "dark", 360, 780),
)


def main() -> None:
    """Write all pictures."""
    stand = Stand()
    populate(stand.town, 200)
    _judge(stand.town)
    stand.start()
    try:
        with chromium() as browser:
            for name, address, scheme, width, height in PICTURES:
                path = IMAGES / f"{name}.png"
                _take(browser, stand.url + address, scheme, (width, height), path)
                subprocess.run(["pngquant", "--force", "--strip", "--output", path, "64", path], check=True)
    finally:
        stand.stop()


def _judge(town: Town) -> None:
    begun = town.now - 600
    town.gate(API, held(API, since=begun), rollout=made_up.a_rollout(started=begun))
    walk(town, API, 120)


def _take(browser: Browser, url: str, scheme: str, size: tuple[int, int], path: Path) -> None:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(url)
    expect(page.locator("#live")).to_have_text("Live", timeout=20_000)
    if GATE in url:
        expect(page.locator(".plot canvas")).to_be_visible()
    page.screenshot(path=path)
    page.close()


if __name__ == "__main__":
    main()
