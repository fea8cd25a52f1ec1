"""The end of a server: from the signal on nothing new is taken, what was accepted is answered, what is cut is told."""

import logging
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest
from serving_fakes import FakePricer

from pricelab.serving import Limits, running

DRILL = {"description": "drill"}


def asking(url, pricer, answers):
    """A client in a thread whose request the model holds up."""
    pricer.busy.clear()
    pricer.gate.clear()
    thread = threading.Thread(target=lambda: answers.append(httpx.post(f"{url}/price", json=DRILL, timeout=20)))
    thread.start()
    assert pricer.busy.wait(10)
    return thread


def test_open_connections_are_told_from_the_signal_on_and_what_was_accepted_is_answered(monkeypatch):
    pricer, noticed, answers = FakePricer(), threading.Event(), []
    with running(pricer) as server, httpx.Client(base_url=server.url) as client:
        on_tick = server._server.on_tick

        async def late(counter):  # uvicorn looks for signals ten times a second
            return await on_tick(counter) and noticed.is_set()

        monkeypatch.setattr(server._server, "on_tick", late)
        accepted = asking(server.url, pricer, answers)
        assert client.get("/readyz").status_code == 200
        server._server.handle_exit(signal.SIGTERM, None)
        for told in (client.get("/readyz"), client.post("/price", json=DRILL)):
            assert told.status_code == 503 and "shutting down; ask another" in told.json()["error"]
        assert client.get("/healthz").status_code == 200
        noticed.set()
        pricer.gate.set()
        accepted.join()
    assert [answer.status_code for answer in answers] == [200]


def test_a_request_that_is_cut_is_answered_and_noted(caplog):
    caplog.set_level(logging.INFO, "pricelab.serving")
    pricer, answers = FakePricer(), []
    server = running(pricer, limits=Limits(drain_timeout_s=1))
    cut = asking(server.url, pricer, answers)
    server.stop()
    cut.join()
    pricer.gate.set()
    assert answers[0].status_code == 503 and "ended before the answer" in answers[0].json()["error"]
    (line,) = [line for line in caplog.messages if "path=/price " in line]
    assert "status=503 items=1" in line and "Traceback" not in caplog.text


SLOW_START = """
import time
import pricelab.serving.server as server
server.start = lambda *args, **options: time.sleep(60)
server.serve("runs/shop", port=0)
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_still_loading_ends_at_once(ending):
    process = subprocess.Popen([sys.executable, "-c", SLOW_START], stderr=subprocess.PIPE, text=True)
    try:
        url, begun = process.stderr.readline().split()[2].rstrip(","), time.monotonic()
        while time.monotonic() < begun + 20:
            try:
                assert httpx.get(f"{url}/readyz").status_code == 503
                break
            except httpx.TransportError:
                time.sleep(0.05)
        process.send_signal(ending)
        told = process.communicate(timeout=20)[1]
    finally:
        process.kill()
    assert process.returncode == 0 and "Traceback" not in told
