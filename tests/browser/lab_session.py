"""JupyterLab on a free port of this machine, with a notebook made on the fly, for a browser to open."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
START_SECONDS = 60
RUN_MS = 400_000  # until the cells of a notebook have run on a busy machine
HEIGHT_PX = 1200  # of the window: the whole form fits, also at phone width
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # cells out of sight are in the page as well
}


def missing() -> str:
    """Why no browser test can run here, in words; empty when one can."""
    try:
        import jupyterlab  # noqa: F401
        import playwright  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed; pip install 'pricelab[test]'"
    return "" if CHROMIUM.exists() else f"no browser at {CHROMIUM}; apt-get install chromium"


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook with these code cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """Serve ``folder / "notebooks"`` with JupyterLab; gives its address, ends the server afterwards."""
    for name in ("settings", "notebooks"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "settings" / "overrides.json").write_text(json.dumps(SETTINGS))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(folder / "server.log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(_command(folder, port), env=_environment(folder), stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/api/status", server, folder / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _command(folder: Path, port: int) -> list[str]:
    options = {
        "ip": "127.0.0.1",
        "IdentityProvider.token": "",
        "ServerApp.password": "",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder / "notebooks",
        "LabApp.app_settings_dir": folder / "settings",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *flags]


def _environment(folder: Path) -> dict[str, str]:
    """The kernel finds pricelab and the fake pricer; nothing of the user's Jupyter is read or written."""
    paths = [str(ROOT), str(Path(__file__).parent)]
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    return {**os.environ, **{name: str(folder / name.lower()) for name in names}, "PYTHONPATH": os.pathsep.join(paths)}


def _wait(url: str, server: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start within {START_SECONDS} s:\n{log.read_text(encoding='utf-8')[-2000:]}")


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM))
        yield browser
        browser.close()


@contextmanager
def workplace(folder: Path, browser) -> Iterator["Workplace"]:
    """JupyterLab in a browser, for as many notebooks as wanted."""
    with jupyterlab(folder) as address:
        yield Workplace(folder, address, browser.new_context())  # one context: JupyterLab is loaded once


class Workplace:
    """Opens notebooks in JupyterLab, each in a window and a workspace of its own."""

    def __init__(self, folder: Path, address: str, context) -> None:
        self.folder, self.address, self.context = folder, address, context

    def open(self, kind: type["Lab"], *cells: str, width: int = 1280) -> "Lab":
        """A notebook of these cells, run; ``kind`` is the form that it shows."""
        name = kind.__name__.lower()
        write_notebook(self.folder / "notebooks" / f"{name}.ipynb", *cells)
        return self.open_written(kind, name, width)

    def open_copy(self, kind: type["Lab"], path: Path, width: int = 1280) -> "Lab":
        """A copy of the notebook at ``path``, run."""
        shutil.copy(path, self.folder / "notebooks")
        return self.open_written(kind, path.stem, width)

    def open_written(self, kind: type["Lab"], name: str, width: int) -> "Lab":
        """The notebook of that name, which lies in JupyterLab's folder, run."""
        page = self.context.new_page()
        page.set_viewport_size({"width": width, "height": HEIGHT_PX})
        lab = kind(page, f"{self.address}/lab/workspaces/{name}/tree/{name}.ipynb?reset")
        lab.run_all()
        return lab


