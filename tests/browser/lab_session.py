"""JupyterLab on a free port of this machine, with a notebook made on the fly, for a browser to open."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
START_SECONDS = 60
HEIGHT_PX = 1200  # of the window: the whole form fits, also at phone width
NEWS_OFF = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


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
    (folder / "settings" / "overrides.json").write_text(json.dumps(NEWS_OFF))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(folder / "server.log", "w") as log:
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
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    return {**os.environ, **own, "PYTHONPATH": os.pathsep.join(paths)}


def _wait(url: str, server: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start within {START_SECONDS} s:\n{log.read_text()[-2000:]}")


@contextmanager
def open_notebook(folder: Path, *cells: str, width: int = 1280) -> Iterator["Lab"]:
    """A notebook of these cells, run in JupyterLab in a headless browser window."""
    from playwright.sync_api import sync_playwright

    write_notebook(folder / "notebooks" / "predictor.ipynb", *cells)
    with jupyterlab(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM))
        lab = Lab(browser.new_page(viewport={"width": width, "height": HEIGHT_PX}), address, "predictor.ipynb")
        lab.run_all()
        yield lab
        browser.close()


class Lab:
    """A browser page on a notebook in JupyterLab, by what a person does with it."""

    def __init__(self, page, address: str, notebook: str) -> None:
        self.page, self.dialogs = page, []
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(f"{address}/lab/tree/{notebook}?reset")
        # before the kernel is there the notebook calls itself idle too, and "Run All" would be lost
        page.locator("#jp-main-statusbar").get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
        page.locator(".jp-CodeCell").first.wait_for(timeout=30_000)
        page.keyboard.press("Control+b")  # hides the side bar, which leaves a phone no room

    def run_all(self) -> None:
        """Run every cell and wait for the form; a cell that fails raises with what it printed."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click(no_wait_after=True)
        failure = self.page.locator(".jp-OutputArea-output[data-mime-type*=stderr]")
        self.box.or_(failure).first.wait_for(timeout=120_000)
        if failure.count():
            raise RuntimeError(f"the notebook failed:\n{failure.first.inner_text()}")

    @property
    def form(self):
        return self.page.locator(".pricelab")

    @property
    def box(self):
        return self.form.get_by_label("Product description")

    @property
    def button(self):
        return self.form.get_by_role("button", name="Estimate price")

    @property
    def result(self):
        return self.form.locator(".pricelab-out")

    def ask(self, text: str, shows: str) -> None:
        """Put in a description, press the button and wait until the form shows some words."""
        self.box.fill(text)
        self.button.click()
        self.result.filter(has_text=shows).wait_for(timeout=30_000)

    def resize(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": HEIGHT_PX})
        self.page.wait_for_timeout(400)  # JupyterLab lays its panels out anew
