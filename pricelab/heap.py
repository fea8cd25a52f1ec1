"""Memory that was freed goes back to the system, where the C library is glibc.

glibc keeps freed memory for later, in a heap for each thread. Activations of many sizes leave holes in them, and a
process that runs for days grows (malloc_trim(3), mallopt(3)). Used where memory is measured, and by the server.
"""

import contextlib
import ctypes
import threading
from collections.abc import Iterator


def trim() -> None:
    """Give the whole pages among what was freed back to the system; with other C libraries nothing happens."""
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
