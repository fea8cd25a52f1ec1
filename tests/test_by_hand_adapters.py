"""A finished adapter, opened: sizes and directions against the full matrices, and prices at other scales."""

import numpy as np
import pytest
import torch

from pricelab.bases import load_base
from pricelab.by_hand import lora
from pricelab.by_hand.adapters import Update, at_scales, peft_twin, updates
from pricelab.files import data_dir
from pricelab.pricer import Pricer
from pricelab.training import Recipe, add_adapters

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pricer():
    return Pricer.load(data_dir() / "adapters" / "tiny", device="cpu")


def plain(alpha=8, rank=4):
    """peft's adapter on 16-bit weights, every B stirred; and its layers by name."""
    model = add_adapters(load_base("tiny", device="cpu").model, Recipe(rank=rank, alpha=alpha))
    torch.manual_seed(0)
    layers = {name: layer for name, layer in model.named_modules() if hasattr(layer, "get_delta_weight")}
    for layer in layers.values():
        torch.nn.init.normal_(layer.lora_B.default.weight)
    return model, layers


def test_sizes_and_singular_values_are_those_of_the_full_matrices():
    model, layers = plain()
    found = updates(model)
    assert [update.name for update in found] == list(layers)
    for update in found:
        layer = layers[update.name]
        delta = layer.get_delta_weight("default").detach()
        expected = torch.linalg.svdvals(delta).numpy()
        assert update.size == pytest.approx((delta.norm() / layer.get_base_layer().weight.float().norm()).item())
        assert update.singular_values.shape == (4,)
        assert np.allclose(update.singular_values, expected[:4], rtol=1e-4) and np.all(
            expected[4:] < 1e-4 * expected[0]
        )


def test_twice_the_alpha_moves_twice_as_far():
    ones, twos = (updates(plain(alpha)[0]) for alpha in (8, 16))
    assert [2 * one.size for one in ones] == pytest.approx([two.size for two in twos])


def test_the_share_of_the_first_direction():
    assert Update("", 1.0, np.array([4.0, 3.0])).first_direction == pytest.approx(16 / 25)
    assert Update("", 1.0, np.ones(8)).first_direction == pytest.approx(1 / 8)


def test_an_update_in_words():
    update = Update("base_model.model.model.layers.3.mlp.up_proj", 0.0123, np.array([2.0, 0.251]))
    assert str(update) == "model.layers.3.mlp.up_proj, 1.2% of W, singular values 2, 0.25"


def test_a_four_bit_base_is_read_as_the_model_uses_it(pricer):
    from bitsandbytes.functional import dequantize_4bit

    found = updates(pricer.model)
    assert len(found) == 28 and all(update.size > 0 for update in found)
    layer = pricer.model.get_submodule(found[0].name)
    base = layer.get_base_layer().weight
    weight = dequantize_4bit(base.data, base.quant_state).float()
    delta = layer.get_delta_weight("default").detach()
    assert found[0].size == pytest.approx((delta.norm() / weight.norm()).item(), rel=1e-3)


def test_a_model_without_adapters_is_refused():
    with pytest.raises(ValueError, match="no LoRA layers of peft"):
        updates(load_base("tiny", device="cpu").model)


def test_scale_zero_is_the_base_and_one_is_as_trained(pricer):
    path = at_scales(pricer, "Drill Driver, 24 V", (0, 0.5, 1))
    assert list(path) == [0, 0.5, 1]
    for multiple, same in ((0, pricer.untuned), (1, pricer)):
        assert np.allclose(path[multiple].distribution, same.estimate("Drill Driver, 24 V").distribution, atol=1e-6)
    assert np.abs(path[0.5].distribution - path[1].distribution).max() > 1e-4


def test_pefts_twin_answers_as_the_layers_by_hand_do():
    ours, ids = load_base("tiny", device="cpu", master_weights=True).model, torch.arange(12)[None]
    torch.manual_seed(1)
    for layer in lora.inject(ours, lora.ALL_LINEAR, rank=2, alpha=4).values():
        torch.nn.init.normal_(layer.B, std=0.05)
    twin = peft_twin(load_base("tiny", device="cpu", master_weights=True).model, ours, rank=2, alpha=4)
    torch.testing.assert_close(twin(ids).logits, ours(ids).logits)
