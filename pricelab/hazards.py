"""Faults of a machine that are known to bite, each with its cure: what `doctor` looks for besides versions.

Each function looks at one thing, returns quickly and never raises. Nothing is changed. What a GPU is used for is
decided in `profiles`; what Colab's set-up cell mends by itself in `colab`.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from pricelab.colab import DRIVE, on_colab
from pricelab.installed import OLDEST_TORCHAO_FOR_PEFT, hindering_torchao

FREE_GPU_SHARE = 0.6  # of its memory; less means that something else holds it
NVIDIA_SMI_SECONDS = 5.0
GOING_ON = ("07", "08", "11", "12")  # notebooks whose trainings go on from what an earlier session kept


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    value: str  # what was found, in words
    cure: str = ""  # what to do about it; empty when all is well
    note: str = ""  # what to know, though it is no problem
    package: bool = False  # a requirement as it should be: only its version is told


def hazards() -> Iterator[Check]:
    """The faults that this machine has, and what is good to know about it; nothing for a machine without any."""
    for look in (_torchao, _gpu, _gpu_memory, _bf16, _bitsandbytes, _colab):
        if found := look():
            yield found


def _torchao() -> Check | None:
    if not (version := hindering_torchao()):
        return None
    told = f"{version}: peft refuses 16-bit LoRA beside torchao older than {OLDEST_TORCHAO_FOR_PEFT}"
    return Check("torchao", told, "pip uninstall -y torchao (pricelab does not use it), then restart Python")


def _gpu() -> Check | None:
    """A GPU that isn't there on Colab, or is there and torch can't use it."""
    import torch

    if torch.cuda.is_available():
        return None
    if name := nvidia_gpu():
        if torch.version.cuda is None:
            why, cure = "is a build without CUDA", "install torch for CUDA, as pytorch.org says for this system"
        else:
            why, cure = f"for CUDA {torch.version.cuda} can't start it", "update NVIDIA's driver, then restart"
        return Check("GPU", f"{name} is there, but torch {torch.__version__} {why}: the CPU does the work", cure)
    if on_colab():
        cure = "choose Runtime → Change runtime type → T4 GPU, then Run all"
        return Check("GPU", "this Colab runtime has none, so everything runs at a laptop's sizes", cure)
    return None


def nvidia_gpu() -> str:
    """The name of the first NVIDIA GPU that the driver's own tool finds, else nothing."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    command = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        asked = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=NVIDIA_SMI_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if asked.returncode else asked.stdout.strip().partition("\n")[0]


def _gpu_memory() -> Check | None:
    import torch

    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    held = total - free - torch.cuda.memory_reserved()  # what this very process holds is its own affair
    if held <= (1 - FREE_GPU_SHARE) * total:
        return None
    where = "Runtime → Manage sessions, and end the others" if on_colab() else "`nvidia-smi` says which; end it"
    return Check("GPU memory", f"another program holds {held / 1e9:.1f} of {total / 1e9:.1f} GB", where)


def _bf16() -> Check | None:
    import torch

    if not torch.cuda.is_available() or torch.cuda.get_device_capability()[0] >= 8:
        return None
    note = (
        "nothing to do here: pricelab computes in fp16 and scales the loss. In code of your own pass "
        "dtype=torch.float16 to from_pretrained, which otherwise loads a bf16 checkpoint as it is"
    )
    return Check("bf16", f"{torch.cuda.get_device_name()} has none in hardware", note=note)


def _bitsandbytes() -> Check | None:
    """bitsandbytes that found no CUDA library though torch uses a GPU: 4-bit layers would fail at their first use."""
    import torch

    if not torch.cuda.is_available():
        return None
    cure = "pip install --upgrade --no-deps bitsandbytes, restart Python; `python -m bitsandbytes` says what it misses"
    try:
        from bitsandbytes.cextension import lib
    except Exception as error:  # it may fail in any way of a native library
        return Check("bitsandbytes", f"cannot be imported: {error}", cure)
    if getattr(lib, "compiled_with_cuda", False) is True:
        return None
    return Check("bitsandbytes", "found no library for this GPU's CUDA: 4-bit layers can't work on the GPU", cure)


def _colab() -> Check | None:
    """Where a Colab machine keeps what is made: by default it is gone with the machine."""
    from pricelab.files import cache_dir

    if not on_colab():
        return None
    try:
        kept = DRIVE in cache_dir().parents
    except OSError:
        return None  # told as a fault of the disk
    if kept:
        value = f"runs are kept in Google Drive: {', '.join(GOING_ON[:-1])} and {GOING_ON[-1]} go on after a disconnect"
        return Check("Colab", value, note="tick DRIVE again, then Run all; what other notebooks train begins anew")
    note = "to keep them, tick DRIVE in the first cell and run it again"
    return Check(
        "Colab",
        f"Python {sys.version_info[0]}.{sys.version_info[1]}; runs stay on this machine and go with it",
        note=note,
    )
