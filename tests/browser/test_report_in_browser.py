"""The report of `pricelab run` opened from its file: no request, no serious violation, phone, dark theme, paper.

The file is kept in build/report.
"""

import shutil

import pytest
from axe_check import violations
from lab_session import ROOT
from test_run_report import ABOUT, workbook

from pricelab.run_report import write_report

pytestmark = pytest.mark.browser
KEPT = ROOT / "build" / "report"


@pytest.fixture(scope="module")
def report():
    shutil.rmtree(KEPT, ignore_errors=True)
    outcomes, board = workbook(KEPT)
    return write_report(outcomes, ABOUT, KEPT, board).as_uri()


@pytest.mark.parametrize("width, scheme", [(1200, "light"), (390, "dark")])
def test_it_reads_on_any_screen_and_asks_for_nothing(browser, report, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked, dialogs = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(report)
    assert page.get_by_role("heading", level=1).inner_text() == "Report of the workbook"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert violations(page) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == {
        "light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 27)",
    }[scheme]  # fmt: skip
    assert all(url == report or url.startswith("data:") for url in asked) and dialogs == []
    page.close()


def test_paper_has_dark_letters_and_no_list_of_links(browser, report):
    page = browser.new_page(color_scheme="dark")
    page.goto(report)
    assert page.get_by_role("navigation").is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.get_by_role("navigation").is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    page.close()
