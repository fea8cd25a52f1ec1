"""Four bits by hand: known values, what rounding may do, and the same bits as bitsandbytes."""

import bitsandbytes.functional as bnb
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from pricelab.by_hand import nf4
from pricelab.by_hand.nf4 import NF4

unhurried = settings(deadline=None)  # the first example waits for imports, or for a busy machine
pytestmark = pytest.mark.usefixtures("one_thread")

LARGEST_GAP = float(NF4.diff().max())


def draw(shape, seed=0, dtype=torch.float32, size=0.05):
    return (size * torch.randn(shape, generator=torch.Generator().manual_seed(seed))).to(dtype)


def reads_back(x):
    """Whether bitsandbytes gives these rows back with their own scales on every CPU.

    Its AVX-512 kernel (seen in 0.50.2) takes another block's scale where a row's length is a multiple of 16 and not of
    64. What is stored is right there too.
    """
    return x.shape[-1] % 16 != 0 or x.shape[-1] % 64 == 0


def same_bits(x):
    """Asserts that what is stored of ``x`` (rows of an even length), and what comes back, is what bitsandbytes has."""
    packed, state = bnb.quantize_4bit(x, quant_type="nf4", compress_statistics=True)
    ours = nf4.store(x)
    theirs = [packed.flatten(), state.absmax, state.state2.absmax, state.offset]
    for (name, part), other in zip(ours.parts.items(), theirs, strict=True):
        assert part.dtype == other.dtype and torch.equal(part, other), name
    if reads_back(x):
        assert torch.equal(ours.dequantise().to(x.dtype), bnb.dequantize_4bit(packed, state))


def same_bits_with_fp32_scales(x):
    packed, state = bnb.quantize_4bit(x, quant_type="nf4", compress_statistics=False)
    codes, scales = nf4.quantise(x)
    assert torch.equal(nf4.pack(codes), packed.flatten()) and torch.equal(scales, state.absmax)
    assert torch.equal(nf4.round_trip(x).to(x.dtype), bnb.dequantize_4bit(packed, state))


