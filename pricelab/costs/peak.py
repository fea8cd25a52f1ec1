"""Peak memory of whatever runs inside a ``with`` block: the GPU's allocator, or this process as the system sees it.

`measured` counts tensors of one step; this counts what a whole run took. Introduced in notebook 08.
"""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pricelab import heap

T = TypeVar("T")
EVERY_SECONDS = 0.02  # between two looks at the process


@dataclass
class Peak:
    """Bytes held at most inside the block, above what was held when it began; 0 until it ends."""

    bytes: int = 0


@contextmanager
def peak_memory(device: str = "cpu") -> Iterator[Peak]:
    """Measure the peak of the block: load the model inside it, so that its weights count.

    On a GPU the figure is exact (what torch's allocator handed out). On a CPU it is the growth of the process's
    resident memory, looked at every 20 ms, so buffers of libraries count too.
    """
    gc.collect()
    if device == "cuda":
        yield from _on_gpu()
        return
    heap.trim()
    yield from _on_cpu()


def _on_gpu() -> Iterator[Peak]:
    import torch

    torch.cuda.reset_peak_memory_stats()
    start, peak = torch.cuda.memory_allocated(), Peak()
    yield peak
    peak.bytes = torch.cuda.max_memory_allocated() - start


def _on_cpu() -> Iterator[Peak]:
    import psutil

    process, done, peak = psutil.Process(), threading.Event(), Peak()
    start = process.memory_info().rss
    highest = start

    def watch() -> None:
        nonlocal highest
        while not done.wait(EVERY_SECONDS):
            highest = max(highest, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
        peak.bytes = max(highest, process.memory_info().rss) - start


def apart(work: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """What ``work`` returns, done in a fresh process, so that no memory freed before is used again, uncounted."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments, **options).result()
