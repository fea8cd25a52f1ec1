"""One JupyterLab and one browser for all browser tests, a notebook for each form; without a browser they skip in words.

In CI a missing browser is a failure.
"""

import os

import pytest
from lab_session import Budget, Guide, Predictor, Tables, missing, workplace

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
def work(tmp_path_factory):
    if why := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    with workplace(tmp_path_factory.mktemp("lab")) as work:
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