# ---- the same bits


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("shape", [(64, 64), (128, 384), (30, 10), (7, 6), (300, 66), (2, 2), (513, 1000)], ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_matrices_are_stored_bit_for_bit_as_by_bitsandbytes(shape, dtype, seed):
    x = draw(shape, seed, dtype)
    same_bits(x)
    same_bits_with_fp32_scales(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_so_are_blocks_of_zeros_and_outliers(dtype):
    x = draw((96, 64), dtype=dtype)
    x[3], x[10], x[20, 5], x[21, :] = 0, -x[10].abs(), 40, x[21, 0]
    same_bits(x)
    same_bits(torch.zeros(8, 64, dtype=dtype))
    same_bits(torch.ones(300, 64, dtype=dtype))


@settings(unhurried, max_examples=150)
@given(
    st.integers(1, 40), st.integers(1, 100), st.integers(0, 2**31), st.sampled_from([torch.float32, torch.bfloat16]),
    st.sampled_from([1e-6, 1e-3, 1.0, 1e4]), st.floats(0, 1), st.floats(0.3, 4),
)  # fmt: skip
def test_so_is_any_matrix(rows, pairs, seed, dtype, size, zeros, power):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows + 1, 2 * pairs, generator=generator)
    x = size * x.sign() * x.abs() ** power * (torch.rand(x.shape, generator=generator) >= zeros)
    x[-1] = 1.0  # a short last block of zeros has its own test
    same_bits(x.to(dtype))


def test_an_odd_number_of_weights_leaves_half_a_byte():
    x = draw((7, 9))
    packed, state = bnb.quantize_4bit(x, quant_type="nf4", compress_statistics=False)
    codes, scales = nf4.quantise(x)
    assert torch.equal(nf4.pack(codes), packed.flatten()) and torch.equal(scales, state.absmax)


def test_a_short_last_block_of_zeros_is_zero_in_both():
    packed, state = bnb.quantize_4bit(torch.zeros(8, 10), quant_type="nf4", compress_statistics=False)
    codes, scales = nf4.quantise(torch.zeros(8, 10))
    assert torch.equal(nf4.pack(codes), packed.flatten())
    assert torch.allclose(scales, state.absmax, rtol=0, atol=nf4.TINY)
    assert not nf4.round_trip(torch.zeros(8, 10)).any() and not bnb.dequantize_4bit(packed, state).any()


def test_int8_rows_are_those_of_llm_int8():
    x = draw((20, 96))
    integers, scales = nf4.absmax_quantise(x, 8, block=96)
    theirs, absmax, _ = bnb.int8_vectorwise_quant(x)
    assert torch.equal(integers, theirs) and torch.equal(scales.flatten(), absmax)


# ---- books of levels


def test_the_published_book_is_the_library_s():
    assert torch.equal(NF4, bnb.get_4bit_type("nf4", device="cpu"))
    assert torch.equal(nf4.dynamic_map(), bnb.create_dynamic_map())


def test_the_book_follows_from_normal_quantiles():
    assert torch.allclose(nf4.code_book(torch.float32), NF4, rtol=0, atol=1e-7)
    book = nf4.code_book()
    assert torch.allclose(book, NF4, rtol=0, atol=2e-7)
    assert np.isclose(book[1], -norm.ppf(0.5 + (nf4.OFFSET - 0.5) * 6 / 7) / norm.ppf(nf4.OFFSET))
    assert np.isclose(nf4.OFFSET, 1 - (1 / 30 + 1 / 32) / 2, atol=1e-7)


def test_seven_levels_below_an_exact_zero_and_eight_above():
    assert (NF4 < 0).sum() == 7 and (NF4 > 0).sum() == 8 and NF4[nf4.ZERO_CODE] == 0
    assert NF4[0] == -1 and NF4[-1] == 1 and (NF4.diff() > 0).all()


@pytest.mark.parametrize(("bits", "largest"), [(8, 127), (4, 7), (2, 1)])
def test_a_uniform_grid_has_zero_and_even_steps(bits, largest):
    grid = nf4.uniform_grid(bits)
    assert len(grid) == 2**bits - 1 == 2 * largest + 1 and grid[largest] == 0
    assert torch.allclose(grid.diff(), torch.full((2 * largest,), 1 / largest))


def test_the_dynamic_type_is_denser_near_zero():
    levels = nf4.dynamic_map()
    assert len(levels) == 256 and 0 in levels and (levels.diff() > 0).all()
    per_decade = [int(((levels > 10.0 ** (p - 7)) & (levels < 10.0 ** (p - 6))).sum()) for p in range(7)]
    assert per_decade == [1, 2, 4, 8, 16, 32, 64]


@unhurried
@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50))
def test_nearest_is_nearest(values):
    shares = torch.tensor(values)
    chosen = (NF4[nf4.nearest(shares, NF4)] - shares).abs()
    best = (NF4[None] - shares[:, None]).abs().amin(1)
    assert torch.allclose(chosen, best, rtol=0, atol=1e-7)


