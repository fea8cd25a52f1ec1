"""Micro-batching: order, batch sizes, a bounded queue, callers that go, texts that break the model, draining."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_fakes import FakePricer

from pricelab.serving.batching import Closed, MicroBatcher, QueueFull
from pricelab.serving.settings import Limits


def run(work, **limits):
    """What the coroutine function ``work(batcher, pricer)`` returns, on an event loop of its own."""

    async def main():
        pricer = FakePricer()
        batcher = MicroBatcher(pricer.estimate, Limits(**limits))
        try:
            return await asyncio.wait_for(work(batcher, pricer), 20)
        finally:
            pricer.gate.set()
            await batcher.close()

    return asyncio.run(main())


async def busy(batcher, pricer):
    """The model held up by a text of its own; returns that text's task."""
    pricer.busy.clear()
    pricer.gate.clear()
    task = asyncio.create_task(batcher.submit(["first"]))
    await asyncio.to_thread(pricer.busy.wait, 10)
    return task


async def queued(batcher, count):
    while batcher.waiting < count:
        await asyncio.sleep(0.001)


@settings(max_examples=30, deadline=None)
@given(
    requests=st.lists(st.lists(st.text(st.characters(codec="ascii"), min_size=1, max_size=9).filter(str.strip),
                               min_size=1, max_size=5), min_size=1, max_size=12),
    max_batch=st.integers(1, 6), max_wait_ms=st.sampled_from([0, 1, 3]), seed=st.integers(0, 99),
)  # fmt: skip
def test_every_caller_gets_its_own_answers_in_order(requests, max_batch, max_wait_ms, seed):
    async def work(batcher, pricer):
        async def one(texts):
            await asyncio.sleep(random.Random(seed + len(texts)).random() / 500)
            return [answer.estimate for answer in await batcher.submit(texts)]

        return await asyncio.gather(*map(one, requests)), pricer.batches, dict(batcher.sizes)

    requests = [[text for text in texts if "boom" not in text] or ["x"] for texts in requests]
    answers, batches, sizes = run(work, max_batch=max_batch, max_wait_ms=max_wait_ms)
    assert answers == [[float(len(text)) for text in one] for one in requests]
    assert max(map(len, batches)) <= max_batch
    assert sum(size * count for size, count in sizes.items()) == sum(map(len, requests))


def test_what_waits_while_the_model_is_busy_shares_a_pass():
    async def work(batcher, pricer):
        first = await busy(batcher, pricer)
        others = [asyncio.create_task(batcher.submit([f"text {n}"])) for n in range(8)]
        await queued(batcher, 8)
        pricer.gate.set()
        await asyncio.gather(first, *others)
        return [len(batch) for batch in pricer.batches]

    assert run(work, max_batch=6) == [1, 6, 2]


def test_a_batch_of_one_is_no_batching():
    async def work(batcher, pricer):
        await batcher.submit(["a", "b", "c"])
        return [len(batch) for batch in pricer.batches]

    assert run(work, max_batch=1) == [1, 1, 1]


def test_a_full_queue_refuses_whole_requests_and_takes_what_fits():
    async def work(batcher, pricer):
        first = await busy(batcher, pricer)
        waiting = asyncio.create_task(batcher.submit(["a", "b", "c"]))
        await queued(batcher, 3)
        with pytest.raises(QueueFull):
            await batcher.submit(["d", "e"])
        assert batcher.waiting == 3
        last = asyncio.create_task(batcher.submit(["d"]))
        pricer.gate.set()
        await asyncio.gather(first, waiting, last)
        return [text for batch in pricer.batches for text in batch]

    assert run(work, max_queue=4, max_items=4) == ["first", "a", "b", "c", "d"]


