"""What a server's process holds over 20,000 requests: `python -m benchmarks.serving_memory` (6 minutes).

`pricelab serve` runs in a process of its own, with one thread for the model, and is asked by 30 clients, each text
once, so that batches of every size and length come. Every 2,000 requests, when it has given back what it freed, its
resident memory is noted, to ``data/results/serving-memory.json`` and from there into ``docs/serving.md``.
"""

import contextlib
import itertools
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.results import RESULTS, ROOT, can_run
from pricelab.files import write_json_atomic, write_text_atomic
from pricelab.serving.load import ask_at_once
from pricelab.serving.server import TRIM_EVERY_S

FILE = "serving-memory.json"
ADAPTER, CLIENTS, REQUESTS, STEP = "tiny", 30, 20_000, 2_000
START_SECONDS = 120


@contextlib.contextmanager
def serving(adapter: str) -> Iterator[tuple[str, int]]:
    """A shipped predictor served by the command: its address and the number of its process."""
    command = [sys.executable, "-m", "pricelab", "serve", str(ROOT / "data" / "adapters" / adapter), "--port", "0"]
    with tempfile.TemporaryDirectory() as place:
        log = Path(place) / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stderr=out, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
        try:
            end, url = time.monotonic() + START_SECONDS, ""
            while not (url and _ready(url)):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the server of {adapter} did not start: {log.read_text(encoding='utf-8')}")
                time.sleep(0.1)
                if found := re.search(r"http://\S+(?=,)", log.read_text(encoding="utf-8")):
                    url = found[0]
            yield url, process.pid
        finally:
            process.terminate()
            process.wait()


def _ready(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/readyz").status_code == 200
    return False


def resident(pid: int) -> int:
    """Bytes that a process holds, once the server has given back what it freed."""
    import psutil

    time.sleep(TRIM_EVERY_S + 1)
    return psutil.Process(pid).memory_info().rss


def memory(adapter: str = ADAPTER, requests: int = REQUESTS, step: int = STEP) -> dict[int, int]:
    """Requests answered → bytes that the server's process holds then.

    Raises:
        RuntimeError: a request was not answered with 200.
    """
    from pricelab import load_catalog

    items = itertools.cycle(load_catalog("workshop")["train"])
    texts = [f"{item.text} {number}" for number, item in zip(range(requests), items, strict=False)]
    with serving(adapter) as (url, pid):
        held = {0: resident(pid)}
        for done in range(0, requests, step):
            load = ask_at_once(url, texts[done : done + step], CLIENTS)
            if set(load.statuses) != {200}:
                raise RuntimeError(f"after {done:,} requests the server answered with {load.statuses}")
            held[done + load.statuses[200]] = resident(pid)
            print(f"{max(held):,} requests: {held[max(held)] / 1e6:,.0f} MB", flush=True)
    return held


def measure() -> None:
    """Ask, and note what the process held."""
    from pricelab.normalise import this_machine

    facts = {"command": "python -m benchmarks.serving_memory", "machine": this_machine(), "clients": CLIENTS}
    held = {str(done): held for done, held in memory().items()}
    write_json_atomic(RESULTS / FILE, {**facts, "predictor": ADAPTER, "bytes_after_requests": held})


if __name__ == "__main__":
    if can_run("the server's memory", ADAPTER):
        measure()
        from benchmarks.serving_docs import PAGE, page

        write_text_atomic(PAGE, page())
