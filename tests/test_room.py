"""Memory before it is needed: the estimate beside the engine's own peak, and what is said when it does not fit."""

import dataclasses
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pricelab import finetuning, room
from pricelab.base_files import REGISTRY, place_of
from pricelab.bases import EAGER_UP_TO_TOKENS, load_tokenizer
from pricelab.costs import SHAPES
from pricelab.costs.measured import live_tensors
from pricelab.costs.units import human_bytes
from pricelab.finetuning import finetune
from pricelab.recipe import METHODS, Recipe
from pricelab.room import KNOWN, check_room, free_bytes, longest, memory_needed
from pricelab.training import load_trainable, train

TOLERANCE = 0.15  # promised
RECIPE = Recipe(batch_size=8)
SMOL = SHAPES["SmolLM2-135M"]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def free(monkeypatch):
    """``free(n)``: pretend that n bytes are free."""
    return lambda size: monkeypatch.setattr(room, "free_bytes", lambda device: float(size))


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(*place_of("tiny"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_the_estimate_for_tiny_is_what_the_engine_holds(toy_catalog, tokenizer, monkeypatch, method, dtype):
    for module in ("room", "bases", "price_trainer"):
        monkeypatch.setattr(f"pricelab.{module}.pick_precision", lambda device: (dtype, "for the test"))
    items = toy_catalog["train"][:24]
    base, model = load_trainable("tiny", method, RECIPE, 0)
    with live_tensors(model) as watch:
        train(model, base, items, RECIPE, None, 0, False)
    need = memory_needed(SHAPES["tiny"], method, RECIPE, *longest(tokenizer, items, RECIPE))
    assert need.memory.total == pytest.approx(watch.peak, rel=TOLERANCE)


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.timeout(1200)  # five minutes beside other work, on one core
@pytest.mark.parametrize("method", METHODS)
def test_the_estimate_for_smollm2_is_what_the_process_takes(method):
    import json

    command = [sys.executable, "-m", "benchmarks.memory", "--one", "smollm2-135m", method, "4"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    if "measured_tensors" in found:
        assert found["estimated_tensors"] == pytest.approx(found["measured_tensors"], rel=TOLERANCE)
    assert found["estimated"] == pytest.approx(found["measured"], rel=TOLERANCE)


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS)
def test_the_estimate_is_what_the_gpus_allocator_hands_out(toy_catalog, tokenizer, tmp_path, method):
    from pricelab.costs import Shape
    from pricelab.costs.peak import peak_memory
    from pricelab.pretrain import new_model

    wide = {"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 8, "num_attention_heads": 16}
    config = new_model(tokenizer, wide).to(torch.bfloat16)
    config.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    shape, recipe, items = Shape.of(config), Recipe(batch_size=32), toy_catalog["train"]
    with peak_memory("cuda") as peak:
        base, model = load_trainable(str(tmp_path), method, recipe, 0)
        train(model, base, items, recipe, None, 0, False)
    need = memory_needed(shape, method, recipe, *longest(tokenizer, items, recipe))
    assert need.bytes == pytest.approx(peak.bytes, rel=TOLERANCE)


# the attention of longer texts is another, which keeps less
@given(
    st.sampled_from(METHODS),
    st.integers(1, 64),
    st.integers(8, EAGER_UP_TO_TOKENS - 1),
    st.sampled_from(["cpu", "cuda"]),
)
def test_more_items_longer_texts_and_more_labels_never_need_less(method, batch, length, device):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "pick_precision", lambda device: (torch.bfloat16, "for the test"))

        def needed(batch, length, labels):
            return memory_needed(SMOL, method, Recipe(batch_size=batch), length, labels, device)

        one = needed(batch, length, 4)
        for more in (needed(batch + 1, length, 4), needed(batch, length + 1, 4), needed(batch, length, 0)):
            assert more.bytes >= one.bytes
        assert one.peak >= one.bytes >= one.memory.total * 0.999
        assert (one.peak > one.bytes) == (device == "cpu" and method == "qlora")


def test_the_longest_example_is_found_with_its_labels(tokenizer, toy_catalog):
    length, labels = longest(tokenizer, toy_catalog["train"], dataclasses.replace(RECIPE, max_text_tokens=20))
    texts = [tokenizer.encode(item.text, add_special_tokens=False) for item in toy_catalog["train"]]
    assert max(map(len, texts)) > 20  # so that they are cut there, before prompt and price
    assert 20 < length < 40 and 2 <= labels <= 4  # digits and the end


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("device", "where"), [("cpu", "memory"), ("cuda", "GPU memory")])
def test_enough_room_is_said_in_a_line_with_the_peak_that_is_measured(
    toy_catalog, tokenizer, free, monkeypatch, method, device, where
):
    monkeypatch.setattr(room, "pick_device", lambda: device)
    monkeypatch.setattr(room, "pick_precision", lambda device: (torch.bfloat16, "for the test"))
    free(50e9)
    need = memory_needed(SHAPES["tiny"], method, RECIPE, *longest(tokenizer, toy_catalog["train"], RECIPE))
    said = check_room("tiny", method, RECIPE, toy_catalog["train"], tokenizer)
    part = f", of which {human_bytes(need.bytes)} must be free" if (device, method) == ("cpu", "qlora") else ""
    assert said == f"needs about {human_bytes(need.peak)} of {where}{part}, and 50 GB are free"


def test_what_the_system_takes_back_need_not_be_free(toy_catalog, tokenizer, free, monkeypatch):
    monkeypatch.setattr(room, "load_config", lambda *place: SMOL.config())
    monkeypatch.setattr(room, "pick_device", lambda: "cpu")
    need = memory_needed(SMOL, "qlora", RECIPE, *longest(tokenizer, toy_catalog["train"], RECIPE))
    asked = ("tiny", "qlora", RECIPE, toy_catalog["train"], tokenizer)
    free(need.bytes + 1)
    told = f"needs about {human_bytes(need.peak)} of memory, of which {human_bytes(need.bytes)} must be free"
    assert need.peak > need.bytes + 1 and check_room(*asked).startswith(told)
    free(need.bytes - 1)
    with pytest.raises(ValueError, match=told):
        check_room(*asked)


def test_what_does_not_fit_is_refused_with_the_largest_batch_that_does(toy_catalog, tokenizer, free, monkeypatch):
    items = toy_catalog["train"]
    recipe = Recipe(batch_size=64)
    sizes = longest(tokenizer, items, recipe)
    needs = [memory_needed(SHAPES["tiny"], "lora", Recipe(batch_size=n), *sizes).bytes for n in range(1, 65)]
    available = needs[39] / room.USABLE + 1  # 40 items fit, with the margin
    free(available)
    with pytest.raises(ValueError, match=r"lora with 64 items at once needs about .* use a batch of 40 \(--batch"):
        check_room("tiny", "lora", recipe, items, tokenizer)
    free(needs[0] / 2)
    with pytest.raises(ValueError, match="nothing smaller fits either, so free some memory first"):
        check_room("tiny", "qlora", recipe, items, tokenizer)


def test_a_lighter_method_and_a_smaller_base_are_named_where_they_fit(toy_catalog, tokenizer, free, monkeypatch):
    monkeypatch.setattr(room, "load_config", lambda *place: SHAPES["Qwen3-1.7B"].config())
    free(9e9)
    with pytest.raises(ValueError) as refused:
        check_room("tiny", "full", Recipe(batch_size=4), toy_catalog["train"], tokenizer)
    assert "a batch of" not in str(refused.value)  # the states alone take more
    assert "method lora" in str(refused.value) and "the base smollm2-135m" in str(refused.value)


def test_processes_that_share_out_the_model_need_room_for_their_parts(toy_catalog, tokenizer, free, monkeypatch):
    monkeypatch.setattr(room, "load_config", lambda *place: SHAPES["Llama-3.1-8B"].config())
    free(60e9)
    asked = ("tiny", "full", Recipe(batch_size=8), toy_catalog["train"], tokenizer)
    with pytest.raises(ValueError, match="needs about 1.. GB"):
        check_room(*asked)
    for name, value in {"WORLD_SIZE": "8", "RANK": "0", "LOCAL_RANK": "0", "ACCELERATE_USE_FSDP": "true"}.items():
        monkeypatch.setenv(name, value)
    assert "needs about" in check_room(*asked)


def test_general_texts_are_counted_with_all_their_labels(toy_catalog, tokenizer, free):
    free(1)
    said = []
    for mixed in (False, True):
        with pytest.raises(ValueError) as refused:
            check_room("tiny", "lora", RECIPE, toy_catalog["train"], tokenizer, mixed=mixed)
        said.append(str(refused.value).split("about ")[1].split(" MB")[0])
    assert float(said[1]) > float(said[0])


def test_an_architecture_that_is_not_counted_is_let_through(toy_catalog, tokenizer, monkeypatch):
    from transformers import GPT2Config

    monkeypatch.setattr(room, "load_config", lambda *place: GPT2Config())
    assert check_room("tiny", "lora", RECIPE, toy_catalog["train"], tokenizer) == ""


def test_finetune_refuses_before_weights_are_loaded_or_anything_is_written(toy_catalog, tmp_path, free, monkeypatch):
    monkeypatch.setattr(finetuning, "load_trainable", None)
    free(1e6)
    with pytest.raises(ValueError, match="needs about"):
        finetune(toy_catalog, tmp_path / "run", base="tiny", recipe=RECIPE, progress=False)
    assert not (tmp_path / "run").exists()


def test_finetune_says_what_it_needs_and_in_which_precision(toy_base, toy_catalog, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    finetune(toy_catalog, tmp_path / "run", base=str(toy_base), recipe=RECIPE)
    first = capsys.readouterr().err.splitlines()[0]
    assert "this CPU" in first and "needs about" in first and "are free" in first


def test_what_is_free_is_less_than_there_is():
    import psutil

    assert 0 < free_bytes("cpu") < psutil.virtual_memory().total


def test_free_memory_of_a_gpu_counts_what_torch_holds_in_reserve(monkeypatch):
    for name, value in {"mem_get_info": (5e9, 16e9), "memory_reserved": 3e9, "memory_allocated": 1e9}.items():
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    assert free_bytes("cuda") == 7e9


def test_known_bases_are_those_of_the_registry():
    assert set(KNOWN) <= set(REGISTRY) and set(KNOWN.values()) <= set(SHAPES)
