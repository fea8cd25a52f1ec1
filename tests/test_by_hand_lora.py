"""LoRA by hand: the layer, its life in a model, and that peft computes the same."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from torch import nn

from pricelab.bases import load_base
from pricelab.by_hand.lora import (
    ALL_LINEAR,
    LoRALinear,
    adapter_state,
    fingerprint,
    fit,
    inject,
    load_adapter_state,
    lora_layers,
    merge,
    peft_state,
    trainable_parameters,
    unmerge,
)
from pricelab.training import Recipe, add_adapters

pytestmark = pytest.mark.usefixtures("one_thread")

IDS = torch.tensor([[5, 9, 2, 7, 7, 30, 1, 12]])


def a_layer(inputs=6, outputs=4, rank=2, alpha=4.0, bias=False, seed=0):
    torch.manual_seed(seed)
    return LoRALinear(nn.Linear(inputs, outputs, bias=bias), rank, alpha)


def stirred(module, seed=1):
    """Any B but zero, so that the adapter has a say."""
    torch.manual_seed(seed)
    for layer in [module] if isinstance(module, LoRALinear) else lora_layers(module).values():
        nn.init.normal_(layer.B, std=0.05)
    return module


def tiny(dtype=torch.float32):
    return load_base("tiny", device="cpu").model.to(dtype)


class Toy(nn.Module):
    """Two blocks with the names that language models use."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(
            nn.ModuleDict({"q_proj": nn.Linear(8, 8), "norm": nn.LayerNorm(8)}) for _ in range(2)
        )
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        for block in self.layers:
            x = block["norm"](x + torch.tanh(block["q_proj"](x)))
        return self.head(x)


# ---- the layer


@given(inputs=st.integers(1, 9), outputs=st.integers(1, 9), bias=st.booleans(), seed=st.integers(0, 99), data=st.data())
@settings(max_examples=40, deadline=None)
def test_it_starts_as_the_frozen_layer_and_then_computes_the_equation(inputs, outputs, bias, seed, data):
    rank = data.draw(st.integers(1, min(inputs, outputs)))
    layer = a_layer(inputs, outputs, rank, 3.0, bias, seed).double()
    x = torch.randn(2, 5, inputs, dtype=torch.float64)
    assert torch.equal(layer(x), layer.base(x))
    stirred(layer, seed)
    changed = layer.base.weight + 3.0 / rank * layer.B @ layer.A
    torch.testing.assert_close(layer(x), nn.functional.linear(x, changed, layer.base.bias))
    torch.testing.assert_close(layer.delta, (changed - layer.base.weight).detach())
    assert torch.linalg.matrix_rank(layer.delta) <= rank


def test_a_known_value():
    layer = LoRALinear(nn.Linear(2, 2, bias=False), rank=1, alpha=3)
    with torch.no_grad():
        layer.base.weight.copy_(torch.eye(2))
        layer.A.copy_(torch.tensor([[1.0, 2.0]]))
        layer.B.copy_(torch.tensor([[10.0], [0.0]]))
    assert layer(torch.tensor([1.0, 1.0])).tolist() == [91.0, 1.0]  # 1 + 3 · 10 · (1 + 2), and 1


def test_at_the_start_only_B_gets_a_gradient_other_than_zero():
    layer = a_layer(bias=True)
    x = torch.randn(3, 6, requires_grad=True)
    layer(x).square().sum().backward()
    assert layer.base.weight.grad is None and layer.base.bias.grad is None
    assert layer.A.grad.count_nonzero() == 0 and layer.B.grad.count_nonzero() > 0
    torch.testing.assert_close(x.grad, 2 * layer(x).detach() @ layer.base.weight)


def test_gradients_are_right():
    layer = stirred(a_layer()).double()
    x = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)

    def output(x, A, B):
        return torch.func.functional_call(layer, {"A": A, "B": B}, (x,))

    assert torch.autograd.gradcheck(output, (x, layer.A, layer.B))


@pytest.mark.parametrize("rank", [0, -1, 5])
def test_a_rank_out_of_range_is_refused(rank):
    with pytest.raises(ValueError, match=f"between 1 and the smaller side of the 4 × 6 weights, got {rank}"):
        a_layer(rank=rank)


@pytest.mark.parametrize("alpha", [0, -2.0, float("nan"), float("inf")])
def test_an_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha must be a positive number"):
        a_layer(alpha=alpha)


