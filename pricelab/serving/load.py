"""Many clients at once: ask a server for prices as fast as it answers, and keep how long each answer took.

A closed loop: each client asks, waits for the answer and asks again. The clients share this machine with the server, so
a throughput is what both reach together. Introduced in notebook 11; ``benchmarks.serving`` measures with it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

PATIENCE_S = 600.0  # for which a client waits for an answer


@dataclass(frozen=True)
class Load:
    """What a number of clients met."""

    clients: int
    seconds: float  # from the first question to the last answer
    milliseconds: np.ndarray  # (requests,): how long each answer took
    statuses: dict[int, int]  # HTTP status → how often

    @property
    def per_second(self) -> float:
        """Prices a second: only answers that hold one count."""
        return self.statuses.get(200, 0) / self.seconds

    def percentile(self, percent: float) -> float:
        """Milliseconds within which so many percent of the requests were answered."""
        return float(np.percentile(self.milliseconds, percent))


def ask_at_once(url: str, texts: Sequence[str], clients: int, token: str | None = None) -> Load:
    """Let ``clients`` share the ``texts`` among themselves, one request a text, each waiting for its answer."""
    import httpx

    with ThreadPoolExecutor(1) as pool:  # a notebook's own thread has an event loop already
        try:
            return pool.submit(asyncio.run, _ask(url, texts, clients, token)).result()
        except httpx.TransportError as error:
            raise ConnectionError(f"no answer from {url} ({error}); is the server running?") from error


async def _ask(url: str, texts: Sequence[str], clients: int, token: str | None) -> Load:
    import httpx

    waiting, took, statuses = iter(texts), list[float](), Counter[int]()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=PATIENCE_S) as session:

        async def client() -> None:
            for text in waiting:
                asked = time.perf_counter()
                answer = await session.post("/price", json={"description": text})
                took.append(1000 * (time.perf_counter() - asked))
                statuses[answer.status_code] += 1

        begun = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        seconds = time.perf_counter() - begun
    return Load(clients, seconds, np.array(took), dict(sorted(statuses.items())))
