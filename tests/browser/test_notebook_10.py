"""JupyterLab opens notebook 10 as it is, runs all of it in the smoke profile, and its price predictor answers."""

import pytest
from lab_session import ROOT, Predictor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]  # every cell of the notebook runs


@pytest.fixture(scope="module")
def notebook(work):
    return work.open_copy(Predictor, ROOT / "notebooks" / "10_price_predictor.ipynb")


def test_it_runs_to_its_end_without_an_error(notebook):
    notebook.page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=120_000)
    assert notebook.page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0
    last = notebook.page.locator(".jp-CodeCell").last
    last.get_by_role("button", name="Estimate price").wait_for(timeout=60_000)


def test_the_predictor_stands_where_its_picture_stood_and_answers(notebook):
    notebook.ask("Cordless drill driver kit, 18 V, two batteries", shows="80 % likely")
    assert "$" in notebook.result.first.inner_text()
    notebook.ask(" ", shows="is empty")