def test_sixteen_bit_weights_answer_in_sixteen_bits_while_the_adapter_stays_in_thirty_two():
    layer = LoRALinear(nn.Linear(6, 4, dtype=torch.bfloat16), 2, 4)
    assert layer(torch.randn(3, 6, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert layer.A.dtype == layer.B.dtype == torch.float32


# ---- four bits


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gradient_passes_through_a_frozen_four_bit_layer(dtype):
    import bitsandbytes

    torch.manual_seed(0)
    four_bit = bitsandbytes.nn.Linear4bit(64, 32, bias=False, quant_type="nf4", compute_dtype=dtype).to("cpu")
    assert four_bit.weight.dtype == torch.uint8
    layer = LoRALinear(four_bit, 4, 8)
    x = torch.randn(5, 64, dtype=dtype, requires_grad=True)
    assert torch.equal(layer(x), four_bit(x))
    stirred(layer)(x).sum().backward()
    assert four_bit.weight.grad is None and four_bit.weight.dtype == torch.uint8
    assert min(grad.abs().max() for grad in (layer.A.grad, layer.B.grad, x.grad)) > 0
    values = bitsandbytes.functional.dequantize_4bit(four_bit.weight.data, four_bit.weight.quant_state).float()
    through = (values + layer.delta).sum(0).expand_as(x)
    torch.testing.assert_close(x.grad.float(), through, atol=0.02 if dtype == torch.bfloat16 else 1e-4, rtol=0.02)


def test_a_four_bit_model_learns_and_refuses_to_merge():
    model = load_base("tiny", device="cpu", quantise=True).model
    with torch.no_grad():
        before = model(IDS).logits
    inject(model, ALL_LINEAR, rank=2, alpha=4)
    assert torch.equal(model(IDS).logits, before)
    model(IDS).logits.float().square().mean().backward()
    assert {name[-1] for name, weight in model.named_parameters() if weight.grad is not None} == {"A", "B"}
    with pytest.raises(ValueError, match="is quantised and merging would round it again"):
        merge(model)
    assert not any(layer.merged for layer in lora_layers(model).values())


# ---- in a model


def test_injecting_replaces_the_named_layers_and_freezes_the_rest():
    model, x = Toy(), torch.randn(2, 8)
    before = model(x)
    layers = inject(model, ["q_proj"], rank=2, alpha=4)
    assert list(layers) == ["layers.0.q_proj", "layers.1.q_proj"]
    assert torch.equal(model(x), before)
    held = {id(weight) for weight in trainable_parameters(model)}
    assert held == {id(part) for layer in layers.values() for part in (layer.A, layer.B)}
    assert sum(weight.numel() for weight in trainable_parameters(model)) == 2 * 2 * (8 + 8)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["q_proj", "w_proj"], "no layer is called w_proj; linear layers here: head, q_proj"),
        ([], "names at least one layer, such as ALL_LINEAR, got []"),
        ("q_proj", "names at least one layer, such as ALL_LINEAR, got 'q_proj'"),
        (["norm"], "layers.0.norm is no linear layer"),
    ],
)
def test_targets_that_cannot_be_are_refused_and_nothing_changes(targets, message):
    model = Toy()
    with pytest.raises(ValueError, match=re.escape(message)):
        inject(model, targets, rank=2, alpha=4)
    assert not lora_layers(model) and len(trainable_parameters(model)) == len(list(model.parameters()))


