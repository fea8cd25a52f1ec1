"""Dynamic micro-batching: texts of different callers that wait at the same time share one pass through the model.

A pass reads all weights once, however many texts it holds, so 16 texts cost far less than 16 passes. While the model is
busy the queue fills by itself; only an idle model waits, a few milliseconds, for company. The queue is bounded: what
doesn't fit is refused at once instead of being answered too late. HTTP is left to `app`. Introduced in notebook 11.
"""

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pricelab.serving.settings import Limits

Estimate = Callable[[list[str]], Sequence[Any]]  # B texts → B estimates, in their order


class QueueFull(Exception):
    """More texts are waiting than the queue may hold."""


class Closed(Exception):
    """The service is shutting down and takes nothing new."""


@dataclass
class _Waiting:
    text: str
    since: float  # seconds of the monotonic clock
    answer: asyncio.Future


class MicroBatcher:
    """A queue before one model, worked off in batches by a thread of its own.

    Args:
        estimate: prices a batch; it is never called twice at the same time.
        limits: batch size, waiting time and the length of the queue.
    """

    def __init__(self, estimate: Estimate, limits: Limits) -> None:
        self.limits, self.sizes = limits, Counter[int]()  # sizes: how many batches of each size were run
        self._estimate, self._queue, self._in_work = estimate, deque[_Waiting](), list[_Waiting]()
        self._arrived, self._closing = asyncio.Event(), False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pricelab-model")
        self.worker = asyncio.get_running_loop().create_task(self._work())  # done: nothing is priced any more

    @property
    def waiting(self) -> int:
        """Texts in the queue whose callers still wait."""
        return sum(not one.answer.done() for one in tuple(self._queue))  # a copy: other threads look too

    async def submit(self, texts: Sequence[str]) -> list[Any]:
        """The estimates of ``texts``, in their order; in the place of one that failed, what the model raised.

        When the caller is cancelled its texts leave the queue.

        Raises:
            QueueFull: they don't all fit into the queue.
            Closed: the service is shutting down.
        """
        if self._closing:
            raise Closed
        if self.waiting + len(texts) > self.limits.max_queue:
            raise QueueFull
        loop, now = asyncio.get_running_loop(), time.monotonic()
        mine = [_Waiting(text, now, loop.create_future()) for text in texts]
        self._queue.extend(mine)
        self._arrived.set()
        try:
            return list(await asyncio.gather(*(one.answer for one in mine)))
        finally:
            for one in mine:
                one.answer.cancel()

    async def close(self) -> None:
        """Answer what was accepted, then stop; not longer than ``drain_timeout_s``."""
        self._closing = True
        self._arrived.set()
        await asyncio.wait((self.worker,), timeout=self.limits.drain_timeout_s)
        self.worker.cancel()
        for one in (*self._in_work, *self._queue):
            one.answer.cancel()  # nothing happens to those that are done
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        while batch := await self._next_batch():
            self._in_work = batch
            self.sizes[len(batch)] += 1
            for one, answer in zip(batch, await self._run([one.text for one in batch]), strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)

    async def _next_batch(self) -> list[_Waiting]:
        """Up to ``max_batch`` texts that are still wanted; none when the service is closing and all are answered."""
        while True:
            self._forget_the_cancelled()
            if not self._queue:
                if self._closing:
                    return []
                self._arrived.clear()
                await self._arrived.wait()
                continue
            left = self._queue[0].since + self.limits.max_wait_ms / 1000 - time.monotonic()
            if len(self._queue) >= self.limits.max_batch or left <= 0 or self._closing:
                return [self._queue.popleft() for _ in range(min(len(self._queue), self.limits.max_batch))]
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), left)

    def _forget_the_cancelled(self) -> None:
        self._queue = deque(one for one in self._queue if not one.answer.done())

    async def _run(self, texts: list[str]) -> Sequence[Any]:
        """Estimates, or for a text that can't be priced the exception: one bad text must not take others with it."""
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._thread, self._estimate, texts)
            if len(answers) != len(texts):
                raise ValueError(f"the model gave {len(answers)} answers to {len(texts)} texts")
            return answers
        except Exception as error:  # whatever the model raises belongs to the caller whose text did it
            if len(texts) == 1:
                return [error]
            return [answer for text in texts for answer in await self._run([text])]
