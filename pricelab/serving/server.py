"""Running the application: in the foreground for `pricelab serve`, in a thread for notebooks and tests.

It listens on the loopback address unless told otherwise. A signal ends it gracefully: nothing new is taken, what was
accepted is answered. Introduced in notebook 11.
"""

import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from pricelab import heap
from pricelab.serving.app import create_app
from pricelab.serving.settings import LOOPBACK, Limits
from pricelab.serving.starting import Started, start

PORT = 8000
TRIM_EVERY_S = 10.0  # seconds; a look takes milliseconds
START_TIMEOUT_S = 600.0  # for which `running` waits until the predictor is ready


def serve(
    folder: str | Path, *, host: str = LOOPBACK[0], port: int = PORT, device: str | None = None,
    limits: Limits | None = None, token: str | None = None, log_texts: bool = False,
) -> None:  # fmt: skip
    """Serve the predictor in ``folder`` until a signal comes.

    Args:
        folder: what `finetune` left.
        host: address to listen on.
        port: and its port; 0 takes a free one.
        device: ``"cpu"`` or ``"cuda"``; by default the GPU when there is one.
        limits: sizes and times; by default `Limits()`.
        token: what callers must send; None asks for none.
        log_texts: write product texts to the log as well.

    Raises:
        ValueError: the address can't be listened on, no client could send the token, or the folder can't be served; see
            `starting.start`.
        ConnectionError: the base has to be downloaded and could not be.
        RuntimeError: the queue before the model broke down.
    """
    heap.keep_few_kernels()
    limits = limits or Limits()
    listening = _listen(host, port)
    _log_to_stderr()
    app = create_app(
        lambda: start(folder, device, batch=limits.max_batch), limits=limits, token=token, log_texts=log_texts
    )
    server = _server(app, limits)
    service = app.state.service
    service.on_ready = _tell
    service.on_failure = lambda: setattr(server, "should_exit", True)
    print(f"listening on {_url(listening)}, documented at {_url(listening)}/docs; loading …", file=sys.stderr)
    if token is None and host not in LOOPBACK:
        print(
            "warning: anybody who reaches this address may ask; set PRICELAB_TOKEN to ask for a token", file=sys.stderr
        )
    with heap.trimmed(TRIM_EVERY_S):
        server.run(sockets=[listening])
    if service.failure:
        raise service.failure


class running:
    """A server in a thread of this process: ``with running(pricer) as server: … server.url``, or `stop` it by hand.

    Args:
        pricer: as for `create_app`; a function is waited for.
        settings: ``limits``, ``token`` and ``log_texts``, as for `create_app`.

    Raises:
        RuntimeError: the server did not start.
    """

    def __init__(self, pricer: Any, **settings: Any) -> None:
        listening = _listen(LOOPBACK[0], 0)
        self.url = _url(listening)
        self.app = create_app(pricer, **settings)
        self._server = _server(self.app, settings.get("limits") or Limits())
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()
        service, end = self.app.state.service, time.monotonic() + START_TIMEOUT_S
        while service.status == "loading" and time.monotonic() < end:
            time.sleep(0.01)
        while service.status == "ready" and not self._server.started and self._thread.is_alive():
            time.sleep(0.01)
        if service.status != "ready":
            self.stop()
            raise RuntimeError(
                f"the server did not start: {service.failure or 'it took too long'}"
            ) from service.failure

    @property
    def batch_sizes(self) -> dict[int, int]:
        """How many batches of each size the model has run."""
        return dict(sorted(self.app.state.service.batcher.sizes.items()))

    def stop(self) -> None:
        """Answer what was accepted, then end; nothing happens the second time."""
        self._server.should_exit = True
        self._thread.join()

    def __enter__(self) -> "running":
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()


class _Server(uvicorn.Server):
    """uvicorn's server, which takes nothing new from the signal on; one that ended it in good order is no error."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        service = self.config.app.state.service  # type: ignore[union-attr]
        if service.status == "loading":  # nothing was accepted yet, and a thread that loads can't be stopped
            os._exit(0)
        service.drain()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Only afterwards does uvicorn tell the application.
        self.config.app.state.service.drain()  # type: ignore[union-attr]
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signal again when everything was answered: Ctrl-C would end in a traceback.
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def _server(app: Any, limits: Limits) -> uvicorn.Server:
    grace = max(1, round(limits.drain_timeout_s))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=grace, lifespan="on"
    )
    return _Server(config)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off; else each small answer waits 40 ms for an ACK.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ValueError(f"can't listen on {host}, port {port}: {error.strerror or error}; choose another") from error
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _tell(started: Started) -> None:
    parts = ", ".join(f"{part} {taken:.1f}" for part, taken in started.seconds.items())
    print(f"ready after {started.total:.1f} s ({parts}): {started.pricer.name}", file=sys.stderr)


def _log_to_stderr() -> None:
    log = logging.getLogger("pricelab.serving")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
    log.setLevel(logging.INFO)
