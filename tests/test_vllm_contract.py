"""The adapter folder as vLLM's LoRA support reads it: its rules for the configuration and the tensors, checked here.

vLLM itself needs a GPU; the rules are those of its ``lora/peft_helper.py`` (what it refuses), ``lora/utils.py`` (how it
reads a tensor's name) and ``config/lora.py`` (ranks), version 0.26. ``docs/serving-vllm.md`` says how to serve one.
"""

import json
import re

import pytest
from safetensors.torch import load_file

from pricelab.base_files import locate
from pricelab.bases import load_config
from pricelab.costs.shapes import SHAPES, Shape
from pricelab.files import data_dir

SHIPPED = sorted(path.name for path in (data_dir() / "adapters").iterdir())
MAX_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
LINEAR_LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
TENSOR = re.compile(r"base_model\.model\.(model\.layers\.(\d+)\.(?:self_attn|mlp)\.(\w+))\.lora_([AB])\.weight")


@pytest.fixture(params=["qlora", "lora", *SHIPPED])
def folder(request, finetuned):
    return data_dir() / "adapters" / request.param if request.param in SHIPPED else finetuned[request.param].folder


@pytest.fixture
def config(folder):
    return json.loads((folder / "adapter_config.json").read_text())


def test_nothing_is_asked_for_that_vllm_refuses(config):
    assert config["peft_type"] == "LORA" and config["bias"] == "none" and not config["modules_to_save"]
    refused = ("use_dora", "lora_bias", "alora_invocation_tokens", "layer_replication", "use_bdlora", "use_qalora")
    assert not [name for name in refused if config.get(name)]
    assert config.get("init_lora_weights", True) is True
    assert set(config["target_modules"]) <= LINEAR_LAYERS


def test_the_rank_fits_and_holds_for_every_layer(config):
    assert 0 < config["r"] <= max(MAX_RANKS)
    assert not config.get("rank_pattern") and not config.get("alpha_pattern")


def test_every_tensor_has_a_name_and_a_shape_that_vllm_reads(folder, config):
    manifest = json.loads((folder / "manifest.json").read_text())
    name = manifest["base"]["name"]  # what a download would tell of the other base is known
    shape = SHAPES["SmolLM2-135M"] if name == "smollm2-135m" else Shape.of(load_config(*locate(name)))
    sizes, found = shape.matrices, set()
    for name, tensor in load_file(folder / "adapter_model.safetensors").items():
        read = TENSOR.fullmatch(name)
        assert read, name
        module, layer, kind, side = read.groups()
        wanted = (config["r"], sizes[kind][0]) if side == "A" else (sizes[kind][1], config["r"])
        assert tuple(tensor.shape) == wanted
        assert kind in config["target_modules"] and int(layer) < shape.layers
        found.add((module, side))
    pairs = {module for module, _ in found}
    assert found == {(module, side) for module in pairs for side in "AB"}
    assert len(pairs) == shape.layers * len(config["target_modules"])
