"""What the serving benchmark tells is what it saw: a client that goes, and a server that minds or doesn't."""

import re
import time

import pytest
from serving_fakes import FakePricer

from benchmarks import serving as benchmark
from pricelab.serving import running
from pricelab.serving.guard import Guard


class Slow(FakePricer):
    """Takes long enough for a client to go meanwhile."""

    def estimate(self, texts):
        time.sleep(0.2)
        return super().estimate(texts)


async def keep_working(self, exchange, scope, body, receive):
    async def replay():
        return {"type": "http.request", "body": body, "more_body": False}

    await self.app(scope, replay, exchange.send)


@pytest.mark.parametrize(
    ("minds", "words"),
    [
        (True, "499 in the log; of 4 texts that waited 4 left the queue at once"),
        (False, "200 in the log"),
    ],
)
def test_what_a_client_that_goes_leaves_behind_is_observed(monkeypatch, minds, words):
    if not minds:
        monkeypatch.setattr(Guard, "_pass_on", keep_working)
    pricer = Slow()
    with running(pricer, limits=benchmark.SMALL) as server:
        assert benchmark._gone(server).startswith(words)
    assert len(pricer.asked) == (4 if minds else 8)


def test_a_client_that_reads_slowly_gets_all_and_others_are_answered_meanwhile():
    with running(FakePricer(), limits=benchmark.SMALL) as server:
        found = re.fullmatch(r"200: ([\d,]+) of ([\d,]+) bytes; meanwhile others got 200, 200, 200",
                             benchmark._slowly(server))  # fmt: skip
    assert found and found[1] == found[2] and int(found[1].replace(",", "")) > 1_000_000


def test_a_cold_start_is_one_of_a_fresh_process():
    import torch  # noqa: F401

    found = benchmark.cold_start("tiny", repeats=1)
    assert list(found) == ["libraries", "verify", "base", "adapter", "warm-up", "process"]
    assert found["libraries"]["median"] > 0.5  # here they are in memory: a start in this process would take none
    assert found["process"]["median"] >= sum(found[part]["median"] for part in list(found)[:-1]) - 0.05