def test_a_second_injection_and_a_rank_too_large_are_refused():
    model = Toy()
    with pytest.raises(ValueError, match="rank must lie"):
        inject(model, ["q_proj", "head"], rank=4, alpha=4)
    assert not lora_layers(model)
    inject(model, ["q_proj"], rank=2, alpha=4)
    with pytest.raises(ValueError, match="has LoRA layers already"):
        inject(model, ["head"], rank=2, alpha=4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("targets", [("q_proj", "v_proj"), ALL_LINEAR])
def test_peft_computes_the_same(dtype, targets):
    ours, theirs = tiny(dtype), add_adapters(tiny(dtype), Recipe(rank=4, alpha=8, targets=targets))
    inject(ours, targets, rank=4, alpha=8)
    stirred(ours)
    assert not set_peft_model_state_dict(theirs, peft_state(ours)).unexpected_keys
    assert peft_state(ours).keys() == get_peft_model_state_dict(theirs).keys()
    logits = [model(IDS).logits for model in (ours, theirs)]
    torch.testing.assert_close(*logits)
    for one in logits:
        one.float().logsumexp(-1).mean().backward()
    gradients = [[weight.grad for weight in trainable_parameters(model)] for model in (ours, theirs)]
    assert min(gradient.abs().max() for gradient in gradients[0]) > 0
    torch.testing.assert_close(*gradients)
    counted = sum(weight.numel() for weight in theirs.parameters() if weight.requires_grad)
    assert counted == sum(weight.numel() for weight in trainable_parameters(ours))


def test_fitting_reaches_a_target_of_low_rank_and_moves_nothing_frozen():
    torch.manual_seed(3)
    layer = LoRALinear(nn.Linear(8, 6, bias=False), 2, 2)
    target, frozen = torch.randn(6, 2) @ torch.randn(2, 8), layer.base.weight.clone()
    losses = fit(trainable_parameters(layer), lambda: (layer.B @ layer.A - target).square().sum(), 300, 0.05)
    assert len(losses) == 300 and losses[0] == pytest.approx(target.square().sum().item())
    assert losses[-1] < 1e-4 * losses[0] and torch.equal(layer.base.weight, frozen)


# ---- adapters that come and go


def test_two_adapters_take_turns_on_one_base():
    model, x = Toy(), torch.randn(2, 8)
    inject(model, ["q_proj", "head"], rank=2, alpha=4)
    bytes_before, frozen = [layer.base.weight.clone() for layer in lora_layers(model).values()], fingerprint(model)
    states = [adapter_state(stirred(model, seed)) for seed in (1, 2)]
    answers = []
    for state in (*states, states[0]):
        load_adapter_state(model, state)
        answers.append(model(x))
    assert torch.equal(answers[0], answers[2]) and not torch.allclose(answers[0], answers[1])
    assert all(map(torch.equal, bytes_before, (layer.base.weight for layer in lora_layers(model).values())))
    assert fingerprint(model) == frozen


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_fingerprint_sees_the_smallest_change_of_a_frozen_weight_and_no_adapter(dtype):
    model = Toy().to(dtype)
    inject(model, ["q_proj", "head"], rank=2, alpha=4)
    before = fingerprint(model)
    stirred(model)
    assert fingerprint(model) == before and len(before) == 12
    weight = lora_layers(model)["head"].base.weight.data
    weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(9, dtype=dtype))
    assert fingerprint(model) != before


def test_a_state_is_a_copy():
    model = Toy()
    inject(model, ["head"], rank=2, alpha=4)
    state = adapter_state(model)
    stirred(model)
    assert state["head.B"].count_nonzero() == 0
    load_adapter_state(model, state)
    stirred(model)
    assert state["head.B"].count_nonzero() == 0


def test_an_adapter_that_does_not_fit_is_refused_and_nothing_changes():
    model, other, larger = Toy(), Toy(), Toy()
    inject(model, ["q_proj"], rank=2, alpha=4)
    inject(other, ["head"], rank=2, alpha=4)
    inject(larger, ["q_proj"], rank=3, alpha=4)
    before = adapter_state(model)
    with pytest.raises(ValueError, match="head.A is only on one side"):
        load_adapter_state(model, adapter_state(other))
    with pytest.raises(ValueError, match=re.escape("layers.0.q_proj.A of the adapter is (3, 8), here it is (2, 8)")):
        load_adapter_state(model, adapter_state(larger))
    assert all(torch.equal(matrix, before[name]) for name, matrix in adapter_state(model).items())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.3)])
def test_merged_answers_as_unmerged_within_the_dtype(dtype, tolerance):
    model = tiny(dtype)
    inject(model, ALL_LINEAR, rank=4, alpha=8)
    stirred(model)
    weights = {name: layer.base.weight.clone() for name, layer in lora_layers(model).items()}
    apart = model(IDS).logits
    merge(model)
    assert (model(IDS).logits - apart).abs().max() <= tolerance
    for name, layer in lora_layers(model).items():
        assert torch.equal(layer.base.weight, (weights[name].float() + layer.delta).to(dtype))
    unmerge(model)
    roundings = 4 * torch.finfo(dtype).eps * max(weight.abs().max() for weight in weights.values())
    drift = max((layer.base.weight - weights[name]).abs().max() for name, layer in lora_layers(model).items())
    assert drift <= roundings and (model(IDS).logits - apart).abs().max() <= tolerance


def test_unmerging_in_sixteen_bits_does_not_bring_back_the_weights():
    model = tiny(torch.bfloat16)
    layer = next(iter(inject(model, ["q_proj"], rank=4, alpha=8).values()))
    stirred(model)
    before = layer.base.weight.clone()
    merge(model)
    unmerge(model)
    assert 0 < (layer.base.weight != before).double().mean() < 1


def test_merging_keeps_its_order():
    model = Toy()
    with pytest.raises(ValueError, match="no LoRA layers"):
        merge(model)
    inject(model, ["head"], rank=2, alpha=4)
    state = adapter_state(model)
    with pytest.raises(ValueError, match="no adapter is merged"):
        unmerge(model)
    merge(model)
    for wrong in (merge, lambda merged: load_adapter_state(merged, state)):
        with pytest.raises(ValueError, match="call unmerge"):
            wrong(model)
    unmerge(model)
    load_adapter_state(model, state)
