"""`pricelab app` in a real browser, with the tiny adapter that ships: answers, hostile texts, phone width, Ctrl-C."""

import csv
import io

import pytest
from axe_check import violations
from lab_session import as_shown
from predictor_parts import NAMES, close_parts, open_part, saved, upload
from test_predictor import HOSTILE

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


def test_another_condition_shows_its_difference(page):
    page.ask(f"{DRILL}. New.", shows="80 % likely")
    part = open_part(page, "What if")
    part.get_by_label("Condition").select_option("refurbished")
    part.get_by_role("button", name="Show the difference").click()
    part.locator(".pricelab-change").filter(has_text="→").wait_for(timeout=30_000)
    assert "$" in part.locator(".pricelab-change").inner_text() and "mere rewording" in part.inner_text()


def test_a_csv_is_priced_and_downloaded(page):
    part = open_part(page, "A whole file")
    upload(page, part, "shop.csv", "description\nCordless drill\n\"\"\n<b onclick='window.hit = 1'>lamp</b>\n")
    part.get_by_role("button", name="Price 3 rows").click()
    text, name = saved(page, part.get_by_role("link", name="Download shop-priced.csv"))
    head, drill, empty, lamp = csv.reader(io.StringIO(text))
    assert name == "shop-priced.csv" and head[:2] == ["description", "estimate"]
    assert float(drill[1]) >= 1 and float(lamp[1]) >= 1 and empty[1] == "" and "empty" in empty[-1]
    assert part.locator("b[onclick]").count() == 0 and page.page.evaluate("window.hit === undefined")


def test_the_history_holds_what_was_asked_and_can_be_kept(page):
    page.ask(DRILL, shows="80 % likely")
    text, _ = saved(page, open_part(page, "History").get_by_role("link"))
    assert DRILL in text and "window.hit" in text  # the hostile texts were asked too


@pytest.mark.parametrize("name", NAMES)
def test_no_part_has_a_serious_violation(page, name):
    page.ask(f"{DRILL}. New.", shows="80 % likely")
    open_part(page, name)
    assert violations(page.page) == [] and page.outside == []
    close_parts(page)


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
