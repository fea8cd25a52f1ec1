"""One notebook in one browser for all browser tests; without a browser they skip in words, in CI they fail."""

import os

import pytest
from lab_session import missing, open_notebook

CELLS = (
    "from fake_pricer import FakePricer\nfrom pricelab import PricePredictor",
    "predictor = PricePredictor(FakePricer())\npredictor",
)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    if why := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    with open_notebook(tmp_path_factory.mktemp("lab"), *CELLS) as lab:
        yield lab