def test_the_table_is_wrong_only_next_to_a_midpoint():
    book, shares = nf4.dynamic_map(), torch.rand(20_000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    exact, looked_up = nf4.nearest(shares, book), nf4.nearest_by_table(shares, book)
    other = exact != looked_up
    assert 0 < other.sum() < 200
    middles = (book[exact[other]] + book[looked_up[other]]) / 2
    assert (shares[other] - middles).abs().max() <= 1.01 / nf4.TABLE_STEPS


# ---- quantise and back


def test_known_integers():
    integers, scales = nf4.absmax_quantise(torch.tensor([[-4.0, 2.0, 1.0], [0.0, 0.0, 0.0]]), bits=8, block=3)
    assert integers.tolist() == [[-127, 64, 32], [0, 0, 0]] and scales.flatten().tolist() == [4.0, 0.0]
    assert nf4.absmax_quantise(torch.tensor([1.0, -0.5]), bits=4)[0].tolist() == [[7, -4]]


@unhurried
@given(st.integers(2, 8), st.integers(1, 200), st.integers(1, 70), st.integers(0, 2**31))
def test_an_integer_is_at_most_half_a_step_away(bits, n, block, seed):
    x = draw((n,), seed)
    _, scales = nf4.absmax_quantise(x, bits, block)
    steps = scales.flatten().repeat_interleave(block)[:n] / nf4.largest_integer(bits)
    assert ((x - nf4.absmax_round_trip(x, bits, block)).abs() <= 0.5001 * steps).all()
    assert torch.allclose(nf4.absmax_round_trip(x, bits, block), nf4.round_trip(x, nf4.uniform_grid(bits), block))


@unhurried
@given(st.integers(1, 300), st.integers(1, 70), st.integers(0, 2**31))
def test_nf4_keeps_zero_and_the_absmax_and_misses_by_half_a_gap_at_most(n, block, seed):
    x = draw((n,), seed)
    x[::3] = 0
    back, scales = nf4.round_trip(x, block=block), nf4.quantise(x, block=block)[1]
    assert (back[x == 0] == 0).all()
    assert torch.equal(nf4.quantise(back, block=block)[1], scales)
    bound = scales.repeat_interleave(block)[:n] * LARGEST_GAP / 2
    assert ((x - back).abs() <= 1.0001 * bound).all()


@unhurried
@given(st.integers(1, 300), st.integers(0, 2**31))
def test_a_second_round_trip_changes_nothing(n, seed):
    once = nf4.round_trip(draw((n,), seed))
    assert torch.equal(nf4.round_trip(once), once)


def test_one_large_weight_spoils_its_block_and_no_other():
    x = draw((4, 64))
    y = x.clone()
    y[1, 0] = 100
    before, after = (nf4.round_trip(one) for one in (x, y))
    assert torch.equal(before[[0, 2, 3]], after[[0, 2, 3]]) and not after[1, 1:].any()


@unhurried
@given(st.integers(1, 200), st.integers(0, 2**31))
def test_even_levels_from_min_to_max_are_at_most_sixteen_and_stay(n, seed):
    once = nf4.minmax_round_trip(draw((n, 32), seed), bits=4, block=32)
    assert all(len(row.unique()) <= 16 for row in once[:5])
    assert torch.allclose(nf4.minmax_round_trip(once, bits=4, block=32), once, rtol=1e-5, atol=1e-7)


def test_rounding_works_on_any_shape_and_cuts_no_gradient_graph():
    x = torch.nn.Parameter(draw((3, 5, 7)))
    rounded = (nf4.round_trip(x), nf4.absmax_round_trip(x), nf4.minmax_round_trip(x), nf4.store(x).dequantise())
    assert all(one.shape == x.shape and not one.requires_grad for one in rounded)


@pytest.mark.parametrize(
    "call",
    [
        lambda: nf4.quantise(torch.tensor([])),
        lambda: nf4.quantise(torch.tensor([1.0, float("nan")])),
        lambda: nf4.quantise(torch.ones(4), block=0),
        lambda: nf4.absmax_quantise(torch.ones(4), bits=1),
        lambda: nf4.uniform_grid(9),
    ],
)
def test_what_cannot_be_rounded_is_refused(call):
    with pytest.raises(ValueError, match="got"):
        call()


# ---- storing


def test_the_first_code_is_in_the_upper_half_of_the_byte():
    assert nf4.pack(torch.tensor([9, 6, 15], dtype=torch.uint8)).tolist() == [0x96, 0xF7]


@unhurried
@given(st.lists(st.integers(0, 15), min_size=1, max_size=99))
def test_packing_loses_nothing(values):
    codes = torch.tensor(values, dtype=torch.uint8)
    packed = nf4.pack(codes)
    assert packed.nbytes == -(-len(values) // 2)
    assert torch.equal(nf4.unpack(packed, len(values)), codes)


def test_scales_quantised_once_more_stay_close():
    scales = draw((4000,)).abs() + 0.1
    nested = nf4.double_quantise(scales)
    assert nested.codes.dtype == torch.uint8 and len(nested.scales) == 16
    assert (nested.dequantise() - scales).abs().max() < 0.01 * scales.mean()


def test_equal_scales_are_kept_exactly():
    nested = nf4.double_quantise(torch.full((300,), 0.25))
    assert torch.equal(nested.dequantise(), torch.full((300,), 0.25))


@pytest.mark.parametrize(
    ("options", "bits"),
    [
        ({}, 4.126953125),
        ({"nested_block": None}, 4.5),
        ({"block": 32}, 4.25390625),
        ({"bits": 8, "block": 4096, "nested_block": None}, 8.0078125),
    ],
)
def test_bits_per_weight_are_counted_exactly(options, bits):
    assert nf4.bits_per_weight(**options) == bits


def test_the_bytes_that_are_kept_agree_with_the_count():
    x = draw((256, 1024))
    parts = nf4.store(x).parts
    kept = 8 * (sum(part.nbytes for part in parts.values()) - parts["mean of the scales"].nbytes)
    assert kept / x.numel() == nf4.bits_per_weight()
