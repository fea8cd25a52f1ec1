"""`torch.compile` for the layers of a base while it trains; off unless the recipe asks for it.

Each decoder layer is compiled in place and by itself: they are alike, so that two compilations serve all of them (the
first layer's inputs need no gradients), and the names of the weights stay what checkpoints call them. Lengths are left
open, since batches differ in theirs. The first step takes a minute or more on a CPU. Asked for with `--compile`.
"""

import contextlib
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pricelab.backbone import causal_lm


@contextlib.contextmanager
def compiled(model: Any) -> Iterator[None]:
    """The decoder layers of ``model`` compiled, and plain again afterwards, when texts of other shapes come.

    Raises:
        ValueError: there is no compiler, or the model has no list of layers.
    """
    check_compiler()
    layers = getattr(causal_lm(model).base_model, "layers", None)
    if layers is None:
        raise ValueError(f"{type(causal_lm(model)).__name__} has no list of layers to compile; leave compile out")
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        yield
    finally:
        for layer in layers:
            layer._compiled_call_impl = None


def check_compiler() -> None:
    """Refuse in words where `torch.compile` would fail: without a C++ compiler or Python's headers."""
    compiler = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if shutil.which(compiler) is None:
        raise ValueError(
            f"torch.compile needs a C++ compiler, and there is no {compiler} here; install one (on Debian: apt install "
            "g++), name yours in the variable CXX, or leave compile out"
        )
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    if not headers.is_file():
        raise ValueError(
            f"torch.compile needs Python's headers, and {headers} is missing; install them (on Debian: apt install "
            "python3-dev), or leave compile out"
        )
