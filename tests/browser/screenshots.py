"""Rewrite the pictures in docs/images from the browser: ``python tests/browser/screenshots.py``.

The price predictor is photographed with the shipped adapter, so that the picture shows what a reader will get;
``--fake`` takes the tests' fake pricer instead, ``--only`` some of the forms, ``--out`` another folder.
"""

import argparse
import tempfile
from pathlib import Path

from lab_session import ROOT, Budget, Guide, Predictor, chromium, missing, workplace
from PIL import Image  # comes with matplotlib

SHIPPED = "from pricelab import PricePredictor, need\npricer = need('small adapter')"
FAKE = "from fake_pricer import FakePricer\nfrom pricelab import PricePredictor\npricer = FakePricer()"
EXAMPLE = "Cordless drill driver kit"
DESKTOP_PX, PHONE_PX, TALL_PX = 1100, 400, 3000
COLOURS = 64  # a picture also stands in a committed notebook


def predictor(work, fake: bool) -> Predictor:
    """The price predictor with the answer to an example."""
    form = work.open(Predictor, FAKE if fake else SHIPPED, "PricePredictor(pricer)")
    form.form.get_by_role("button", name=EXAMPLE).click()
    form.result.filter(has_text="80 % likely").wait_for(timeout=120_000)
    return form


def guide(work, fake: bool) -> Guide:
    """The decision guide for a shop whose ridge falls short."""
    form = work.open(Guide, "from pricelab.widgets import DecisionGuide", "DecisionGuide()")
    form.choose(
        task="number", examples="thousands", simple="weak", base="fits", works="mostly", missing="behaviour",
        format="exact", limits="none", compute="gpu", raw_text="little",
    )  # fmt: skip
    form.shows("Advice:", answered=10)
    return form


def budget(work, fake: bool) -> Budget:
    """The budget explorer as it opens, with the formulas unfolded."""
    form = work.open(Budget, "from pricelab.widgets import BudgetExplorer", "BudgetExplorer()")
    form.shows("Fits")
    return form


FORMS = {"price-predictor": predictor, "decision-guide": guide, "budget-explorer": budget}
PHONE_TOO = "price-predictor"  # the picture that docs/images shows at phone width as well


def main() -> None:
    """Run each form in JupyterLab, fill it in, photograph it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--fake", action="store_true", help="photograph the tests' fake pricer")
    options.add_argument("--only", nargs="*", choices=FORMS, default=list(FORMS), help="forms to photograph")
    options.add_argument("--phone", action="store_true", help="photograph every form at phone width too")
    options.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder for the pictures")
    given = options.parse_args()
    if why := missing():
        raise SystemExit(why)
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, workplace(Path(folder), browser) as work:
        for name in given.only:
            form = FORMS[name](work, given.fake)
            photograph(form, given.out / f"{name}.png", DESKTOP_PX)
            if given.phone or name == PHONE_TOO:
                photograph(form, given.out / f"{name}-phone.png", PHONE_PX)


def photograph(form, path: Path, width: int) -> None:
    """One picture of the form in a window of that width, and tall enough to hold it; in few colours, to stay small."""
    form.page.mouse.click(5, 5)  # away from the buttons
    form.resize(width, TALL_PX)
    form.form.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
