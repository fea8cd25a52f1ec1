"""Runs that end early: by the clock, or because the validation items gain nothing; and general texts mixed in."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pricelab import stopping, training
from pricelab.bases import load_base
from pricelab.finetuning import finetune
from pricelab.general import for_mixing, held_out, perplexity
from pricelab.stopping import TimeBudget, rate
from pricelab.training import IGNORED, Recipe, collate, encode, load_trainable, mixed_loss, price_loss, train

QUICK = Recipe(epochs=2, batch_size=8, rank=4, save_every=3, max_text_tokens=40)
WATCHED = dataclasses.replace(QUICK, epochs=30, learning_rate=0.02, evaluate_every=2, patience=2)


def run(toy_base, items, folder, recipe=QUICK, method="lora", progress=False, **options):
    base, model = load_trainable(str(toy_base), method, recipe, seed=1)
    return train(model, base, items, recipe, folder, seed=1, progress=progress, **options), model


def adapters(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters() if "lora_" in name}


def validation_loss(model, toy_base, items):
    """The loss on ``items`` as a run that watches them finds it."""
    examples = encode(load_base(str(toy_base)).tokenizer, items, WATCHED.max_text_tokens)
    with torch.inference_mode():
        parts = [(len(part), price_loss(model, collate(part, 0))) for part in (examples[:16], examples[16:])]
    return sum(n * loss.item() for n, loss in parts) / len(examples)


# ---- the learning rate


@given(share=st.floats(0, 1.5), warmup=st.floats(0, 0.9))
def test_the_rate_stays_between_0_and_the_peak(share, warmup):
    assert 0 <= rate(share, warmup) <= 1


def test_the_rate_is_the_cosine_that_the_trainer_uses():
    from transformers import get_cosine_schedule_with_warmup

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=5, num_training_steps=100).lr_lambdas[0]
    np.testing.assert_allclose([rate(step / 100, 0.05) for step in range(101)], [theirs(step) for step in range(101)])


# ---- the time budget


@pytest.fixture
def ticking(monkeypatch):
    """A clock that moves only while a loss is computed, by as many seconds as ``pace`` says."""
    now, pace, original = [0.0], [1.0], training.price_loss

    def price_loss(model, inputs):
        now[0] += pace[0]
        return original(model, inputs)

    monkeypatch.setattr(training, "price_loss", price_loss)
    monkeypatch.setattr(stopping, "clock", lambda: now[0])
    return pace


@pytest.fixture
def rates(monkeypatch):
    """The learning rates that the optimizer was given, step by step."""
    seen = []
    step = torch.optim.AdamW.step

    def noting(self, *arguments, **keywords):
        seen.append(self.param_groups[0]["lr"])
        return step(self, *arguments, **keywords)

    monkeypatch.setattr(torch.optim.AdamW, "step", noting)
    return seen


def test_a_budget_ends_the_run_and_the_rate_has_come_down_by_then(toy_base, toy_catalog, tmp_path, ticking, rates):
    trained, _ = run(toy_base, toy_catalog["train"][:32], tmp_path, minutes=0.5, recipe=WATCHED)
    assert len(trained.losses) == 30  # one second each
    assert trained.stopped.startswith("stopped at step 30 of 120") and "the 0.5 minutes were over" in trained.stopped
    assert max(rates) > 0.9 * WATCHED.learning_rate and rates[-1] < 0.01 * max(rates)


def test_steps_that_grow_slower_on_the_way_still_end_in_time_with_a_low_rate(
    toy_base, toy_catalog, tmp_path, ticking, rates, monkeypatch
):
    inner = training.price_loss

    def slowing(model, inputs):
        ticking[0] = 1.0 if len(rates) < 10 else 5.0
        return inner(model, inputs)

    monkeypatch.setattr(training, "price_loss", slowing)
    trained, _ = run(toy_base, toy_catalog["train"][:32], tmp_path, minutes=1.0, recipe=WATCHED)
    assert len(trained.losses) == 20  # ten steps of one second, ten of five
    assert rates[-1] < 0.1 * max(rates)


def test_a_budget_that_is_not_needed_changes_nothing_but_the_clock(toy_base, toy_catalog, tmp_path, ticking):
    ticking[0] = 1e-6
    free, without = run(toy_base, toy_catalog["train"][:32], tmp_path / "free")
    timed, within = run(toy_base, toy_catalog["train"][:32], tmp_path / "timed", minutes=60)
    assert timed.stopped == "" and len(timed.losses) == len(free.losses) == 8
    for name, weight in adapters(without).items():
        torch.testing.assert_close(adapters(within)[name], weight)


def test_a_timed_run_that_was_interrupted_counts_the_time_before(
    toy_base, toy_catalog, tmp_path, ticking, monkeypatch, stop_at
):
    items = toy_catalog["train"][:32]
    whole, model = run(toy_base, items, tmp_path / "whole", recipe=WATCHED, minutes=0.2)
    assert len(whole.losses) == 12
    with monkeypatch.context() as patch:
        patch.setattr(training, "LossDisplay", stop_at(8))
        with pytest.raises(InterruptedError):
            run(toy_base, items, tmp_path / "cut", recipe=WATCHED, minutes=0.2, progress=True)
    resumed, again = run(toy_base, items, tmp_path / "cut", recipe=WATCHED, minutes=0.2)
    assert resumed.losses == whole.losses
    assert all(torch.equal(adapters(again)[name], weight) for name, weight in adapters(model).items())


def test_a_clock_that_ends_a_watched_run_leaves_the_best_point_so_far(toy_base, toy_catalog, tmp_path, ticking):
    items, watched = toy_catalog["train"][:16], toy_catalog["validation"][:24]
    recipe = dataclasses.replace(WATCHED, patience=100, learning_rate=0.05)
    trained, model = run(toy_base, items, tmp_path, recipe, minutes=0.5, validation=watched)
    steps, losses = list(trained.validation), list(trained.validation.values())
    assert trained.stopped.startswith(f"stopped at step {steps[-1]} of 60") and "minutes were over" in trained.stopped
    assert trained.best_step == steps[losses.index(min(losses))] < steps[-1]
    now = validation_loss(model, toy_base, watched)
    assert abs(now - min(losses)) < 0.3 * (
        losses[-1] - min(losses)
    )  # the best weights are bf16 here, and rounding tells


@pytest.mark.parametrize("minutes", [0, -1, math.nan, math.inf])
def test_minutes_of_nonsense_are_refused(minutes):
    with pytest.raises(ValueError, match="minutes must be a number above 0"):
        TimeBudget(minutes)


# ---- early stopping


@pytest.fixture(scope="module")
def overfitted(toy_base, toy_catalog, tmp_path_factory):
    """A run on sixteen items that are learned by heart, watched on others, and its model."""
    return run(
        toy_base, toy_catalog["train"][:16], tmp_path_factory.mktemp("watched"), recipe=WATCHED,
        validation=toy_catalog["validation"][:24],
    )  # fmt: skip


def test_it_stops_when_the_validation_items_gain_nothing_and_says_so(overfitted):
    trained, _ = overfitted
    losses, steps = list(trained.validation.values()), list(trained.validation)
    best = losses.index(min(losses))
    assert steps[best] == trained.best_step and len(losses) - 1 - best == WATCHED.patience
    assert len(trained.losses) == steps[-1] < 60
    assert trained.stopped == (
        f"stopped at step {steps[-1]} of 60 ({steps[-1] / 2:.2g} passes over the items): no gain on the validation "
        f"items since step {trained.best_step}"
    )


def test_the_model_is_left_with_the_best_weights_not_the_last(overfitted, toy_base, toy_catalog):
    trained, model = overfitted
    now = validation_loss(model, toy_base, toy_catalog["validation"][:24])
    assert now == pytest.approx(min(trained.validation.values()), rel=0.02)
    assert now < list(trained.validation.values())[-1]


def test_without_patience_it_only_watches_and_keeps_the_last_weights(overfitted, toy_base, toy_catalog):
    stopped, model = overfitted
    recipe = dataclasses.replace(WATCHED, patience=None)
    watched, last = run(toy_base, toy_catalog["train"][:16], None, recipe, validation=toy_catalog["validation"][:24])
    assert len(watched.losses) == 60 and (watched.stopped, watched.best_step) == ("", None)
    assert {step: watched.validation[step] for step in stopped.validation} == stopped.validation
    _, blind = run(toy_base, toy_catalog["train"][:16], None, recipe)
    assert all(torch.equal(adapters(blind)[name], weight) for name, weight in adapters(last).items())


def test_without_checkpoints_a_watched_run_ends_the_same_and_leaves_nothing(overfitted, toy_base, toy_catalog):
    with_them, model = overfitted
    without, other = run(
        toy_base, toy_catalog["train"][:16], None, recipe=WATCHED, validation=toy_catalog["validation"][:24]
    )
    assert (without.validation, without.stopped) == (with_them.validation, with_them.stopped)
    assert all(torch.equal(adapters(other)[name], weight) for name, weight in adapters(model).items())


def test_a_watched_run_that_was_interrupted_ends_as_if_it_had_not_been(
    overfitted, toy_base, toy_catalog, tmp_path, monkeypatch, stop_at
):
    whole, model = overfitted
    options = {"recipe": WATCHED, "validation": toy_catalog["validation"][:24]}
    with monkeypatch.context() as patch:
        patch.setattr(training, "LossDisplay", stop_at(whole.best_step + 3))
        with pytest.raises(InterruptedError):
            run(toy_base, toy_catalog["train"][:16], tmp_path, progress=True, **options)
    resumed, again = run(toy_base, toy_catalog["train"][:16], tmp_path, **options)
    assert dataclasses.replace(resumed, seconds=0) == dataclasses.replace(whole, seconds=0)
    assert all(torch.equal(adapters(again)[name], weight) for name, weight in adapters(model).items())


def test_the_last_step_is_evaluated_whatever_its_number(toy_base, toy_catalog, tmp_path):
    recipe = dataclasses.replace(QUICK, epochs=1, evaluate_every=3)
    trained, _ = run(toy_base, toy_catalog["train"][:32], tmp_path, recipe, validation=toy_catalog["validation"][:8])
    assert list(trained.validation) == [3, 4] and trained.stopped == ""


@pytest.mark.parametrize("method", ["qlora", "full"])
def test_every_method_can_be_watched(toy_base, toy_catalog, method):
    recipe = dataclasses.replace(QUICK, epochs=1, evaluate_every=2)
    trained, _ = run(
        toy_base, toy_catalog["train"][:32], None, recipe, method, validation=toy_catalog["validation"][:8]
    )
    assert list(trained.validation) == [2, 4] and trained.best_step in (2, 4)


# ---- general texts mixed in


def test_the_loss_of_a_mixed_batch_weighs_each_kind_by_its_examples(toy_model, toy_tokenizer, toy_catalog):
    items = encode(toy_tokenizer, toy_catalog["train"][:3], 60)
    (text,) = training.mixed_in(toy_tokenizer, for_mixing()[:1], items=3, share=0.25, max_tokens=60)
    assert text["labels"] == text["input_ids"] and len(text["labels"]) == 60
    pad = toy_tokenizer.pad_token_id
    expected = 0.75 * price_loss(toy_model, collate(items, pad)) + 0.25 * price_loss(toy_model, collate([text], pad))
    torch.testing.assert_close(mixed_loss(toy_model, collate([items[0], text, *items[1:]], pad)), expected)
    torch.testing.assert_close(mixed_loss(toy_model, collate(items, pad)), price_loss(toy_model, collate(items, pad)))


@given(items=st.integers(1, 500), share=st.floats(0, 0.9))
def test_mixed_texts_are_the_share_that_was_asked_for(items, share):
    class Tokens:
        def encode(self, text, add_special_tokens):
            return [1, 2, 3]

    texts = training.mixed_in(Tokens(), ["a", "b"], items, share, 8)
    assert abs(len(texts) - share * (len(texts) + items)) <= 0.5 + 1e-9
    assert not any(label == IGNORED for text in texts for label in text["labels"])


def test_mixing_lowers_the_loss_on_general_english(toy_base, toy_catalog):
    recipe = dataclasses.replace(QUICK, epochs=3, learning_rate=0.01, mixed=0.5)
    found = {}
    for name, mix in (("alone", ()), ("mixed", for_mixing())):
        _, model = run(toy_base, toy_catalog["train"][:32], None, recipe, "full", mix=mix)
        found[name] = perplexity(model, load_base(str(toy_base)).tokenizer, held_out()[:10])
    assert found["mixed"] < 0.8 * found["alone"]


def test_without_texts_nothing_is_mixed_in(toy_tokenizer):
    assert training.mixed_in(toy_tokenizer, (), items=100, share=0.5, max_tokens=60) == []


# ---- through finetune


def test_finetune_keeps_what_stopped_it_and_what_it_was_given(toy_base, toy_catalog, tmp_path, monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    options = {"validation": toy_catalog["validation"][:8], "mix": for_mixing()[:4], "minutes": 50.0}
    recipe = dataclasses.replace(WATCHED, epochs=20)
    done = finetune(toy_catalog, tmp_path / "run", base=str(toy_base), recipe=recipe, progress=False, seed=3, **options)
    metrics = done.manifest.metrics
    assert done.validation and done.stopped == metrics["stopped"] != ""
    assert [int(step) for step in metrics["validation"]] == list(done.validation)
    assert metrics["given"]["minutes"] == 50 and metrics["given"]["mix"]["n"] == 4
    assert metrics["given"]["validation"]["n"] == 8


def test_another_budget_or_other_texts_are_another_run(toy_base, toy_catalog, tmp_path, monkeypatch, stop_at):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    options = {"base": str(toy_base), "recipe": QUICK, "seed": 3}
    with monkeypatch.context() as patch:
        patch.setattr(training, "LossDisplay", stop_at(3))
        with pytest.raises(InterruptedError):
            finetune(toy_catalog, tmp_path / "run", minutes=50.0, **options)
    with pytest.raises(ValueError, match="another minutes, mix;"):
        finetune(toy_catalog, tmp_path / "run", minutes=5.0, mix=for_mixing(), **options)
