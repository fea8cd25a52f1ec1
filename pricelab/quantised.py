"""Whether 4-bit weights come back as they were stored: asked of bitsandbytes on this very CPU, before it is trusted.

The AVX-512 kernel of bitsandbytes 0.50.2 gives a block of 64 weights the scale of another block where a row's length is
a multiple of 16 and not of 64. The loss would hardly show it, so such a base is refused. Introduced in notebook 06.
"""

import functools
from typing import Any

BLOCK = 64  # weights that share a scale


def check_widths(model: Any, name: str) -> None:
    """Raise `ValueError` when a 4-bit layer of ``model``, loaded as ``name``, has rows that are read back wrongly."""
    widths = {module.in_features for module in model.modules() if type(module).__name__ == "Linear4bit"}
    if wrong := sorted(width for width in widths if not reads_back(width)):
        raise ValueError(
            f"{name} has layers with {', '.join(map(str, wrong))} inputs, and rows of such a length are read back "
            "wrongly from 4 bits by bitsandbytes on this CPU (AVX-512); use method lora, a GPU, or a base whose layers "
            f"have multiples of {BLOCK} inputs"
        )


@functools.cache
def reads_back(width: int) -> bool:
    """Whether rows of ``width`` weights come back from 4 bits as the same weights do in one long row."""
    import torch
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    rows = torch.randn(BLOCK, width, generator=torch.Generator().manual_seed(0))
    stored, state = quantize_4bit(rows, quant_type="nf4")
    read = dequantize_4bit(stored, state)
    state.shape = torch.Size((1, rows.numel()))  # whole blocks, which every kernel reads well
    return torch.equal(read.flatten(), dequantize_4bit(stored, state).flatten())
