"""What this machine can do: the profile that sets the workbook's sizes, the device and the precision, with reasons.

The notebooks hold no ``if profile``; they read sizes from here and run unchanged. Introduced in notebook 00.
"""

import os
from dataclasses import dataclass
from typing import Any

VARIABLE = "PRICELAB_PROFILE"


@dataclass(frozen=True)
class Profile:
    """Sizes for one kind of machine."""

    name: str
    machine: str  # in words
    base: str  # key of `base_files.REGISTRY` or a model id on the hub
    compared_base: str  # that notebooks 08 and 09 train in every way, so 16 bytes a weight and more have to fit
    train_items: int  # items that notebook 07 trains on
    test_items: int  # items that it scores, from each test split
    epochs: float  # passes over the training items
    batch_size: int  # items per optimizer step
    calibration_items: int  # items that the intervals are calibrated on, at most
    max_item_passes: int  # items times epochs that training may take on a catalog of your own
    scratch_tokens: int  # tokens that notebook 04 trains each of its models on
    compared_items: int  # items that notebook 08 trains each way on
    own_minutes: float  # that notebook 12 may spend on training with a catalog of your own
    reason: str = ""  # why this profile was chosen


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "smoke",
            "CI: two cores, no network",
            "tiny",
            compared_base="tiny",
            train_items=200,
            test_items=60,
            epochs=1,
            batch_size=4,
            calibration_items=60,
            max_item_passes=400,
            scratch_tokens=10_000,
            compared_items=24,
            own_minutes=0.05,
        ),
        Profile(
            "laptop",
            "two cores or more, no GPU",
            "smollm2-135m",
            compared_base="smollm2-135m",
            train_items=800,
            test_items=100,
            epochs=1,
            batch_size=4,
            calibration_items=300,
            max_item_passes=1500,
            scratch_tokens=800_000,
            compared_items=200,
            own_minutes=1,
        ),
        Profile(
            "colab",
            "a T4 with 16 GB",
            "Qwen/Qwen3-1.7B-Base",
            compared_base="smollm2-135m",
            train_items=4200,
            test_items=600,
            epochs=1,
            batch_size=8,
            calibration_items=500,
            max_item_passes=20_000,
            scratch_tokens=800_000,
            compared_items=800,
            own_minutes=5,
        ),
        Profile(
            "gpu",
            "a GPU with 24 GB or more",
            "Qwen/Qwen3-4B-Base",
            compared_base="smollm2-135m",
            train_items=4200,
            test_items=600,
            epochs=2,
            batch_size=16,
            calibration_items=500,
            max_item_passes=100_000,
            scratch_tokens=800_000,
            compared_items=2000,
            own_minutes=10,
        ),
    )
}
GPU_PROFILE_GB = 22
UNKNOWN = "nobody tried it"
REFUSED = {"mps": "4-bit layers and losses were never compared on Apple's GPU; the Mac's CPU does the same in fp32"}


def detect() -> Profile:
    """The profile named by ``PRICELAB_PROFILE``, else the one that fits this machine; never ``smoke`` unless named."""
    named = os.environ.get(VARIABLE)
    if named:
        return choose(named, f"{VARIABLE} is set")
    import torch

    if not torch.cuda.is_available():
        return choose("laptop", "no CUDA device was found")
    gigabytes = torch.cuda.get_device_properties(0).total_memory / 1e9
    name = "gpu" if gigabytes >= GPU_PROFILE_GB else "colab"
    return choose(name, f"{torch.cuda.get_device_name(0)} with {gigabytes:.0f} GB was found")


def choose(name: str, reason: str) -> Profile:
    """The profile of that name, with the reason noted; `ValueError` for an unknown one."""
    if name not in PROFILES:
        raise ValueError(f"unknown profile {name!r}; set {VARIABLE} to one of {', '.join(PROFILES)}")
    return Profile(**{**vars(PROFILES[name]), "reason": reason})


def pick_device() -> str:
    """``"cuda"`` when there is a GPU that torch can use, else ``"cpu"``, also on a Mac."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def pick_precision(device: str) -> tuple[Any, str]:
    """The dtype for weights and matrix products on ``device``, and why. What learns is held in fp32 everywhere.

    Raises:
        ValueError: a device that pricelab does not run on, or that is not here.
    """
    import torch

    kind = device.partition(":")[0]
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"the device {device!r} was asked for, but torch finds no GPU that it can use; use 'cpu'")
    if kind == "cuda":
        # is_bf16_supported() also counts slow emulation, so ask the hardware: bf16 came with compute capability 8.
        major, minor = torch.cuda.get_device_capability()
        if major >= 8:
            return torch.bfloat16, f"compute capability {major}.{minor} has bf16"
        return torch.float16, f"compute capability {major}.{minor} has no bf16: fp16, and the loss is scaled"
    if kind != "cpu":
        raise ValueError(f"the device {device!r} is not supported: {REFUSED.get(kind, UNKNOWN)}; use 'cpu' or 'cuda'")
    can = torch.cpu.get_capabilities()
    if can.get("avx512_bf16") or can.get("amx_bf16"):
        return torch.bfloat16, "this CPU multiplies bf16 in hardware"
    slow = can.get("architecture") == "x86_64" and not can.get("avx512_f")
    without = " and no AVX-512, so expect it to be slow" if slow else ""
    return torch.float32, f"this CPU has no bf16 instructions{without}"
