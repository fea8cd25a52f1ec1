"""Shapes: parameter counts as transformers and peft count, of real models, and plausible ones of any size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.costs import ALL_LINEAR, ATTENTION, SHAPES, Shape
from pricelab.files import data_dir

# What the checkpoints on the model hub hold, tied weights counted once.
PUBLISHED_TOTALS = {
    "SmolLM2-135M": 134_515_008,
    "SmolLM2-360M": 361_821_120,
    "SmolLM2-1.7B": 1_711_376_384,
    "Qwen3-0.6B": 596_049_920,
    "Qwen3-1.7B": 1_720_574_976,
    "Qwen3-4B": 4_022_468_096,
    "Llama-3.2-1B": 1_235_814_400,
    "Llama-3.2-3B": 3_212_749_824,
    "Llama-2-7B": 6_738_415_616,
    "Llama-3.1-8B": 8_030_261_248,
    "Llama-2-70B": 68_976_648_192,
    "Llama-3.1-70B": 70_553_706_496,
    "Llama-3.1-405B": 405_853_388_800,
}
TOY = Shape("toy", 48, 80, 2, 4, 2, 100, False, 16)


def on_paper(shape):
    """The model of that shape without memory for its weights."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(shape.config())


@pytest.mark.parametrize("name", PUBLISHED_TOTALS)
def test_totals_are_the_published_ones(name):
    assert SHAPES[name].parameters == PUBLISHED_TOTALS[name]


@pytest.mark.parametrize("name", ["tiny", "SmolLM2-135M", "Qwen3-0.6B", "Llama-3.2-1B", "Llama-3.1-8B"])
def test_counts_are_transformers_own(name):
    shape, model = SHAPES[name], on_paper(SHAPES[name])
    assert shape.parameters == model.num_parameters()
    linear = [module.weight.numel() for path, module in model.named_modules() if path.endswith("_proj")]
    assert shape.linear == sum(linear) and len(linear) == 7 * shape.layers
    assert shape.embedding == model.get_input_embeddings().weight.numel()
    assert shape.multiplied == shape.linear + model.get_output_embeddings().weight.numel()
    parts = shape.without_embeddings + shape.embedding * (1 if shape.tied else 2)
    assert shape.parameters == parts


def test_a_shape_is_read_from_a_configuration_a_model_and_one_with_adapters():
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig

    tiny = Shape.of(AutoConfig.from_pretrained(data_dir() / "tiny-base"))
    assert (tiny.name, tiny.parameters) == ("tiny-base", SHAPES["tiny"].parameters)  # no path in the name
    model = on_paper(SHAPES["Qwen3-0.6B"])
    assert Shape.of(model).parameters == Shape.of(model.config).parameters == SHAPES["Qwen3-0.6B"].parameters
    assert Shape.of(get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))).qk_norm


def test_another_architecture_is_refused():
    from transformers import GPT2Config

    with pytest.raises(ValueError, match="gpt2 is not counted here; give a model of llama"):
        Shape.of(GPT2Config())


@pytest.mark.parametrize("targets", [ALL_LINEAR, ATTENTION, ("down_proj",)])
@pytest.mark.parametrize("rank", [1, 8, 64])
def test_lora_parameters_are_pefts(rank, targets):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(on_paper(TOY), LoraConfig(r=rank, target_modules=list(targets)))
    assert TOY.lora_parameters(rank, targets) == model.get_nb_trainable_parameters()[0]


def test_all_linear_layers_are_those_of_a_shape():
    assert set(ALL_LINEAR) == set(TOY.matrices)


@pytest.mark.parametrize("targets", [(), ("q_proj", "lm_head")])
def test_unknown_targets_are_refused(targets):
    with pytest.raises(ValueError, match="unknown targets .*choose from q_proj, k_proj"):
        TOY.lora_parameters(8, targets)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"layers": 0}, "layers must be at least 1"), ({"kv_heads": 3}, "4 query heads cannot share 3 key heads")],
)
def test_an_impossible_shape_is_refused(change, told):
    from dataclasses import replace

    with pytest.raises(ValueError, match=told):
        replace(TOY, **change)


@given(st.floats(6, 12).map(lambda power: 10**power))
def test_a_shape_of_any_size_is_near_it_and_plausible(parameters):
    shape = Shape.of_size(parameters)
    assert shape.parameters == pytest.approx(parameters, rel=0.02)
    assert 1.5 < shape.intermediate / shape.hidden < 4
    assert shape.hidden == shape.heads * shape.head_dim
    assert shape.layers >= 3 and 15 < shape.hidden / shape.layers < 200


@pytest.mark.parametrize("parameters", [0, 9e5, 2e12, float("nan")])
def test_a_size_out_of_range_is_refused(parameters):
    with pytest.raises(ValueError, match=r"from 1e\+06 to 1e\+12 parameters"):
        Shape.of_size(parameters)