class Lab:
    """A browser page on a notebook in JupyterLab with one form in it, by what a person does with it."""

    def __init__(self, page, address: str) -> None:
        self.page, self.dialogs = page, []
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(address)
        # before the kernel is there the notebook calls itself idle too, and "Run All" would be lost
        page.locator("#jp-main-statusbar").get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
        page.locator(".jp-CodeCell").first.wait_for(timeout=30_000)
        page.keyboard.press("Control+b")  # hides the side bar, which leaves a phone no room

    def run_all(self) -> None:
        """Run every cell and wait for the form; a cell that fails raises with what it printed."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click(no_wait_after=True)
        failure = self.page.locator(".jp-OutputArea-output[data-mime-type*=stderr]")
        self.form.or_(failure).first.wait_for(timeout=RUN_MS)
        if failure.count():
            raise RuntimeError(f"the notebook failed:\n{failure.first.inner_text()}")

    @property
    def form(self):
        return self.page.locator(".pricelab")

    @property
    def result(self):
        return self.form.locator(".pricelab-out")

    def resize(self, width: int, height: int = HEIGHT_PX) -> None:
        self.page.bring_to_front()  # a page behind another is neither laid out anew nor given keys
        size = {"width": width, "height": height}
        if self.page.viewport_size != size:
            self.page.set_viewport_size(size)
            self.page.wait_for_timeout(400)  # JupyterLab lays its panels out anew

    def fits(self) -> bool:
        """Whether nothing in the form has to be scrolled sideways."""
        return self.form.evaluate(
            "form => [form, ...form.querySelectorAll('.pricelab-out, .pricelab-out *')]"
            ".every(part => part.scrollWidth <= part.clientWidth || !part.clientWidth)"
        )


class Tables(Lab):
    """Tables as cells print them, and a formula."""

    @property
    def form(self):
        return self.page.locator(".jp-OutputArea table")

    @property
    def formulas(self):
        return self.page.locator(".jp-OutputArea mjx-container")


class Predictor(Lab):
    """The price predictor."""

    @property
    def box(self):
        return self.form.get_by_label("Product description")

    @property
    def button(self):
        return self.form.get_by_role("button", name="Estimate price")

    def ask(self, text: str, shows: str) -> None:
        """Put in a description, press the button and wait until the form shows some words about it, and all answers.

        An answer must repeat the text: the last one may show the same words until the new one comes.
        """
        self.box.fill(text)
        self.button.click()
        echo = self.page.locator(".pricelab-echo").filter(has_text=f"“{as_shown(text.strip())[:100]}")
        about = self.result.filter(has=echo).or_(self.form.locator(".pricelab-out[role=alert]"))
        about.filter(has_text=shows, has_not_text="Estimating…").wait_for(timeout=30_000)


def as_shown(text: str) -> str:
    """What the page shows of a text: control characters as their visible signs."""
    return "".join(chr(0x2400 + ord(c)) if ord(c) < 32 and c not in "\t\n" else c for c in text)


class Guide(Lab):
    """The decision guide."""

    def choose(self, **answers: str) -> None:
        """Answer questions: question id → option id, as a person does by their words."""
        from pricelab.decision.checklist import BY_ID

        for question, option in answers.items():
            self.form.get_by_label(BY_ID[question].text).select_option(BY_ID[question].option(option).label)

    def shows(self, words: str, answered: int | str = "") -> str:
        """Wait until the headline shows some words, after so many answers; gives the whole advice."""
        headline = self.page.get_by_role("status").filter(has_text=words)
        self.result.filter(has=headline).filter(has_text=f"{answered} of 10").wait_for(timeout=10_000)
        return self.result.inner_text()

    def reset(self) -> None:
        """Take all answers back."""
        self.form.get_by_role("button", name="Start again").click()
        self.shows("Still needed: What must come out?")


class Budget(Lab):
    """The budget explorer."""

    def knob(self, label: str):
        """The field, list or box of that label."""
        return self.form.get_by_label(label, exact=True)

    def choose(self, **options: str) -> None:
        """Choose from lists: label → option."""
        for label, option in options.items():
            self.knob(label).select_option(option, timeout=5_000)

    def enter(self, label: str, value: str) -> None:
        """Type into a field, and leave it."""
        self.knob(label).fill(value)
        self.page.keyboard.press("Tab")

    def shows(self, words: str) -> str:
        """Wait until the answer shows some words; gives the whole of it."""
        answer = self.result.filter(has_text=words).first
        answer.wait_for(timeout=20_000)
        return answer.inner_text()
