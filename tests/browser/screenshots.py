"""Rewrite the pictures in docs/images from the browser: ``python tests/browser/screenshots.py``.

The price predictor is photographed with the shipped adapter, so that the picture shows what a reader will get, and the
report from a run of three notebooks in the smoke profile. ``--fake`` takes the tests' fake pricer instead, ``--only``
some of the pictures, ``--out`` another folder; ``--references`` rewrites what the tests compare theirs with.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import voila_session
from lab_session import ROOT, Budget, Guide, Lab, Predictor, chromium, missing, workplace
from PIL import Image  # comes with matplotlib

SHIPPED = "from pricelab import PricePredictor, need\npricer = need('small adapter')"
FAKE = "from fake_pricer import FakePricer\nfrom pricelab import PricePredictor\npricer = FakePricer()"
EXAMPLE = "Cordless drill driver kit"
REPORTED = ("00", "03", "07")  # notebooks of the photographed run
DESKTOP_PX, PHONE_PX, TALL_PX = 1100, 400, 3000
REPORT_PX = 1500  # of the report's height that a picture shows
COLOURS = 64  # a picture also stands in a committed notebook
REFERENCES = Path(__file__).parent / "references"
SAME_FONT = ".pricelab * { font-family: 'DejaVu Sans', Verdana, sans-serif !important; }"  # on every machine, if it can


@dataclass
class Studio:
    """Where pictures are taken."""

    browser: Any
    work: Any  # Workplace
    folder: Path  # for whatever is written on the way
    fake: bool


def predictor(studio: Studio) -> Predictor:
    """The price predictor with the answer to an example."""
    form = studio.work.open(Predictor, FAKE if studio.fake else SHIPPED, "PricePredictor(pricer)")
    answered(form)
    return form


def answered(form: Predictor) -> None:
    """Ask about the example, and wait for the answer."""
    form.form.get_by_role("button", name=EXAMPLE).click()
    form.result.filter(has_text="80 % likely", has_not_text="Estimating…").wait_for(timeout=120_000)


def guide(studio: Studio) -> Guide:
    """The decision guide for a shop whose ridge falls short."""
    form = studio.work.open(Guide, "from pricelab.widgets import DecisionGuide", "DecisionGuide()")
    answer_guide(form)
    return form


def answer_guide(form: Guide) -> None:
    """The answers of that shop."""
    form.choose(
        task="number", examples="thousands", simple="weak", base="fits", works="mostly", missing="behaviour",
        format="exact", limits="none", compute="gpu", raw_text="little",
    )  # fmt: skip
    form.shows("Advice:", answered=10)


def budget(studio: Studio) -> Budget:
    """The budget explorer as it opens."""
    form = studio.work.open(Budget, "from pricelab.widgets import BudgetExplorer", "BudgetExplorer()")
    form.shows("Fits")
    return form


FORMS: dict[str, Callable[[Studio], Lab]] = {
    "price-predictor": predictor,
    "decision-guide": guide,
    "budget-explorer": budget,
}


def photograph(form, path: Path, width: int) -> Path:
    """One picture of the form in a window of that width, and tall enough to hold it; in few colours, to stay small."""
    form.page.mouse.click(5, 5)  # away from the buttons
    form.resize(width, TALL_PX)
    form.form.first.screenshot(path=path)
    return smaller(path)


def smaller(path: Path) -> Path:
    """The picture at ``path`` in few colours."""
    Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def photograph_app(studio: Studio, out: Path) -> None:
    """`pricelab app` with the shipped predictor, the whole page."""
    adapter = ROOT / "data" / "adapters" / ("tiny" if studio.fake else "smollm2-135m")
    with voila_session.app(studio.folder / "app", str(adapter), cache=os.environ.get("PRICELAB_CACHE")) as app:
        page = app.open(studio.browser, width=DESKTOP_PX)
        answered(page)
        for width, name in ((DESKTOP_PX, "app.png"), (PHONE_PX, "app-phone.png")):
            page.page.mouse.click(5, 5)
            page.resize(width, 700)
            page.page.screenshot(path=out / name, full_page=True)
            print(smaller(out / name))


def photograph_report(studio: Studio, out: Path) -> None:
    """The top of the report of a run in the smoke profile."""
    cache = {"PRICELAB_CACHE": str(studio.folder / "cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pricelab", "run", *REPORTED, "--profile", "smoke", "--out", studio.folder]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **cache}, check=True, stdout=subprocess.DEVNULL)
    page = studio.browser.new_page()
    page.goto((studio.folder / "report.html").as_uri())
    for width, name in ((DESKTOP_PX, "run-report.png"), (PHONE_PX, "run-report-phone.png")):
        page.set_viewport_size({"width": width, "height": REPORT_PX})
        page.screenshot(path=out / name)
        print(smaller(out / name))


PAGES = {"app": photograph_app, "run-report": photograph_report}


def main() -> None:
    """Open each form, fill it in, photograph it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--fake", action="store_true", help="photograph the tests' fake pricer")
    options.add_argument("--only", nargs="*", choices=[*FORMS, *PAGES], default=[*FORMS, *PAGES], help="pictures")
    options.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder for the pictures")
    options.add_argument("--references", action="store_true", help="write the tests' references instead")
    given = options.parse_args()
    if why := missing():
        raise SystemExit(why)
    out = REFERENCES if given.references else given.out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        with workplace(Path(place), browser) as work:
            studio = Studio(browser, work, Path(place), given.fake or given.references)
            for name in FORMS:
                if name in given.only:
                    form = FORMS[name](studio)
                    if given.references:
                        form.page.add_style_tag(content=SAME_FONT)
                    print(photograph(form, out / f"{name}.png", DESKTOP_PX))
                    print(photograph(form, out / f"{name}-phone.png", PHONE_PX))
        for name in () if given.references else PAGES:
            if name in given.only:
                PAGES[name](studio, out)


if __name__ == "__main__":
    main()
