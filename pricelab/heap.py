"""What a process holds besides its weights: kernels that torch keeps, and freed memory that glibc keeps.

Texts come in batches of many sizes and lengths. On a CPU each shape of a matrix product gets a kernel of its own, which
is kept; and activations of many sizes leave holes in the heap of each thread. Both make a server grow for hours.
Training keeps its kernels: it meets the same shapes again, and a small base would spend much of its time on new ones.
"""

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator

FEW_KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256", "LRU_CACHE_CAPACITY": "256"}
"""Environment of oneDNN, for kernels, and of torch's layer above it (ideep), for their descriptions; 1,024 by default,
at half a megabyte for both (torch 2.13). Pricing, a hundred tokens a text, is as fast."""


def keep_few_kernels() -> None:
    """Let torch keep only the kernels used last, on a CPU, unless the environment says otherwise (`FEW_KERNELS`).

    It works before the first matrix product of a process.
    """
    for name, value in FEW_KERNELS.items():
        os.environ.setdefault(name, value)


def trim() -> None:
    """Give the whole pages among what was freed back to the system (malloc_trim(3)); without glibc nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextlib.contextmanager
def trimmed(every_s: float) -> Iterator[None]:
    """`trim` every so many seconds, in a thread of its own."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(every_s):
            trim()

    thread = threading.Thread(target=work, name="pricelab-heap", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
