"""One JupyterLab and one browser for all browser tests, a notebook for each form; without a browser they skip in words.

In CI a missing browser is a failure.
"""

import os

import pytest
import voila_session
from lab_session import Budget, Guide, Predictor, Tables, chromium, missing, workplace

PREDICTOR = (
    "from fake_pricer import FakePricer\nfrom pricelab import PricePredictor",
    "predictor = PricePredictor(FakePricer())\npredictor",
)
GUIDE = ("from pricelab.widgets import DecisionGuide", "DecisionGuide()")
BUDGET = ("from pricelab.widgets import BudgetExplorer", "BudgetExplorer()")

TABLES = (
    "from IPython.display import HTML\nfrom pricelab.show import html_table",
    "HTML(html_table(['mean absolute error'], [['$62.29 [$55.65, $70.15]']]))",
    "HTML('<p>$x^2$</p>')",
)


@pytest.fixture(scope="session")
def browser():
    if why := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def work(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRICELAB_PROFILE", "smoke")  # for kernels, which then need nothing that does not ship
        patch.setenv("PRICELAB_CACHE", str(folder / "cache"))
        with workplace(folder, browser) as work:
            yield work


@pytest.fixture(scope="session")
def lab(work):
    return work.open(Predictor, *PREDICTOR)


@pytest.fixture(scope="session")
def guide(work):
    return work.open(Guide, *GUIDE)


@pytest.fixture(scope="session")
def explorer(work):
    return work.open(Budget, *BUDGET)


@pytest.fixture(scope="session")
def tables(work):
    return work.open(Tables, *TABLES)


@pytest.fixture(scope="session")
def gallery(browser, tmp_path_factory):
    with voila_session.gallery(tmp_path_factory.mktemp("gallery")) as gallery:
        yield gallery


@pytest.fixture(scope="module")
def app(browser, tmp_path_factory):
    with voila_session.app(tmp_path_factory.mktemp("app")) as app:
        yield app
