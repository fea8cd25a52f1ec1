"""What a format of weights costs: error, bytes, time; and that a 4-bit layer lets a gradient through."""

import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab import load_base
from pricelab.by_hand import formats, nf4
from pricelab.by_hand.lora import LoRALinear
from pricelab.costs import SHAPES
from pricelab.exercises.notebook_06 import mystery_weights

pytestmark = pytest.mark.usefixtures("one_thread")


def normal(n=65_536, seed=0):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def tiny():
    return load_base("tiny", device="cpu").model


# ---- error


def test_relative_error_of_known_numbers():
    x = torch.tensor([3.0, 4.0])
    assert formats.relative_error(x, x) == 0
    assert formats.relative_error(x, torch.zeros(2)) == pytest.approx(1)
    assert formats.relative_error(x, x + torch.tensor([0.3, 0.4])) == pytest.approx(0.1)


def test_formats_on_normal_weights():
    error = formats.errors(normal())
    assert error["NF4, blocks of 32"] < error["min–max"] < error["NF4"] < error["int4"]
    assert error["NF4"] == pytest.approx(0.092, abs=0.001)


def test_weights_with_a_past_flatter_the_grid_they_were_rounded_to():
    error = formats.errors(mystery_weights(), block=32)
    assert error["min–max"] < 1e-6 < 0.05 < error["NF4"]
    assert all(len(block.unique()) <= 16 for block in mystery_weights().reshape(-1, 32)[:50])


def test_error_curves_rise_with_the_block_and_have_names():
    books = {"NF4": nf4.NF4, "int4": nf4.uniform_grid(4)}
    curves = formats.error_curves({"normal": normal()}, books, (32, 1024, 65_536))
    assert list(curves) == ["NF4, normal", "int4, normal"]
    assert all(curve == sorted(curve) for curve in curves.values())


def test_the_linear_weights_are_those_that_four_bit_loading_quantises(tiny):
    matrices = formats.linear_weights(tiny)
    weights = load_base("tiny", quantise=True, device="cpu").model.parameters()
    quantised = [weight.quant_state.shape for weight in weights if hasattr(weight, "quant_state")]
    assert [matrix.shape for matrix in matrices] == quantised
    assert sum(matrix.numel() for matrix in matrices) == SHAPES["tiny"].linear


# ---- bytes


def test_bytes_of_a_known_shape():
    shape = SHAPES["Llama-3.1-8B"]
    by_format = formats.bytes_by_format(shape)
    assert by_format["bf16"] == 2 * shape.parameters
    assert by_format["fp32"] == 2 * by_format["bf16"] > 4 * by_format["NF4"]
    assert by_format["NF4"] == pytest.approx(6.98e9 * 4.127 / 8 + 1.05e9 * 2, rel=0.01)


@pytest.mark.parametrize("quantise", [False, True])
def test_what_is_held_is_what_is_counted(quantise):
    held = formats.Held.of(load_base("tiny", quantise=quantise, device="cpu").model)
    assert held.measured == pytest.approx(held.counted, rel=0.002)
    assert (held.bits < 5) == quantise and f"{held.bits:.4g} bits" in str(held)


def test_scales_without_double_quantisation_are_counted_too():
    model = torch.nn.Sequential(formats.four_bit_copy(torch.nn.Linear(64, 64, bias=False)))
    model.get_memory_footprint = lambda: 64 * 64 // 2
    assert formats.held_bytes(model) == 2048 + 64 + 4
    state = model[0].weight.quant_state
    state.absmax, state.nested = torch.ones(64), False
    assert formats.held_bytes(model) == 2048 + 64 * 4


# ---- time


@pytest.mark.parametrize("n", [1, 5, 21, 40])
def test_the_interval_of_a_median_holds_it(n):
    low, high = formats.median_interval(list(range(n)))
    assert low <= n // 2 <= high
    assert (low, high) == {1: (0, 0), 5: (0, 4), 21: (5, 15), 40: (12, 27)}[n]


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=60))
def test_the_interval_of_a_median_is_made_of_measurements(values):
    low, high = formats.median_interval(values)
    assert low in values and high in values and low <= sorted(values)[len(values) // 2] <= high


def test_a_ratio_is_the_median_of_pairs(monkeypatch):
    clock = iter(range(1, 1000))
    seconds = {"slow": lambda: 4.0 + next(clock) / 1000, "fast": lambda: 2.0}
    monkeypatch.setattr(formats, "_seconds", lambda layer, x, back: seconds[layer]())
    ratio = formats.time_ratio("slow", "fast", torch.zeros(8, 4), repeats=9)
    longer = ratio.percent_longer
    assert (longer.low, longer.value) == pytest.approx((100 * (ratio.low - 1), 100 * (ratio.value - 1)))
    assert (ratio.tokens, ratio.n) == (8, 9) and ratio.low <= ratio.value <= ratio.high
    assert ratio.value == pytest.approx(2.003, abs=1e-9)


def test_layers_are_timed_without_gradients():
    seen = []
    formats._seconds(lambda x: seen.append(torch.is_grad_enabled()), torch.zeros(1))
    assert seen == [False]


def test_with_the_way_back_the_gradient_reaches_the_input_and_no_weight():
    seen, layer = [], torch.nn.Linear(4, 4).requires_grad_(False)

    def watched(x):
        y = layer(x)
        y.register_hook(lambda gradient: seen.append(gradient.shape))
        return y

    assert formats._seconds(watched, torch.zeros(3, 4), back=True) > 0
    assert seen == [(3, 4)] and layer.weight.grad is None


def test_a_gpu_is_waited_for(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(1))
    formats._wait(types.SimpleNamespace(is_cuda=True))
    formats._wait(torch.zeros(1))
    assert waited == [1]


# ---- the 4-bit layer


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("bias", [False, True])
def test_a_four_bit_copy_multiplies_with_the_weights_made_by_hand(dtype, bias):
    torch.manual_seed(0)
    plain = torch.nn.Linear(128, 64, bias=bias).to(dtype)
    layer, x = formats.four_bit_copy(plain), torch.randn(5, 128, dtype=dtype)
    rounded = nf4.store(plain.weight).dequantise().to(dtype)
    assert torch.allclose(layer(x), torch.nn.functional.linear(x, rounded, plain.bias), rtol=1e-2, atol=1e-3)


def test_a_gradient_passes_through_four_bits_into_the_adapter_and_the_input():
    torch.manual_seed(0)
    frozen = formats.four_bit_copy(torch.nn.Linear(64, 32, bias=False))
    layer, before = LoRALinear(frozen, rank=4, alpha=8), frozen.weight.detach().clone()
    x, wanted = torch.randn(16, 64, requires_grad=True), torch.randn(16, 32)
    optimizer, losses = torch.optim.AdamW([layer.A, layer.B], lr=0.02), []
    for _ in range(20):
        loss = torch.nn.functional.mse_loss(layer(x), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert layer.A.grad.any() and layer.B.grad.any() and x.grad.any()
    assert frozen.weight.grad is None and torch.equal(frozen.weight, before)
