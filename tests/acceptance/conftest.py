"""What the tests that look at pages share."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

import patience

PATIENCE = patience.SECONDS * 1000  # what is there is seen at once
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            timeout=PATIENCE,
        )
        make = browser.new_context

        def new_context(**given: Any) -> BrowserContext:
            context = make(**given)
            context.set_default_timeout(PATIENCE)
            return context

        browser.new_context = new_context  # type: ignore[method-assign]
        yield browser
        browser.close()
