"""Hardware that models are trained on: peak arithmetic, memory, power, price; and this machine, measured.

Peaks are of dense matrix products; vendors like to print the figure with sparsity, which is twice that. Prices are of
one device on demand and change often: put in your own with ``dataclasses.replace``. Introduced in notebook 01.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ASSUMED_CPU_WATTS = 65.0  # a desktop processor's rated power; a laptop's is about 15 to 45
SIDE = 1024  # of the matrices that `this_machine` multiplies


@dataclass(frozen=True)
class Hardware:
    """One device."""

    name: str
    peak: Mapping[str, float]  # FLOP/s by dtype: "fp32", "bf16", "fp16"
    memory: float  # bytes
    watts: float  # the board's power limit; cooling and the rest of the computer come on top
    usd_per_hour: float  # one device, on demand
    source: str  # of peak, memory and watts
    price_source: str  # who asked that price, and when
    measured: bool = False  # the peak was measured here, not read in a datasheet
    cpu: bool = False

    def __post_init__(self) -> None:
        if not self.memory > 0 or not self.peak or self.watts < 0 or self.usd_per_hour < 0:
            raise ValueError(f"{self.name} needs a peak, memory above 0, and watts and price of 0 or more, got {self}")

    def flops_per_second(self, dtype: str) -> float:
        """Peak FLOP/s for ``dtype``; `ValueError` when the device has no such arithmetic."""
        if dtype not in self.peak:
            raise ValueError(f"{self.name} has no {dtype} arithmetic; use {' or '.join(self.peak)}")
        return self.peak[dtype]

    @property
    def best_dtype(self) -> str:
        """The dtype to train in: bf16 where there is one, else fp16, else fp32."""
        return next(dtype for dtype in ("bf16", "fp16", "fp32") if dtype in self.peak)


def _gpu(name: str, gigabytes: float, watts: float, usd: float, source: str, price: str, **tflops: float) -> Hardware:
    peak = {dtype: value * 1e12 for dtype, value in tflops.items()}
    return Hardware(name, peak, gigabytes * 1e9, watts, usd, source, price)


MODAL = "Modal, list price, May 2026"
RUNPOD = "RunPod, pods, October 2026"
HARDWARE = {
    device.name: device
    for device in (
        _gpu("T4", 16, 70, 0.59, "NVIDIA T4 datasheet", MODAL, fp16=65, fp32=8.1),
        _gpu("L4", 24, 72, 0.80, "NVIDIA L4 datasheet", MODAL, bf16=121, fp16=121, fp32=30.3),
        _gpu("A10G", 24, 300, 1.10, "NVIDIA A10G datasheet (AWS G5)", "Modal, list price, 2025",
             bf16=70, fp16=70, fp32=35),
        _gpu("RTX 4090", 24, 450, 1.12, "NVIDIA Ada GPU architecture whitepaper", "RunPod, serverless, 2026",
             bf16=165.2, fp16=165.2, fp32=82.6),
        _gpu("A100 80GB", 80, 400, 2.50, "NVIDIA A100 datasheet", MODAL, bf16=312, fp16=312, fp32=19.5),
        _gpu("H100 SXM", 80, 700, 3.95, "NVIDIA H100 datasheet", MODAL, bf16=989.4, fp16=989.4, fp32=67),
        _gpu("H200", 141, 700, 4.59, "NVIDIA H200 datasheet", RUNPOD, bf16=989.4, fp16=989.4, fp32=67),
        _gpu("B200", 180, 1000, 6.79, "NVIDIA HGX B200 datasheet", RUNPOD, bf16=2250, fp16=2250, fp32=75),
    )
}  # fmt: skip


def this_machine(
    *, seconds: float = 1.0, watts: float = ASSUMED_CPU_WATTS, usd_per_hour: float = 0.0
) -> Hardware:  # fmt: skip
    """This machine's GPU, or else its CPU: its best matrix product in about ``seconds``, and its memory.

    ``watts`` of a CPU is an assumption, which is why it can be given; a GPU's is its limit as the driver says.
    """
    import torch

    from pricelab.profiles import pick_device, pick_precision

    device = pick_device()
    names = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
    dtypes = dict.fromkeys((pick_precision(device)[0], torch.float32))
    peak = {names[dtype]: _matmul_flops(dtype, device, seconds / len(dtypes)) for dtype in dtypes}
    price = "given" if usd_per_hour else "yours already: no rent"
    if device == "cuda":
        board = torch.cuda.get_device_properties(0)
        source = "peak measured here, power limit from the driver"
        return Hardware(board.name, peak, board.total_memory, _gpu_watts(watts), usd_per_hour, source, price, True)
    import psutil

    source = f"peak measured here; {watts:g} W is an assumption"
    name, memory = f"this CPU ({torch.get_num_threads()} threads)", float(psutil.virtual_memory().total)
    return Hardware(name, peak, memory, watts, usd_per_hour, source, price, True, cpu=True)


def _gpu_watts(otherwise: float) -> float:
    import subprocess

    query = ["nvidia-smi", "--id=0", "--query-gpu=power.limit", "--format=csv,noheader,nounits"]
    try:
        return float(subprocess.run(query, capture_output=True, encoding="utf-8", check=True, timeout=10).stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return otherwise


def _matmul_flops(dtype: Any, device: str, seconds: float) -> float:
    """FLOP/s of the fastest of the square products that fit into ``seconds``, one at least after a first to warm up."""
    import torch

    left = torch.randn(SIDE, SIDE, device=device).to(dtype)
    best, end = 0.0, time.perf_counter() + seconds
    for turn in range(1_000_000):
        start = time.perf_counter()
        torch.mm(left, left)
        if device == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        if turn:
            best = max(best, 2 * SIDE**3 / (now - start))
        if turn and now >= end:
            break
    return best
