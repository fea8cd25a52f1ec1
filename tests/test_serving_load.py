"""The clients of a load test: every text is asked once, answers are counted by status, nobody answers in vain."""

import itertools
import time

import httpx
import numpy as np
import pytest
from serving_fakes import FakePricer

from benchmarks import serving_memory
from pricelab.catalog import load_catalog
from pricelab.serving import Limits, running
from pricelab.serving.load import Load, ask_at_once

TEXTS = [f"product {n}" for n in range(40)]


@pytest.mark.parametrize("clients", [1, 8, 60])
def test_every_text_is_asked_once(clients):
    pricer = FakePricer()
    with running(pricer, token="s3cret") as server:
        load = ask_at_once(server.url, TEXTS, clients, token="s3cret")
    assert sorted(pricer.asked) == sorted(TEXTS)
    assert load.statuses == {200: 40} and load.milliseconds.shape == (40,) and load.clients == clients


def test_refusals_are_counted_and_make_no_throughput():
    with running(FakePricer(), token="s3cret") as server:
        load = ask_at_once(server.url, TEXTS[:4], 2)
    assert load.statuses == {401: 4} and load.per_second == 0


def test_above_the_queues_limit_there_is_429_and_nothing_else():
    class Slow(FakePricer):
        def estimate(self, texts):
            time.sleep(0.02)
            return super().estimate(texts)

    with running(Slow(), limits=Limits(max_batch=2, max_queue=4, max_items=4)) as server:
        load = ask_at_once(server.url, TEXTS, 20)
    assert set(load.statuses) == {200, 429} and sum(load.statuses.values()) == 40


def test_a_slow_model_at_the_default_limits_answers_all_it_accepts():
    """Four texts a second: 256 in the queue would be a minute of work, twice what an answer may take."""

    class Slow(FakePricer):
        def estimate(self, texts):
            time.sleep(0.25 * len(texts))
            return super().estimate(texts)

    with running(Slow()) as server:
        places = httpx.get(f"{server.url}/readyz").json()["max_queue"]
        load = ask_at_once(server.url, TEXTS * 5, 200)
        large = httpx.post(f"{server.url}/prices", json={"descriptions": TEXTS})
    assert 16 <= places < 40
    assert set(load.statuses) == {200, 429} and load.statuses[200] >= places
    assert load.milliseconds.max() < 1000 * Limits().answer_timeout_s / 2
    assert (
        large.status_code == 422
        and "retry-after" not in large.headers
        and f"at most {places} at a time" in large.json()["error"]
    )


def test_rates_and_percentiles():
    load = Load(2, 4.0, np.arange(1, 101.0), {200: 80, 429: 20})
    assert load.per_second == 20 and load.percentile(50) == 50.5


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(ConnectionError, match="http://127.0.0.1:9"):
        ask_at_once("http://127.0.0.1:9", TEXTS, 2)


class Forgetful(FakePricer):
    """Keeps no batches, which would be memory of the test's own."""

    def estimate(self, texts):
        answers = super().estimate(texts)
        self.batches.clear()
        return answers


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_memory_stays_flat_over_20_000_requests():
    import psutil

    items = itertools.cycle(item for item in load_catalog("workshop")["train"] if "boom" not in item.text)
    texts = [f"{item.text} {n}" for n, item in zip(range(16_000), items, strict=False)]
    with running(Forgetful()) as server:
        ask_at_once(server.url, texts[:4_000], 8)
        before = psutil.Process().memory_info().rss
        load = ask_at_once(server.url, texts, 8)
        grown = psutil.Process().memory_info().rss - before
    assert load.statuses == {200: 16_000} and grown < 20e6


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_real_models_memory_settles_within_20_000_requests():
    """The first half meets the shapes of batches for which kernels are kept; docs/serving.md has a whole run."""
    held = serving_memory.memory()
    half, end = held[10_000], held[20_000]
    assert end - half < 20e6
