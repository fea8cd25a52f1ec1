"""How the arithmetic is done: attention chosen by device and length, and layers compiled when asked for."""

import json
import shutil
import sysconfig

import pytest
import torch

from benchmarks import attention as experiment
from pricelab import bases, compiling, finetuning
from pricelab.bases import EAGER_UP_TO_TOKENS, load_base, pick_attention, pick_precision
from pricelab.compiling import check_compiler, compiled
from pricelab.finetuning import finetune
from pricelab.pricer import Pricer
from pricelab.recipe import Recipe
from pricelab.training import collate, encode, load_trainable, price_loss, train

LONG = EAGER_UP_TO_TOKENS + 1


@pytest.fixture
def bf16(monkeypatch):
    """A CPU with bf16 instructions, whatever this one has."""
    monkeypatch.setattr(bases, "pick_precision", lambda device: (torch.bfloat16, "for this test"))


@pytest.mark.parametrize(
    "device, dtype, tokens, way",
    [
        ("cpu", torch.bfloat16, None, "eager"),
        ("cpu", torch.bfloat16, 128, "eager"),
        ("cpu", torch.bfloat16, EAGER_UP_TO_TOKENS, "eager"),
        ("cpu", torch.bfloat16, LONG, None),
        ("cpu", torch.float32, 128, None),
        ("cuda", torch.bfloat16, 128, None),
        ("cuda", torch.float16, LONG, None),
    ],
)
def test_attention_is_plain_only_for_short_texts_in_bf16_on_a_cpu(device, dtype, tokens, way):
    assert pick_attention(device, dtype, tokens) == way


def test_a_recipe_of_long_texts_loads_fused_attention(toy_base, bf16):
    for tokens, way in ((None, "eager"), (LONG, "sdpa")):
        recipe = Recipe() if tokens is None else Recipe(max_text_tokens=tokens)
        base, _ = load_trainable(str(toy_base), "lora", recipe, seed=0)
        assert base.model.config._attn_implementation == way


def test_both_ways_answer_alike(toy_base, toy_catalog):
    losses = []
    for tokens in (EAGER_UP_TO_TOKENS, LONG):
        base = load_base(str(toy_base), text_tokens=tokens)
        batch = collate(encode(base.tokenizer, toy_catalog["train"][:5], 60), base.tokenizer.pad_token_id)
        losses.append(price_loss(base.model, batch))
    torch.testing.assert_close(*losses, rtol=1e-2, atol=0)


def test_a_run_is_loaded_with_the_attention_that_it_ended_with(toy_base, toy_catalog, tmp_path, monkeypatch):
    """Long texts were allowed and none came: the result says so, and loading reads it there."""
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    used = []
    noting = lambda model, base, *rest, **more: used.append(base) or train(model, base, *rest, **more)  # noqa: E731
    monkeypatch.setattr(finetuning, "train", noting)
    options = {"recipe": Recipe(epochs=1, batch_size=32, max_text_tokens=LONG), "progress": False}
    run = finetune(toy_catalog, tmp_path / "run", base=str(toy_base), **options)
    assert run.manifest.max_text_tokens < EAGER_UP_TO_TOKENS
    loaded = Pricer.load(run.folder)
    assert loaded.base.model.config._attn_implementation == used[0].model.config._attn_implementation


def test_the_comparison_of_both_ways_writes_a_row_a_length(toy_base, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    experiment.main(tmp_path / "attention.json", str(toy_base), lengths=(8, 16), repeats=2)
    found = json.loads((tmp_path / "attention.json").read_text())
    assert [row["tokens"] for row in found["rows"]] == [8, 16] and found["batch"] == 4
    for row in found["rows"]:
        assert row["eager_seconds"] > 0 and row["sdpa_seconds"] > 0
        assert row["range"][0] <= row["sdpa_by_eager"] <= row["range"][1]


# ---- torch.compile


def test_without_a_compiler_nothing_is_started(toy_catalog, toy_base, tmp_path, monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    monkeypatch.setenv("CXX", "no-such-compiler")
    options = {"base": str(toy_base), "choices": {"compile": True}, "progress": False}
    with pytest.raises(ValueError, match=r"needs a C\+\+ compiler, and there is no no-such-compiler here; install"):
        finetune(toy_catalog, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_without_pythons_headers_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/any")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ValueError, match="Python's headers, and .*Python.h is missing"):
        check_compiler()
    (tmp_path / "Python.h").touch()
    check_compiler()


def test_a_model_without_layers_is_refused(monkeypatch):
    monkeypatch.setattr(compiling, "check_compiler", lambda: None)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    model.base_model = torch.nn.Identity()
    with pytest.raises(ValueError, match="Sequential has no list of layers to compile"), compiled(model):
        pass


def test_layers_are_plain_again_after_a_failure(toy_model, monkeypatch):
    monkeypatch.setattr(compiling, "check_compiler", lambda: None)
    layers = toy_model.model.layers
    with pytest.raises(InterruptedError), compiled(toy_model):
        assert all(layer._compiled_call_impl is not None for layer in layers)
        raise InterruptedError
    assert all(layer._compiled_call_impl is None for layer in layers)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
def test_a_compiled_run_learns_the_same(toy_base, toy_catalog, method):
    check_compiler()
    losses = []
    for compile_layers in (False, True):
        recipe = Recipe(epochs=1, batch_size=16, rank=4, compile=compile_layers)
        base, model = load_trainable(str(toy_base), method, recipe, seed=1)
        losses.append(train(model, base, toy_catalog["train"], recipe, None, seed=1, progress=False).losses)
        assert all(layer._compiled_call_impl is None for layer in base.model.model.layers)
    plain, quick = map(torch.tensor, losses)
    torch.testing.assert_close(quick, plain, rtol=1e-2, atol=0)
    assert pick_precision("cpu")[0] == torch.float32 or not torch.equal(quick, plain)  # rounding tells
