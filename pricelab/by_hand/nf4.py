"""Four bits by hand: absmax integers, the NF4 code book, blocks, double quantisation, two codes in a byte.

Covers what bitsandbytes stores for a weight matrix, bit for bit. What it costs is left to `formats`, the layer and its
gradient to bitsandbytes. Introduced in notebook 06.

Notation: n weights in blocks of b; a block's scale is its largest absolute value (absmax), so a weight's share of the
scale lies in −1 … 1, and a code is the place of a share in a sorted book of levels. Sources: QLoRA (arXiv 2305.14314),
8-bit optimizers (arXiv 2110.02861).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK, NESTED_BLOCK = 64, 256  # weights that share a scale; scales that share a scale of their own
SCALE_BITS = 32
OFFSET = 0.9677083  # probability of the outermost quantile: the mean of 1 − 1/30 and 1 − 1/32
TINY = 1e-38  # stands in for the absmax of a block of zeros, so that nothing is divided by 0
TABLE_STEPS = 65_535  # of the table through which bitsandbytes finds an 8-bit code on a CPU
ZERO_CODE = 7  # place of 0.0 in the NF4 code book

# The code book as published (QLoRA) and as bitsandbytes holds it.
NF4 = torch.tensor(
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
     -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
     0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
)  # fmt: skip


# ---- books of levels


def code_book(dtype: torch.dtype = torch.float64) -> Tensor:
    """The 16 levels of NF4 from the quantiles of a normal distribution: 7 below zero, zero, 8 above; (16,), fp32.

    Args:
        dtype: of the probabilities. In float32, as the authors computed, the result is `NF4`; in float64 some levels
            differ from it by a few units of fp32's last digit.
    """
    from scipy.stats import norm

    below = norm.ppf(1 - torch.linspace(OFFSET, 0.5, 8, dtype=dtype)[:-1])
    above = norm.ppf(torch.linspace(OFFSET, 0.5, 9, dtype=dtype)[:-1])
    levels = torch.tensor([*below, 0.0, *above], dtype=torch.float32).sort().values
    return levels / levels.abs().max()


def uniform_grid(bits: int) -> Tensor:
    """Evenly spaced levels from −1 to 1 with zero among them: 2^bits − 1 of them, fp32."""
    largest = largest_integer(bits)
    return torch.arange(-largest, largest + 1) / largest


def dynamic_map() -> Tensor:
    """The 256 levels of the signed 8-bit dynamic type (arXiv 2110.02861), sorted, fp32.

    Each power of ten from 1e-6 to 1 has twice as many evenly spaced levels as the one below it.
    """
    levels = [0.0, 1.0]
    for power in range(7):
        edges = torch.linspace(0.1, 1, 2**power + 1)
        middles = 10 ** (power - 6) * ((edges[:-1] + edges[1:]) / 2)
        levels += [*middles.tolist(), *(-middles).tolist()]
    return torch.tensor(sorted(levels))


def nearest(shares: Tensor, book: Tensor) -> Tensor:
    """Place of the level nearest to each share; half-way between two, the lower one. Any shape, int64."""
    return torch.bucketize(shares, (book[:-1] + book[1:]) / 2)


def nearest_by_table(shares: Tensor, book: Tensor) -> Tensor:
    """`nearest`, but from a table of 65,536 shares, as bitsandbytes finds 8-bit codes on a CPU.

    A share is rounded to the table's grid first, so close to a midpoint the neighbour can win.
    """
    place = ((shares + 1) * 0.5 * TABLE_STEPS + 0.5).int()
    return nearest(-1 + 2 * place / TABLE_STEPS, book)


# ---- quantise and back


def in_blocks(x: Tensor, block: int | None = None) -> Tensor:
    """The numbers of ``x`` in fp32, in their order, as (blocks, block); a short last block is filled up with zeros.

    Args:
        x: any shape, not empty.
        block: numbers to a block; ``None`` puts the whole tensor into one.

    Raises:
        ValueError: nothing in ``x``, something that isn't finite, or a block below 1.
    """
    flat = x.detach().float().reshape(-1)
    block = flat.numel() if block is None else block
    if not flat.numel() or not flat.isfinite().all() or block < 1:
        raise ValueError(f"expected finite numbers in blocks of 1 or more, got {flat.numel()} numbers, block={block!r}")
    return torch.nn.functional.pad(flat, (0, -flat.numel() % block)).reshape(-1, block)


def block_shares(x: Tensor, block: int | None = BLOCK) -> tuple[Tensor, Tensor]:
    """Each number as a share of its block's absmax, (blocks, block), −1 … 1; and the absmax, (blocks,); fp32."""
    rows = in_blocks(x, block)
    scales = rows.abs().amax(1)
    return rows * (1 / scales.clamp(min=TINY))[:, None], scales


def largest_integer(bits: int) -> int:
    """The largest integer of a signed, symmetric format: 127 for 8 bits, 7 for 4; `ValueError` outside 2 … 8."""
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must lie between 2 and 8, got {bits!r}")
    return 2 ** (bits - 1) - 1


def absmax_quantise(x: Tensor, bits: int = 8, block: int | None = None) -> tuple[Tensor, Tensor]:
    """Integers ``round(x · L / scale)`` with L = `largest_integer`, and the scales (arXiv 2208.07339).

    Returns:
        Integers (blocks, block), int8, and the absmax of each block (blocks, 1), fp32; ``x`` is about
        ``integers · scales / L``.
    """
    rows = in_blocks(x, block)
    scales = rows.abs().amax(1, keepdim=True)
    return torch.round(rows * (largest_integer(bits) / scales.clamp(min=TINY))).to(torch.int8), scales


