"""Rewrite the pictures in docs/images from the browser: ``python tests/browser/screenshots.py``.

The price predictor is photographed with the shipped adapter, so that the picture shows what a reader will get;
``--fake`` takes the tests' fake pricer instead, and ``--out`` another folder.
"""

import argparse
import tempfile
from pathlib import Path

from lab_session import ROOT, missing, open_notebook

SHIPPED = "from pricelab import PricePredictor, need\npricer = need('small adapter')"
FAKE = "from fake_pricer import FakePricer\nfrom pricelab import PricePredictor\npricer = FakePricer()"
EXAMPLE = "Cordless drill driver kit"
WIDTHS_PX = {"price-predictor.png": 1100, "price-predictor-phone.png": 400}


def main() -> None:
    """Run the predictor in JupyterLab, click an example, photograph the form at every width."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--fake", action="store_true", help="photograph the tests' fake pricer")
    options.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder for the pictures")
    given = options.parse_args()
    if why := missing():
        raise SystemExit(why)
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        cells = (FAKE if given.fake else SHIPPED, "PricePredictor(pricer)")
        with open_notebook(Path(folder), *cells) as lab:
            lab.form.get_by_role("button", name=EXAMPLE).click()
            lab.result.filter(has_text="80 % likely").wait_for(timeout=120_000)
            lab.page.mouse.click(5, 5)  # away from the buttons
            for name, width in WIDTHS_PX.items():
                lab.resize(width)
                lab.form.screenshot(path=given.out / name)
                print(given.out / name)


if __name__ == "__main__":
    main()