def test_texts_of_a_caller_that_went_are_not_priced_and_free_their_places():
    async def work(batcher, pricer):
        first = await busy(batcher, pricer)
        gone = asyncio.create_task(batcher.submit(["gone 1", "gone 2"]))
        await queued(batcher, 2)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert batcher.waiting == 0
        last = asyncio.create_task(batcher.submit(["last"]))
        pricer.gate.set()
        await asyncio.gather(first, last)
        return [text for batch in pricer.batches for text in batch]

    assert run(work, max_queue=2, max_items=2) == ["first", "last"]


def test_a_text_that_breaks_the_model_takes_no_other_with_it():
    async def work(batcher, pricer):
        first = await busy(batcher, pricer)
        texts = ["one", "boom", "three"]
        tasks = [asyncio.create_task(batcher.submit([text])) for text in texts]
        await queued(batcher, 3)
        pricer.gate.set()
        return await asyncio.gather(first, *tasks, return_exceptions=True)

    _, one, boom, three = run(work)
    assert one[0].estimate == 3 and three[0].estimate == 5 and isinstance(boom[0], RuntimeError)


@pytest.mark.parametrize("given", [0, 1, 5])
def test_a_model_that_gives_another_number_of_answers_fails_on_that_batch_alone(given):
    async def work(batcher, pricer):
        right, pricer_answers = (
            batcher._estimate,
            lambda texts: right(["x"] * given) if "odd" in texts else right(texts),
        )
        batcher._estimate = pricer_answers
        return await asyncio.gather(batcher.submit(["one", "odd"]), batcher.submit(["three"])), await batcher.submit(
            ["x"]
        )

    (first, other), later = run(work)
    assert [one.estimate for one in (first[0], other[0], later[0])] == [3, 5, 1]
    assert isinstance(first[1], ValueError) == (given != 1)


def test_closing_answers_what_was_accepted_and_takes_nothing_new():
    async def work(batcher, pricer):
        accepted = [await busy(batcher, pricer)]
        accepted += [asyncio.create_task(batcher.submit([f"text {n}"])) for n in range(5)]
        await queued(batcher, 5)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(Closed):
            await batcher.submit(["too late"])
        pricer.gate.set()
        answers = await asyncio.gather(*accepted)
        await closing
        return len(answers)

    assert run(work, max_batch=2) == 6


def test_closing_does_not_wait_for_ever():
    async def work(batcher, pricer):
        stuck, waiting = await busy(batcher, pricer), asyncio.create_task(batcher.submit(["waiting"]))
        await queued(batcher, 1)
        await batcher.close()
        done = await asyncio.gather(stuck, waiting, return_exceptions=True)
        return [type(one) for one in done]

    assert run(work, drain_timeout_s=0.05) == [asyncio.CancelledError] * 2


@pytest.mark.parametrize(("name", "value"), [("max_batch", 0), ("max_wait_ms", -1), ("answer_timeout_s", 0)])
def test_limits_must_make_sense(name, value):
    with pytest.raises(ValueError, match=name):
        Limits(**{name: value})


@given(
    per_second=st.floats(0.01, 1e6), max_batch=st.integers(1, 64), answer_timeout_s=st.floats(1, 600),
    max_queue=st.integers(1, 500),
)  # fmt: skip
def test_a_queue_that_a_slow_model_can_answer_in_time(per_second, max_batch, answer_timeout_s, max_queue):
    given_ = Limits(max_batch=max_batch, max_queue=max_queue, max_items=1, answer_timeout_s=answer_timeout_s)
    queue = given_.at(per_second).max_queue
    last = (queue + min(queue, max_batch)) / per_second  # a full queue behind a full batch
    assert 1 <= queue <= max_queue and (queue == 1 or last <= answer_timeout_s / 3 + 1e-6)
    assert queue == max_queue or (queue + 1 + max_batch) / per_second > answer_timeout_s / 3


def test_a_request_that_could_never_fit_is_refused_when_the_limits_are_made():
    with pytest.raises(ValueError, match="max_items.*max_queue"):
        Limits(max_items=9, max_queue=8)
    with pytest.raises(ValueError, match="max_body_bytes.*raise max_held_bytes"):
        Limits(max_body_bytes=9, max_held_bytes=8)
