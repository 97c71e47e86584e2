"""One Chromium for the session, one stand and one visitor for each test. Whoever visits must see no error."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import chromium
from tests.browser.stand import Stand
from tests.web.town import populate

# A machine that builds other things at the same time is slow; nothing here waits for time to pass.
PATIENCE_MS = 20_000

_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""

Visit = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as started:
        yield started


@pytest.fixture
def stand() -> Iterator[Stand]:
    """A town of 40 gates."""
    stand = Stand()
    populate(stand.town, 40)
    stand.start()
    yield stand
    stand.stop()


@pytest.fixture
def visit(browser: Browser, stand: Stand) -> Iterator[Visit]:
    """Opens an address as a visitor of its own; at the end none of them has seen an error.

    ``lost`` is true where the operator is stopped on purpose, and connections fail.
    """
    contexts, complaints = [], []

    def open_page(path: str = "/", *, live: bool = True, **context: Any) -> Page:
        opened = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
        contexts.append(opened)
        opened.set_default_timeout(PATIENCE_MS)
        opened.add_init_script(_TELL_VIOLATIONS)
        page = opened.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type in _BAD else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.goto(f"{stand.url}{path}")
        if live:
            expect(page.locator("#live")).to_have_text("Live")
        return page

    yield open_page
    for opened in contexts:
        opened.close()
    assert [complaint for complaint in complaints if not _is_of_a_stopped_operator(complaint)] == []


_BAD = ("error", "warning")


def _is_of_a_stopped_operator(complaint: str) -> bool:
    return "ERR_CONNECTION_REFUSED" in complaint or "ERR_INCOMPLETE_CHUNKED_ENCODING" in complaint
