"""Load, faults and contract of the server: `python -m benchmarks.serving`.

Each shipped predictor is served twice at the same time, with and without batching, and asked in turn by 1, 8 and 30
clients, so that both meet the same machine. Then the server is sent what it must refuse, and schemathesis tries the
OpenAPI document. To ``data/results/serving.json`` with the machine; `benchmarks.serving_docs` makes tables of it.
"""

import contextlib
import json
import logging
import re
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from benchmarks.results import RESULTS, ROOT, can_run
from pricelab.files import write_json_atomic
from pricelab.serving import Limits, running, start
from pricelab.serving.load import ask_at_once

QUESTIONS = {  # shipped predictor → clients → requests of one repeat
    "tiny": {1: 20, 8: 80, 30: 150},
    "smollm2-135m": {1: 10, 8: 16, 30: 30},
}
REPEATS = 3
PATIENCE = {"answer_timeout_s": 600.0}  # what is measured is the wait, so nothing is cut off
WAYS = {"one": Limits(max_batch=1, **PATIENCE), "batched": Limits(max_batch=16, **PATIENCE)}
SMALL = Limits(max_batch=4, max_queue=8, max_items=8, body_timeout_s=1.0)  # quickly above its limits
JSON = {"Content-Type": "application/json"}
LARGE = "/static-offline-docs/swagger-ui-bundle.js"  # the server's largest answer to a request without texts


def load(adapter: str, texts: list[str]) -> dict[str, Any]:
    """Throughput and waiting of one shipped predictor, medians over the repeats, and statuses over all requests."""
    started = start(ROOT / "data" / "adapters" / adapter)
    servers = {way: running(lambda: started, limits=limits) for way, limits in WAYS.items()}
    table = []
    for clients, questions in QUESTIONS[adapter].items():
        found: dict[str, list[Any]] = {way: [] for way in WAYS}
        for _ in range(REPEATS):
            for way, server in servers.items():
                found[way].append(ask_at_once(server.url, texts[:questions], clients))
        pairs = zip(found["one"], found["batched"], strict=True)
        ratios = [batched.per_second / one.per_second for one, batched in pairs]
        row = {way: _summary(loads) for way, loads in found.items()}
        table.append({"clients": clients, "requests": questions * REPEATS, **row, "times_faster": spread(ratios)})
        print(adapter, table[-1], flush=True)
    sizes = servers["batched"].batch_sizes
    for server in servers.values():
        server.stop()
    return {"cold_start": cold_start(adapter), "load": table, "batch_sizes": sizes}


COLD = """
import json, sys
from pricelab.serving.starting import measure_start
print(json.dumps(measure_start(sys.argv[1])))
"""


def cold_start(adapter: str, repeats: int = REPEATS) -> dict[str, dict[str, float]]:
    """Seconds of each part of a start in a process of its own; *process* is all of it, the interpreter too.

    The base is on this machine already, so that nothing is downloaded.
    """
    command, found = [sys.executable, "-c", COLD, str(ROOT / "data" / "adapters" / adapter)], []
    for _ in range(repeats):
        begun = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", cwd=ROOT)
        found.append(json.loads(done.stdout.splitlines()[-1]) | {"process": time.perf_counter() - begun})
    return {part: spread([one[part] for one in found]) for part in found[0] if part != "download"}


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most."""
    return {
        name: round(find(values), 2) for name, find in (("median", statistics.median), ("least", min), ("most", max))
    }


def _summary(loads: list[Any]) -> dict[str, Any]:
    statuses: dict[int, int] = {}
    for one in loads:
        for status, count in one.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    ms = {
        f"p{percent}_ms": round(statistics.median(one.percentile(percent) for one in loads)) for percent in (50, 95, 99)
    }
    return {"per_second": spread([one.per_second for one in loads]), **ms, "statuses": statuses}


def faults(texts: list[str]) -> list[dict[str, str]]:
    """What a server answers to callers and folders that are not as they should be; after each it must go on."""
    folder, told = ROOT / "data" / "adapters" / "tiny", []
    with running(lambda: start(folder), limits=SMALL) as server:
        url = f"{server.url}/price"
        cases = {
            "malformed JSON": lambda: _words(httpx.post(url, content=b"{", headers=JSON)),
            "10 MB body": lambda: _words(httpx.post(url, content=b'"' + b"x" * 10_000_000 + b'"', headers=JSON)),
            "body that does not come": lambda: _raw(url, b"Content-Length: 100\r\n\r\n{"),
            "client gone before its answer": lambda: _gone(server),
            "client that reads slowly": lambda: _slowly(server),
            "no text at all": lambda: _words(httpx.post(url, json={"description": "   "})),
        }
        for name, ask in cases.items():
            told.append({"fault": name, "outcome": ask()})
            assert httpx.post(url, json={"description": "a drill"}).status_code == 200, name
        above = ask_at_once(server.url, texts, 60)
        told.append({"fault": "60 clients, 8 places in the queue", "outcome": f"statuses {above.statuses}"})
        assert set(above.statuses) == {200, 429}
    return told + _bad_folders(folder)


def _words(answer: httpx.Response) -> str:
    body = answer.json()
    return f"{answer.status_code}: {body.get('error') or body['warning']}"


def _raw(url: str, rest: bytes) -> str:
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"POST /price HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + rest)
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    error = re.search(r'"error": "([^"]*)"', answer)
    return f"{answer.split()[1]}: {error[1] if error else ''}"


def _gone(server: running) -> str:
    """Send more texts than a batch takes, leave while some of them wait, and tell what the server made of it."""
    batcher, texts = server.app.state.service.batcher, [f"a drill, {n} V" for n in range(SMALL.max_items)]
    body = json.dumps({"descriptions": texts}).encode()
    head = f"Host: x\r\nX-Request-ID: gone\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    host, port = server.url.removeprefix("http://").split(":")
    with _log() as lines:
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"POST /prices HTTP/1.1\r\n{head}".encode() + body)
            waited = _until(
                lambda: batcher.waiting if batcher.waiting < len(texts) else 0
            )  # the first batch is at work
        line = _until(lambda: next((line for line in lines if line.startswith("id=gone ")), ""))
        left = batcher.waiting
    status = line.partition("status=")[2].partition(" ")[0] if line else "nothing"
    return f"{status} in the log; of {waited} texts that waited {waited - left} left the queue at once"


def _slowly(server: running) -> str:
    """Ask for something larger than the system's buffers, read a piece, and the rest when others were answered."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # before connecting: it bounds the window
        connection.settimeout(20)
        connection.connect((host, int(port)))
        connection.sendall(f"GET {LARGE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = connection.recv(1000)
        others = [httpx.post(f"{server.url}/price", json={"description": "a drill"}).status_code for _ in range(3)]
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    promised = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])  # type: ignore[index]
    meanwhile = f"meanwhile others got {', '.join(map(str, others))}"
    return f"{head.split()[1].decode()}: {len(body):,} of {promised:,} bytes; {meanwhile}"


