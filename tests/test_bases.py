"""Base models: loaded in 16 or 4 bits, checked, and refused in words."""

import json

import pytest
import torch

from pricelab import bases
from pricelab.adapters import add_adapters
from pricelab.bases import load_base, load_tokenizer
from pricelab.prompt import number_tokens
from pricelab.recipe import Recipe


@pytest.fixture
def folder(toy_base, tmp_path):
    """A copy of the toy base that may be damaged."""
    import shutil

    return shutil.copytree(toy_base, tmp_path / "base")


# ---- what is refused


@pytest.mark.parametrize("name", ["tinny", "./nowhere", "/no/such", "~/base", "a/b/c", ""])
def test_an_unknown_name_is_refused_with_what_there_is(name):
    with pytest.raises(ValueError, match="unknown base .*no folder here and no key; use one of tiny, smollm2-135m"):
        load_base(name)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_an_incomplete_folder_is_refused_by_the_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"has no {name}; a base folder holds what save_pretrained"):
        load_base(str(folder))


def test_pickled_weights_are_refused(folder):
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="has no .*safetensors.*pickled weights are refused"):
        load_base(str(folder))


def add_token(folder, left, right):
    """A tokenizer that keeps digits together, and ``left`` and ``right`` too where they meet."""
    content = json.loads((folder / "tokenizer.json").read_text())
    content["pre_tokenizer"] = content["pre_tokenizer"]["pretokenizers"][1]
    content["pre_tokenizer"]["use_regex"] = False
    content["model"]["vocab"][left + right] = len(content["model"]["vocab"])
    content["model"]["merges"].insert(0, [left, right])
    (folder / "tokenizer.json").write_text(json.dumps(content))


def test_a_tokenizer_with_tokens_of_several_digits_is_welcome(folder):
    add_token(folder, "2", "4")
    assert "24" in number_tokens(load_tokenizer(str(folder))).values()


def test_a_tokenizer_that_glues_a_digit_to_the_dollar_sign_is_refused_at_load(folder):
    add_token(folder, "$", "2")
    with pytest.raises(ValueError, match="ends the prompt with '2' as .*tokens that are digits alone; choose a base"):
        load_base(str(folder))


def test_a_tokenizer_without_padding_gets_its_end_token(folder):
    content = json.loads((folder / "tokenizer_config.json").read_text())
    content.pop("pad_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(content))
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id is not None


# ---- what is loaded


def test_a_base_says_what_it_is(toy_base):
    base = load_base(str(toy_base), device="cpu")
    assert (base.key, base.device, base.quantisation) == (str(toy_base), "cpu", None)
    assert base.parameters == sum(weight.numel() for weight in base.model.parameters())
    dtype, why = bases.pick_precision("cpu")
    assert base.model.dtype == dtype and str(dtype).removeprefix("torch.") in base.precision and why in base.precision


def test_four_bits_hold_the_layers_in_fewer_bytes_and_nearly_the_same_answers(toy_base):
    import bitsandbytes as bnb

    plain, small = load_base(str(toy_base)), load_base(str(toy_base), quantise=True)
    linears = [module for module in small.model.model.modules() if isinstance(module, torch.nn.Linear)]
    assert len(linears) == 14 and all(isinstance(module, bnb.nn.Linear4bit) for module in linears)
    assert all(module.weight.quant_type == "nf4" for module in linears)
    assert (small.quantisation, small.parameters) == ("nf4", plain.parameters)
    layers = sum(
        module.weight.numel() for module in plain.model.model.layers.modules() if hasattr(module, "in_features")
    )
    bytes_each = 2 if plain.model.dtype == torch.bfloat16 else 4
    assert plain.megabytes - small.megabytes == pytest.approx(layers * (bytes_each - 0.5) / 1e6, rel=0.05)
    assert small.megabytes > small.model.get_memory_footprint() / 1e6  # which leaves out the scales
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        a, b = (base.model(ids).logits[0, -1].float() for base in (plain, small))
    assert not torch.equal(a, b)
    assert torch.corrcoef(torch.stack([a, b]))[0, 1] > 0.9


def test_adapters_are_no_part_of_the_base_that_they_lie_on(toy_base):
    base = load_base(str(toy_base), quantise=True)
    alone = base.parameters, base.megabytes
    before = base.model.num_parameters()
    model = add_adapters(base.model, Recipe())
    model.add_adapter("second", model.peft_config["default"])
    assert base.model.num_parameters() > before
    assert (base.parameters, base.megabytes) == alone


def test_master_weights_are_fp32(toy_base):
    assert load_base(str(toy_base), master_weights=True).model.dtype == torch.float32


def test_answers_are_greedy_whatever_the_folder_says(folder):
    settings = {"do_sample": True, "temperature": 2.0, "repetition_penalty": 1.3, "eos_token_id": 0}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    found = load_base(str(folder)).model.generation_config
    assert not found.do_sample and found.temperature in (None, 1.0) and found.repetition_penalty in (None, 1.0)


def test_loading_is_silent(toy_base, capfd):
    load_base(str(toy_base), quantise=True)
    assert capfd.readouterr() == ("", "")
