"""From a click in the price predictor to its answer on the screen: `python -m benchmarks.widget_latency`.

The shipped predictor on SmolLM2 in JupyterLab, warm, its untuned base beside it as the form shows it. A real browser
presses the button, and the page itself takes the time, from the click to the frame that shows the answer. Afterwards
the same descriptions are priced in a kernel without a form: what is left is the form's share. Results go to
``data/results/widget-latency.json`` with the machine and its load, and into ``docs/widgets.md``.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, ROOT, renewed
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
ALONE = """
import json, time
taken = []
for text in {texts!r}:
    start = time.perf_counter()
    pricer.estimate(text), pricer.untuned.estimate(text)
    taken.append(1000 * (time.perf_counter() - start))
print("taken:" + json.dumps(taken))
"""
# The clock starts with the click's own time stamp and stops in the frame after the answer to this text stood there.
CLOCK = """() => {
  window.taken = [];
  const form = document.querySelector('.pricelab');
  let start = null;
  form.addEventListener('click', event => {
    if (event.target.closest('.pricelab-ask')) start = event.timeStamp;
  }, true);
  new MutationObserver(() => {
    const echo = form.querySelector('.pricelab-echo');
    const asked = form.querySelector('textarea').value.trim().slice(0, 30);
    if (start === null || !echo || !echo.textContent.includes(asked)) return;
    if (!form.querySelector('.pricelab-out').textContent.includes('80 % likely')) return;
    const begin = start;
    start = null;
    requestAnimationFrame(() => setTimeout(() => window.taken.push(performance.now() - begin)));
  }).observe(form, {childList: true, subtree: true, characterData: true});
}"""


def measure() -> dict[str, Any]:
    """Press the button for `CLICKS` descriptions after a few to warm up."""
    from lab_session import Predictor, chromium, missing, workplace

    from pricelab.catalog import load_catalog

    if why := missing():
        raise SystemExit(why)
    os.environ["PRICELAB_PROFILE"] = "laptop"
    texts = [item.text for item in load_catalog("workshop")["test"][: WARM_UP + CLICKS]]
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, workplace(Path(folder), browser) as work:
        form = work.open(Predictor, *CELLS)
        form.page.evaluate(CLOCK)
        load = os.getloadavg()[0]
        for number, text in enumerate(texts, start=1):
            form.box.fill(text)
            form.button.click()
            form.page.wait_for_function(f"window.taken.length === {number}", timeout=120_000)
        clicks = form.page.evaluate("window.taken")[WARM_UP:]
        alone = _alone(work, texts)[WARM_UP:]
    return {
        "command": "python -m benchmarks.widget_latency",
        "machine": this_machine(),
        "base": BASE,
        "clicks": len(clicks),
        "load_before": round(load, 1),
        "click_ms": percentiles(clicks),
        "model_ms": percentiles(alone),
    }


def _alone(work: Any, texts: list[str]) -> list[float]:
    """Milliseconds that the same estimates take in another kernel, without a form."""
    from lab_session import Lab

    class Printed(Lab):
        """A cell that prints."""

        @property
        def form(self) -> Any:
            return self.page.locator(".jp-OutputArea-output").filter(has_text="taken:")

    printed = work.open(Printed, CELLS[0], ALONE.format(texts=texts)).form.inner_text()
    return json.loads(printed.partition("taken:")[2])


def percentiles(milliseconds: list[float]) -> dict[str, int]:
    """Median, 95th percentile and the largest, in whole milliseconds."""
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return {"p50": round(p50), "p95": round(p95), "max": round(max(milliseconds))}


def latency_words(facts: dict[str, Any]) -> str:
    """What was measured, for the page."""
    click, model = facts["click_ms"], facts["model_ms"]
    reached = "within" if click["p95"] < TARGET_MS else "beyond"
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
            f"| from the click to the answer | {click['p50']:,} | {click['p95']:,} | {click['max']:,} |",
            f"| the two estimates alone | {model['p50']:,} | {model['p95']:,} | {model['max']:,} |",
            "",
            f"{facts['base']}, {facts['clicks']} clicks, warm; the 95th percentile is {reached} the target of a second."
            f"{busy} Machine: {facts['machine']}. Written by `{facts['command']}`.",
        ]
    )


SECTIONS = {"latency": (PATH.name, latency_words)}


def page() -> str:
    """``docs/widgets.md`` with what was measured."""
    return renewed(PAGE, SECTIONS)


if __name__ == "__main__":
    if "--docs" not in sys.argv:
        found = measure()
        print(json.dumps(found, indent=2))
        write_json_atomic(PATH, found)
    write_text_atomic(PAGE, page())
