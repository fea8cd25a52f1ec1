"""One trial a way: what is trained, what is measured, and that it was measured in that run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pricelab import ways
from pricelab.backbone import padded_width
from pricelab.profiles import PROFILES
from pricelab.prompt import answer_tokens
from pricelab.training import Recipe, encode
from pricelab.ways import (
    LEAST_PASSES,
    WAYS,
    Trial,
    Way,
    attempt,
    attempt_apart,
    begin,
    flops_per_token,
    passes,
    saved_bytes,
)


@pytest.fixture(scope="module")
def trials(toy_catalog, toy_base):
    """Each way once on the toy base, which also stands in for `tiny`'s shape."""
    held_out = {"test": toy_catalog["test"][:5], "validation": toy_catalog["validation"][:4]}
    ways = [replace(way, start="random") if way.start == "small" else way for way in WAYS.values()]
    return {way.key: attempt(way, toy_catalog["train"][:40], held_out, base=str(toy_base), asked=3) for way in ways}


@pytest.mark.parametrize(("items", "epochs"), [(1, 200), (50, 4), (199, 2), (200, 1), (2000, 1)])
def test_a_small_set_goes_by_several_times(items, epochs):
    assert passes(items) == epochs and passes(items) * items >= LEAST_PASSES


def test_every_cell_comes_from_the_run(trials, toy_catalog):
    for trial in trials.values():
        assert trial.items == 40 and trial.epochs == 5
        assert trial.seconds > 0 and trial.tokens_per_second == trial.tokens / trial.seconds
        assert 0 < trial.trainable <= trial.parameters and trial.flops > 0 and trial.disk_bytes > 0
        assert 0 <= trial.format_kept <= trial.asked == 3
        assert trial.perplexity == pytest.approx(np.exp(trial.general_nats))
        assert [len(trial.estimates[split]) for split in ("test", "validation")] == [5, 4]
        assert Trial(**trial.to_dict()) == trial


def test_adapters_move_few_weights_and_leave_small_files(trials):
    full, lora, qlora = trials["full"], trials["lora"], trials["qlora"]
    assert full.trainable == full.parameters and lora.trainable == qlora.trainable < full.parameters / 2
    assert lora.disk_bytes == pytest.approx(4 * lora.trainable, rel=0.1)  # adapters in fp32
    assert full.disk_bytes == pytest.approx(2 * full.parameters, rel=0.1)  # all weights in bf16, the tied head once


def test_operations_count_what_moves_and_four_bits_change_none(trials):
    assert trials["lora"].flops == trials["qlora"].flops < trials["full"].flops == trials["scratch"].flops


def test_operations_a_token_follow_the_formula(toy_catalog, toy_base):
    recipe, items = Recipe(max_text_tokens=128), toy_catalog["train"][:8]
    loaded, model = begin(WAYS["full"], str(toy_base), recipe, 0)
    examples = encode(loaded.tokenizer, items, recipe.max_text_tokens)
    labels = sum(len(answer_tokens(loaded.tokenizer, item.price)) for item in items)
    tokens = sum(len(example["input_ids"]) for example in examples)
    body = sum(w.numel() for name, w in model.named_parameters() if name.endswith("proj.weight"))
    head = model.get_output_embeddings().weight.numel()
    weights = 6 * (body * tokens + head * labels) / tokens  # 6·N a token, the head for label rows only
    lengths = sorted(len(example["input_ids"]) for example in examples)
    batches = [lengths[start : start + recipe.batch_size] for start in range(0, len(lengths), recipe.batch_size)]
    padded = sum(len(batch) * padded_width(batch) for batch in batches) / tokens  # is computed too
    width = padded_width(lengths)
    attention = 12 * model.config.num_hidden_layers * width * model.config.hidden_size  # at most: the longest text's
    found = flops_per_token(model, loaded, items, recipe)
    assert weights + attention / 2 < found < 1.05 * padded * (weights + attention)
    assert all(weight.grad is None for weight in model.parameters())


def test_random_starts_differ_by_seed_and_have_the_base_s_shape(toy_base):
    recipe = Recipe()
    twins = [begin(WAYS["scratch"], str(toy_base), recipe, seed)[1] for seed in (0, 0, 1)]
    weights = [twin.model.layers[0].mlp.up_proj.weight for twin in twins]
    trained = begin(WAYS["full"], str(toy_base), recipe, 0)[1]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], trained.model.layers[0].mlp.up_proj.weight)
    assert [w.shape for w in twins[0].parameters()] == [w.shape for w in trained.parameters()]


def test_the_small_start_is_tiny_s_shape():
    loaded, model = begin(WAYS["small"], "a base that is not loaded", Recipe(), 0)
    assert model is loaded.model and 1e6 < model.num_parameters() < 1.2e6


def test_a_run_repeats_itself(trials, toy_catalog, toy_base):
    held_out = {"test": toy_catalog["test"][:5], "validation": toy_catalog["validation"][:4]}
    again = attempt(WAYS["lora"], toy_catalog["train"][:40], held_out, base=str(toy_base), asked=1)
    assert again.estimates == trials["lora"].estimates and again.general_nats == trials["lora"].general_nats


def test_it_trains_the_base_for_comparisons(toy_catalog, toy_base, monkeypatch):
    profile = replace(PROFILES["smoke"], base="a base that is too large", compared_base=str(toy_base))
    monkeypatch.setattr(ways, "detect", lambda: profile)
    trial = attempt(WAYS["lora"], toy_catalog["train"][:4], {"test": toy_catalog["test"][:2]}, asked=1)
    assert trial.base == str(toy_base)


def test_a_trial_in_its_own_process_comes_to_the_same(trials, toy_catalog, toy_base):
    held_out = {"test": toy_catalog["test"][:5], "validation": toy_catalog["validation"][:4]}
    again = attempt_apart(WAYS["lora"], toy_catalog["train"][:40], held_out, base=str(toy_base), asked=1)
    assert again.estimates["test"] == pytest.approx(trials["lora"].estimates["test"], abs=2)
    assert 0 < again.peak_bytes < 1e9


def test_weights_are_kept_where_they_are_asked_for(toy_base, tmp_path):
    _, model = begin(WAYS["lora"], str(toy_base), Recipe(), 0)
    size = saved_bytes(model, tmp_path / "kept")
    assert (tmp_path / "kept" / "adapter_model.safetensors").stat().st_size == size == saved_bytes(model)


def test_words_tell_the_ways_apart():
    told = {(way.words, way.starts, way.moves) for way in WAYS.values()}
    assert len(told) == len(WAYS) == len({way.words for way in WAYS.values()})


@pytest.mark.parametrize(("items", "rate"), [(1, 3e-3), (200, 3e-3), (599, 3e-3), (600, 1e-3), (10_000, 1e-3)])
def test_the_rate_is_that_of_the_nearest_fewer_items_that_were_tried(items, rate):
    way = Way("lora", "LoRA", "lora", {600: 1e-3, 200: 3e-3}, "base")
    assert way.learning_rate(items) == rate