def absmax_round_trip(x: Tensor, bits: int = 8, block: int | None = None) -> Tensor:
    """``x`` as integers of `absmax_quantise` and back, in its own shape, fp32."""
    integers, scales = absmax_quantise(x, bits, block)
    return _as_shaped(integers * scales / largest_integer(bits), x)


def quantise(
    x: Tensor, book: Tensor = NF4, block: int | None = BLOCK, find: Callable[[Tensor, Tensor], Tensor] = nearest
) -> tuple[Tensor, Tensor]:
    """Codes of ``x`` in ``book``, block by block: (n,), uint8; and each block's absmax, (blocks,), fp32.

    The same as bitsandbytes', but for a short last block of zeros, whose absmax is `TINY` there and 0 here.
    """
    shares, scales = block_shares(x, block)
    return find(shares, book).to(torch.uint8).reshape(-1)[: x.numel()], scales


def dequantise(codes: Tensor, scales: Tensor, book: Tensor = NF4, block: int | None = BLOCK) -> Tensor:
    """What the codes stand for: level · scale of the block; (n,), fp32."""
    return (in_blocks(book[codes.long()], block) * scales[:, None]).reshape(-1)[: codes.numel()]


def round_trip(x: Tensor, book: Tensor = NF4, block: int | None = BLOCK) -> Tensor:
    """``x`` quantised and back, in its own shape, fp32."""
    return dequantise(*quantise(x, book, block), book, block).reshape(x.shape)


def minmax_round_trip(x: Tensor, bits: int = 4, block: int | None = BLOCK) -> Tensor:
    """``x`` rounded to 2^bits even levels from the smallest to the largest number of its block, two constants a block.

    With blocks of 32, this is the grid of a GGUF file's Q4_1 weights.
    """
    rows = in_blocks(x, block)
    low, steps = rows.amin(1, keepdim=True), 2**bits - 1
    step = ((rows.amax(1, keepdim=True) - low) / steps).clamp(min=TINY)
    return _as_shaped(low + step * torch.round((rows - low) / step), x)


def _as_shaped(rows: Tensor, x: Tensor) -> Tensor:
    return rows.reshape(-1)[: x.numel()].reshape(x.shape)


# ---- storing it


def pack(codes: Tensor) -> Tensor:
    """Two 4-bit codes in a byte, the first one in the upper half; (n,) → (⌈n/2⌉,), uint8. A spare half holds 0.0."""
    pairs = torch.nn.functional.pad(codes, (0, codes.numel() % 2), value=ZERO_CODE).reshape(-1, 2)
    return pairs[:, 0] << 4 | pairs[:, 1]


def unpack(packed: Tensor, n: int) -> Tensor:
    """The first ``n`` codes in the bytes of `pack`; (n,), uint8."""
    return torch.stack([packed >> 4, packed & 15], dim=1).reshape(-1)[:n]


@dataclass(frozen=True)
class NestedScales:
    """Scales that are quantised themselves: a byte each."""

    codes: Tensor  # (blocks,), uint8, places in `dynamic_map`
    scales: Tensor  # fp32, one for each 256 codes
    offset: Tensor  # fp32, the mean of all scales, taken off before: what is left has both signs

    def dequantise(self) -> Tensor:
        """The scales as the 4-bit layer uses them; (blocks,), fp32."""
        return dequantise(self.codes, self.scales, dynamic_map(), NESTED_BLOCK) + self.offset


def double_quantise(scales: Tensor, find: Callable[[Tensor, Tensor], Tensor] = nearest_by_table) -> NestedScales:
    """Quantise the scales of the blocks to 8 bits (QLoRA).

    Args:
        scales: (blocks,), fp32.
        find: `nearest_by_table` for the bits that bitsandbytes has on a CPU, `nearest` for the nearest level.
    """
    offset = scales.mean()
    codes, outer = quantise(scales - offset, dynamic_map(), NESTED_BLOCK, find)
    all_equal = (outer == 0).repeat_interleave(NESTED_BLOCK)[: codes.numel()]
    return NestedScales(codes.masked_fill(all_equal, 0), outer, offset)  # 0: as bitsandbytes marks a block of zeros


@dataclass(frozen=True)
class Stored:
    """What is kept of a weight matrix in NF4 with double quantisation."""

    packed: Tensor  # (⌈n/2⌉,), uint8, two codes to a byte
    scales: NestedScales
    shape: torch.Size  # of the matrix

    @property
    def parts(self) -> dict[str, Tensor]:
        """Every tensor that is kept, by a name for people."""
        nested = self.scales
        return {
            "packed codes": self.packed, "8-bit scales": nested.codes, "scales of the scales": nested.scales,
            "mean of the scales": nested.offset,
        }  # fmt: skip

    def dequantise(self) -> Tensor:
        """The weights again, rounded, fp32."""
        codes = unpack(self.packed, self.shape.numel())
        return dequantise(codes, self.scales.dequantise()).reshape(self.shape)


def store(x: Tensor) -> Stored:
    """``x`` in NF4: blocks of 64, scales quantised once more, codes packed."""
    codes, scales = quantise(x)
    return Stored(pack(codes), double_quantise(scales), x.shape)


def bits_per_weight(bits: int = 4, block: int = BLOCK, nested_block: int | None = NESTED_BLOCK) -> float:
    """Bits that a weight takes with its part of the scales; ``nested_block=None`` for scales of 32 bits each."""
    scale = SCALE_BITS if nested_block is None else 8 + SCALE_BITS / nested_block
    return bits + scale / block
