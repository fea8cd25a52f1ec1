"""Freed memory goes back to the system, and kernels of many shapes are not all kept."""

import platform
import subprocess
import sys

import pytest

from pricelab import heap
from pricelab.profiles import pick_precision

HOLES = """
import sys, threading, time
import psutil
from pricelab import heap

def rss():
    return psutil.Process().memory_info().rss / 1e6

kept = []
def work():
    blocks = [bytearray(100_000) for _ in range(2_000)]
    kept.extend(blocks[::20])

def rounds():
    for _ in range(2):
        kept.clear()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        time.sleep(0.5)
        print(rss() - start)

start = rss()
if sys.argv[1] == "trimmed":
    with heap.trimmed(0.05):
        rounds()
else:
    rounds()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep less, or tell it otherwise")
def test_holes_that_a_thread_leaves_go_back_to_the_system():
    def grown(way):
        done = subprocess.run([sys.executable, "-c", HOLES, way], capture_output=True, check=True, text=True)
        return [float(line) for line in done.stdout.split()]

    assert max(grown("trimmed")) < 60 < 150 < min(grown("plain"))  # MB; 10 are kept of 200


def test_the_thread_ends_with_the_block():
    import threading

    with heap.trimmed(60):
        assert any(thread.name == "pricelab-heap" for thread in threading.enumerate())
    assert not any(thread.name == "pricelab-heap" for thread in threading.enumerate())


def test_without_glibc_nothing_happens(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(heap.ctypes, "CDLL", missing)
    heap.trim()


SHAPES = """
import sys
import psutil, torch
from pricelab import heap

if sys.argv[1] == "few":
    heap.keep_few_kernels()
weight = torch.randn(256, 256, dtype=torch.bfloat16)
torch.set_num_threads(1)
for rows in range(1, 1200):
    torch.randn(rows, 256, dtype=torch.bfloat16) @ weight
heap.trim()
print(psutil.Process().memory_info().rss / 1e6)
"""


def test_products_of_many_shapes_take_less_memory_with_the_bound():
    if pick_precision("cpu")[0].itemsize != 2:
        pytest.skip("this CPU multiplies in 32 bits, without oneDNN")

    def held(way):
        done = subprocess.run([sys.executable, "-c", SHAPES, way], capture_output=True, check=True, text=True)
        return float(done.stdout)

    assert held("few") < held("all") - 100  # MB
