"""From a click in the price predictor to its answer on the screen: `python -m benchmarks.widget_latency`.

The shipped predictor on SmolLM2 in JupyterLab, warm. A real browser presses the button, and the page itself takes the
time, from the click to the frame that shows the price, and to the one that shows the untuned base's beside it. Results
go to ``data/results/widget-latency.json`` with the machine and its load, and into ``docs/widgets.md``.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, ROOT, can_run, renewed
from pricelab.files import write_json_atomic, write_text_atomic
from pricelab.normalise import this_machine

sys.path.insert(0, str(ROOT / "tests" / "browser"))

PATH = RESULTS / "widget-latency.json"
PAGE = ROOT / "docs" / "widgets.md"
BASE = "smollm2-135m"
CLICKS, WARM_UP = 60, 5
TARGET_MS = 1000
CELLS = (
    "from pricelab import PricePredictor, need\npricer = need('small adapter')",
    "PricePredictor(pricer)",
)
# The clock starts with the click's own time stamp and stops in the frame after the answers to this text stood there.
CLOCK = """() => {
  window.taken = {price: [], both: []};
  const form = document.querySelector('.pricelab');
  let start = {};
  form.addEventListener('click', event => {
    if (event.target.closest('.pricelab-ask')) start = {price: event.timeStamp, both: event.timeStamp};
  }, true);
  const note = what => {
    if (!(what in start)) return;
    const begin = start[what];
    delete start[what];
    requestAnimationFrame(() => setTimeout(() => window.taken[what].push(performance.now() - begin)));
  };
  new MutationObserver(() => {
    const echo = form.querySelector('.pricelab-echo'), asked = form.querySelector('textarea').value.trim().slice(0, 30);
    if (!echo || !echo.textContent.includes(asked)) return;
    const shown = form.querySelector('.pricelab-out').textContent;
    if (!shown.includes('80 % likely')) return;
    note('price');
    if (!shown.includes('Estimating…')) note('both');
  }).observe(form, {childList: true, subtree: true, characterData: true});
}"""


def measure() -> dict[str, Any]:
    """Press the button for `CLICKS` descriptions after a few to warm up."""
    from lab_session import Predictor, chromium, workplace

    from pricelab.catalog import load_catalog

    os.environ["PRICELAB_PROFILE"] = "laptop"
    texts = [item.text for item in load_catalog("workshop")["test"][: WARM_UP + CLICKS]]
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, workplace(Path(folder), browser) as work:
        form = work.open(Predictor, *CELLS)
        form.page.evaluate(CLOCK)
        load = os.getloadavg()[0]
        for number, text in enumerate(texts, start=1):
            form.box.fill(text)
            form.button.click()
            form.page.wait_for_function(f"window.taken.both.length === {number}", timeout=120_000)
        taken = form.page.evaluate("window.taken")
    return {
        "command": "python -m benchmarks.widget_latency",
        "machine": this_machine(),
        "base": BASE,
        "clicks": CLICKS,
        "load_before": round(load, 1),
        "price_ms": percentiles(taken["price"][WARM_UP:]),
        "both_ms": percentiles(taken["both"][WARM_UP:]),
    }


def main(arguments: list[str]) -> None:
    """Measure, where there is a browser, unless told ``--docs``; then rewrite the page."""
    what = "the wait in the price predictor"
    if "--docs" not in arguments and can_run(what, BASE, packages=("jupyterlab", "playwright")):
        from lab_session import missing

        if why := missing():
            print(f"skipped {what}: {why}", flush=True)
        else:
            found = measure()
            print(json.dumps(found, indent=2))
            write_json_atomic(PATH, found)
    write_text_atomic(PAGE, page())


def percentiles(milliseconds: list[float]) -> dict[str, int]:
    """Median, 95th percentile and the largest, in whole milliseconds."""
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return {"p50": round(p50), "p95": round(p95), "max": round(max(milliseconds))}


def latency_words(facts: dict[str, Any]) -> str:
    """What was measured, for the page."""
    price, both = facts["price_ms"], facts["both_ms"]
    reached = "within" if price["p95"] < TARGET_MS else "beyond"
    cores = int(facts["machine"].split()[0])
    busy = (
        f" The machine's load was {facts['load_before']} on {cores} cores as it began: other work ran beside it."
        if facts["load_before"] > cores
        else ""
    )
    return "\n".join(
        [
            "| | p50 ms | p95 ms | longest ms |",
            "|---|---|---|---|",
            f"| from the click to the price | {price['p50']:,} | {price['p95']:,} | {price['max']:,} |",
            f"| to the untuned base's beside it | {both['p50']:,} | {both['p95']:,} | {both['max']:,} |",
            "",
            f"{facts['base']}, {facts['clicks']} clicks, warm; the price's 95th percentile is {reached} the target of "
            f"a second.{busy} Machine: {facts['machine']}. Written by `{facts['command']}`.",
        ]
    )


SECTIONS = {"latency": (PATH.name, latency_words)}


def page() -> str:
    """``docs/widgets.md`` with what was measured."""
    return renewed(PAGE, SECTIONS)


if __name__ == "__main__":
    main(sys.argv[1:])