def _until(find: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What ``find`` returns, as soon as there is something, or at the end."""
    end = time.monotonic() + seconds
    while not (found := find()) and time.monotonic() < end:
        time.sleep(0.001)
    return found


@contextlib.contextmanager
def _log() -> Iterator[list[str]]:
    """The lines that the server logs meanwhile."""
    lines, log = list[str](), logging.getLogger("pricelab.serving")
    handler, level = logging.Handler(), log.level
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def _bad_folders(folder: Path) -> list[dict[str, str]]:
    import shutil

    from safetensors.torch import load_file, save_file

    from pricelab.artifacts import Manifest

    def missing(path: Path) -> None:
        path.unlink()

    def tampered(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")

    def no_numbers(path: Path) -> None:
        weights = {name: weight * float("nan") for name, weight in load_file(path).items()}
        save_file(weights, path, metadata={"format": "pt"})
        manifest = Manifest.read(path.parent)
        manifest.seal(path.parent, manifest.files)

    told = []
    for name, spoil in {"missing adapter": missing, "tampered adapter": tampered, "adapter of NaN": no_numbers}.items():
        with tempfile.TemporaryDirectory() as place:
            copy = shutil.copytree(folder, Path(place) / "run")
            spoil(copy / "adapter_model.safetensors")
            try:
                start(copy)
                outcome = "started"
            except ValueError as error:
                outcome = f"does not start: {str(error).replace(str(copy), 'DIR')}"
        told.append({"fault": name, "outcome": outcome})
    return told


def contract(examples: int = 50) -> dict[str, Any]:
    """What schemathesis' own command says of the server of the base `tiny`."""
    command = Path(sysconfig.get_path("scripts")) / "schemathesis"
    with running(lambda: start(ROOT / "data" / "adapters" / "tiny")) as server:
        options = ["--max-examples", str(examples), "--seed", "0", "--no-color"]
        asked = [str(command), "run", f"{server.url}/openapi.json", *options]
        with tempfile.TemporaryDirectory() as place:  # it leaves a folder where it runs
            done = subprocess.run(asked, capture_output=True, encoding="utf-8", cwd=place)
    cases = re.search(r"Test cases:\s*(.+)", done.stdout)
    version = done.stdout.split("\n", 1)[0].removeprefix("Schemathesis ").strip()
    words = cases[1].strip() if cases else done.stdout[-2000:]
    return {"schemathesis": version, "options": " ".join(options[:-1]), "cases": words, "passed": done.returncode == 0}


def measure(path: Path) -> None:
    """Write load, faults and contract to ``path``."""
    import torch

    from pricelab import load_catalog
    from pricelab.normalise import this_machine

    texts = [item.text for item in load_catalog("workshop")["test"]]
    facts: dict[str, Any] = {
        "command": "python -m benchmarks.serving",
        "machine": this_machine(),
        "threads": torch.get_num_threads(),
        "repeats": REPEATS,
        "max_batch": WAYS["batched"].max_batch,
        "faults": faults(texts[:60]),
        "contract": contract(),
        "predictors": {},
    }
    for adapter in QUESTIONS:
        facts["predictors"][adapter] = load(adapter, texts)
        write_json_atomic(path, facts)


if __name__ == "__main__":
    if can_run("the server's load", *QUESTIONS, packages=("schemathesis",)):
        measure(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS / "serving.json")
