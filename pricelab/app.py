"""The price predictor as a web page, for an audience that sees no code: `pricelab app`, through Voilà.

Each open page has a process of its own that holds the model, and ends when the page is closed; what it shows is left
to `app_page`, many callers are `serving`'s. It listens on the loopback address unless told otherwise, and the page
loads nothing from another machine. Needs the extra ``app``; `docs/widgets.md` shows it.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
PORT = 8866
TEMPLATES = Path(__file__).parent / "app_templates"
EXTENSIONS = (  # of JupyterLab, that the page loads: those that show core widgets, whatever else is installed
    "@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager7", "@voila-dashboards/widgets-manager8",
)  # fmt: skip
PING_MS = 30_000  # as often as Jupyter's server pings: its own default is longer, and tornado says so to the terminal
END_S = 20  # that the pages' processes have to end in
IDLE_S = 1800  # after which the process of a page that nobody uses any more ends


def serve_app(folder: Path, *, host: str = LOOPBACK, port: int = PORT, browser: bool = True) -> None:
    """Show the predictor in ``folder`` as a page until Ctrl-C or another signal.

    Args:
        folder: what `finetune` left; it is verified, and its base fetched, before anything is served.
        host: address to listen on.
        port: and its port; 0 takes a free one.
        browser: open the page in this machine's browser.

    Raises:
        ValueError: Voilà is missing, the port is taken, or ``folder`` is no whole run.
        ConnectionError: the base has to be downloaded and could not be.
    """
    from pricelab.app_page import notebook

    _voila()
    port = free_port(host, port)
    name = _verified(folder)
    serve_page(notebook(folder.resolve(), name), name, host=host, port=port, browser=browser)


def serve_page(page: Any, name: str, *, host: str = LOOPBACK, port: int = PORT, browser: bool = True) -> None:
    """Show the notebook ``page``, which goes by ``name``, without its code; the rest is as for `serve_app`."""
    import nbformat

    server_of, port = _voila(), free_port(host, port)
    with tempfile.TemporaryDirectory(prefix="pricelab-app-") as place, _own_templates():
        path = Path(place) / "page.ipynb"
        nbformat.write(page, path)
        server = server_of(config=_settings(path, host, port, browser))
        server.initialize([])
        print(f"{name} is at {url(host, port)}\nEach open page loads the model once more. Ctrl-C ends it.", flush=True)
        if host not in (LOOPBACK, "localhost", "::1"):
            print("warning: anybody who reaches this address may use the page", file=sys.stderr)
        server.start()


def url(host: str, port: int) -> str:
    """The page's address, as a browser on this machine takes it."""
    shown = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def free_port(host: str, port: int) -> int:
    """``port`` if it can be listened on, a free one for 0; `ValueError` says what is wrong with it."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that has just ended is no hindrance
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ValueError(
                f"can't listen on {host}, port {port}: {error.strerror or error}; choose another with --port, "
                "0 takes a free one"
            ) from error
        return probe.getsockname()[1]


def _voila() -> type[Any]:
    try:
        from voila.app import Voila
    except ImportError as error:
        raise ValueError(f'{error.name} is missing; install it with: pip install "pricelab[app]"') from error

    class Page(Voila):
        """Voilà that reads no settings of this machine's user, and says only what its caller doesn't."""

        def load_config_file(self, *_: Any, **__: Any) -> None:
            pass

        def start(self) -> None:
            # An exception in the middle of whatever runs could lose the end of a kernel, and the app would wait for it.
            orderly: Any = signal.getsignal(signal.SIGTERM)

            def interrupted(number: int, frame: Any) -> None:
                signal.signal(signal.SIGINT, signal.default_int_handler)  # a second one ends it at once
                orderly(number, frame)

            signal.signal(signal.SIGINT, interrupted)
            super().start()

        def stop(self) -> None:
            shutil.rmtree(self.connection_dir, ignore_errors=True)
            self.ioloop.run_sync(self._end_kernels)

        async def _end_kernels(self) -> None:
            """End the pages' processes; one that is still there after `END_S` ends by itself, as its parent is gone."""
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.kernel_manager.shutdown_all(), END_S)

    return Page


def _verified(folder: Path) -> str:
    """The predictor's name; raises in the terminal what would else be seen by the audience."""
    from pricelab.artifacts import checked
    from pricelab.base_files import place_of

    manifest = checked(folder)
    if manifest.method != "full":
        place_of(manifest.base["name"])  # a base is downloaded now, not when the first visitor comes
    return f"{manifest.base['name']}, {manifest.method}"


def _settings(path: Path, host: str, port: int, browser: bool) -> Any:
    from traitlets.config import Config

    from pricelab.kernels import this_python

    settings = Config()
    settings.Voila = Config(
        notebook_path=str(path), ip=host, port=port, port_retries=0, open_browser=browser, log_level="ERROR",
        config_file_paths=[], tornado_settings={"ws_ping_timeout": PING_MS},
    )  # fmt: skip
    settings.VoilaConfiguration = Config(
        template="pricelab", allow_template_override="NO", kernel_spec_manager_class=this_python(),
        file_allowlist=[], extension_allowlist=list(EXTENSIONS),
    )  # fmt: skip
    settings.MappingKernelManager = Config(cull_idle_timeout=IDLE_S, cull_interval=60)
    return settings


@contextlib.contextmanager
def _own_templates() -> Iterator[None]:
    """Let Jupyter find our template beside the others."""
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = os.pathsep.join([str(TEMPLATES), *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ["JUPYTER_PATH"]
        else:
            os.environ["JUPYTER_PATH"] = before
