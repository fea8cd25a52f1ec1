"""Pages of `pricelab app` for a browser to open; the requests and dialogs of each are noted."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab_session import HEIGHT_PX, ROOT, Predictor

START_SECONDS = 90
GALLERY = """
import nbformat
from pricelab.app import serve_page

cells = [
    "from fake_pricer import FakePricer\\nfrom pricelab import PricePredictor\\n"
    "predictor = PricePredictor(FakePricer())\\npredictor.ask('Cordless drill')\\npredictor",
    "from pricelab.widgets import DecisionGuide\\n"
    "DecisionGuide(task='text', base='own', compute='laptop', raw_text='little')",
    "from pricelab.widgets import BudgetExplorer\\nBudgetExplorer()",
]
page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
page.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                 "title": "Gallery", "pricelab": {"words": "All forms on one page."}}
serve_page(page, "gallery", port=0, browser=False)
"""


@contextmanager
def app(folder: Path, *arguments: str, cache: str | None = "") -> Iterator["App"]:
    """``pricelab app`` with these arguments on a free port, with an empty cache of its own; None takes the user's."""
    with _served(folder, "-m", "pricelab", "app", *arguments, "--port", "0", "--no-browser", cache=cache) as served:
        yield served


@contextmanager
def gallery(folder: Path) -> Iterator["App"]:
    """The three forms on one page, the predictor and the guide answered."""
    with _served(folder, "-c", GALLERY) as served:
        yield served


@contextmanager
def _served(folder: Path, *command: str, cache: str | None = "") -> Iterator["App"]:
    folder.mkdir(exist_ok=True)
    environment = {
        **os.environ, "PRICELAB_PROFILE": "smoke",
        **({} if cache is None else {"PRICELAB_CACHE": cache or str(folder / "cache")}),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]), "IPYTHONDIR": str(folder / "ipython"),
    }  # fmt: skip
    with open(folder / "app.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen([sys.executable, *command], env=environment, cwd=folder, stdout=log, stderr=log)
    served = App(process, folder / "app.log")
    try:
        served.wait()
        yield served
    finally:
        served.interrupt()


class App:
    """A served page."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process, self.log, self.address = process, log, ""

    @property
    def said(self) -> str:
        """What it wrote to the terminal."""
        return self.log.read_text(encoding="utf-8")

    def wait(self) -> None:
        """Wait until it says where it is; raises with what it said instead."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            if found := re.search(r"http://\S+", self.said):
                self.address = found[0]
                return
            time.sleep(0.2)
        raise RuntimeError(f"the page did not start within {START_SECONDS} s:\n{self.said}")

    def interrupt(self) -> int:
        """Press Ctrl-C; gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(60)  # the kernels end first, on a busy machine slowly
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def open(self, browser, query: str = "", width: int = 1280) -> "Page":
        """The page in a window of its own, when its forms are there."""
        page = Page(browser.new_context().new_page(), self.address, width)
        page.page.goto(f"{self.address}{query}", wait_until="commit")
        page.form.first.wait_for(timeout=120_000)
        return page


class Page(Predictor):
    """A page of `pricelab app`, used as the form in JupyterLab is."""

    def __init__(self, page, address: str, width: int) -> None:
        self.page, self.dialogs, self.outside = page, [], []
        page.set_viewport_size({"width": width, "height": HEIGHT_PX})
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self._note(request.url, address))

    def _note(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            self.outside.append(url)
