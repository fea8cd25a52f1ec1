"""`pricelab app` in a real browser, with the tiny adapter that ships: answers, hostile texts, phone width, Ctrl-C."""

import pytest
from axe_check import violations
from test_predictor import HOSTILE, as_shown

pytestmark = pytest.mark.browser
DRILL = "Cordless drill driver kit, 18 V, two batteries"


@pytest.fixture(scope="module")
def page(app, browser):
    return app.open(browser)


def test_it_says_what_it_is_and_shows_no_code(page):
    assert page.page.title() == "What is this worth?"
    assert page.page.get_by_role("heading", level=1).inner_text() == "What is this worth?"
    assert "tiny, qlora" in page.page.get_by_role("main").inner_text()
    assert page.page.locator(".jp-InputArea, .jp-Editor").count() == 0
    assert "import" not in page.page.locator("body").inner_text()


def test_it_answers_and_refuses_in_words(page):
    page.ask(DRILL, shows="80 % likely")
    assert "$" in page.result.first.inner_text()
    page.ask("", shows="is empty")


def test_no_serious_violation(page):
    page.ask(DRILL, shows="80 % likely")
    assert violations(page.page) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_runs_nothing_and_loads_nothing(page, name):
    text = HOSTILE[name]
    page.ask(text, shows=f"“{as_shown(text)}”")
    page.page.wait_for_timeout(100)  # time enough for an event handler to fire
    assert page.form.locator(".pricelab-echo").first.text_content() == f"“{as_shown(text)}”"
    assert page.page.evaluate("window.hit === undefined")
    assert page.dialogs == [] and page.outside == []


def test_a_phone_shows_all_without_scrolling_sideways(page):
    page.ask(DRILL, shows="80 % likely")
    page.resize(400)
    assert page.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    box = page.box.bounding_box()
    assert box["x"] >= 8 and box["width"] > 300
    page.resize(1280)


def test_nothing_came_from_another_machine(page):
    assert page.outside == []


def test_no_file_beside_the_page_is_given_out(page, app):
    for name in ("page.ipynb", "voila/files/page.ipynb", "voila/files/../page.ipynb", "nowhere.png"):
        assert page.page.request.get(f"{app.address}{name}").status in (403, 404), name


def test_ctrl_c_ends_it_cleanly(app, page):
    """The last test of this file: the page is gone afterwards."""
    page.page.close()
    assert app.interrupt() == 0
    assert "Traceback" not in app.said and "ERROR" not in app.said, app.said
