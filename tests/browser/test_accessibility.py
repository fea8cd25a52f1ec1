"""axe-core on the forms, in JupyterLab and on a page of their own: no serious violation; a planted one is found.

In JupyterLab only the outputs are looked at, its own page has violations; contrast is seen only on a page without it.
"""

import pytest
from axe_check import violations

pytestmark = pytest.mark.browser
OUTPUTS = ".jp-OutputArea"


def test_the_predictor_in_jupyterlab(lab):
    lab.ask("Cordless drill", shows="80 % likely")
    assert violations(lab.page, OUTPUTS) == []
    lab.ask("", shows="is empty")
    assert violations(lab.page, OUTPUTS) == []


def test_the_guide_in_jupyterlab(guide):
    guide.choose(task="text", base="own", compute="laptop", raw_text="little")
    guide.shows("Settle a contradiction first.", answered=4)
    assert violations(guide.page, OUTPUTS) == []
    guide.reset()


def test_the_budget_explorer_in_jupyterlab(explorer):
    explorer.form.get_by_role("button", name="Show formulas").click()
    explorer.form.get_by_role("table").wait_for()
    assert violations(explorer.page, OUTPUTS) == []
    explorer.form.get_by_role("button", name="Hide formulas").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_forms_on_a_page_of_their_own(gallery, browser, theme):
    page = gallery.open(browser, f"?theme={theme}")
    page.page.get_by_text("Fits: a step takes").wait_for(timeout=60_000)
    assert page.form.count() == 3 and page.outside == []
    dark = page.page.evaluate("getComputedStyle(document.body).getPropertyValue('--jp-layout-color0')")
    assert ("111" in dark or "#1" in dark) == (theme == "dark"), dark
    assert violations(page.page) == []


def test_a_planted_fault_is_found(gallery, browser):
    page = browser.new_page()
    page.set_content(
        "<html lang='en'><title>x</title><main><h1>x</h1><input><p style='color: #bbb'>pale</p></main></html>"
    )
    assert {each.partition(" ")[0] for each in violations(page)} == {"label", "color-contrast"}
