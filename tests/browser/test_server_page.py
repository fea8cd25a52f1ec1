"""The page that documents a server, in a real browser: it shows every operation, prices, and asks nobody else."""

import pytest
from serving_fakes import FakePricer

from pricelab.serving import running

pytestmark = pytest.mark.browser


def test_the_servers_page_prices_and_asks_nobody_else(browser):
    page, asked = browser.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    with running(FakePricer()) as server:
        page.goto(f"{server.url}/docs")
        for path in ("/price", "/prices", "/healthz", "/readyz"):
            page.locator(f'[data-path="{path}"]').wait_for()
        page.locator('[data-path="/price"]').click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table .response-col_description").filter(has_text="estimate").first.wait_for()
        assert f"{server.url}/price" in asked
        assert [url for url in asked if not url.startswith((f"{server.url}/", "data:"))] == []
    page.close()
