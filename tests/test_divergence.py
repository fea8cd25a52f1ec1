"""Losses and gradients that are no finite numbers: told with step, items and cures, before they reach the weights."""

from types import SimpleNamespace

import pytest
import torch
from transformers import Trainer

from pricelab import training
from pricelab.checkpoints import newest_valid
from pricelab.divergence import odd_rows, words
from pricelab.price_trainer import OVERFLOWS, PriceTrainer, price_loss
from pricelab.training import Recipe, load_trainable, train

RECIPE = Recipe(epochs=1, batch_size=16, rank=4, max_text_tokens=40, save_every=1)
TEXTS = ["a kettle", "a press", "a mug", "a lamp"]


def run(toy_base, items, folder):
    base, model = load_trainable(str(toy_base), "lora", RECIPE, seed=1)
    train(model, base, items, RECIPE, folder, seed=1, progress=False)


def test_items_of_their_own_are_named_and_may_be_left_out():
    told = words("loss", float("nan"), 7, Recipe(learning_rate=0.5), TEXTS, [1, 2])
    assert told.startswith(
        "the loss became nan at step 7; lower the learning rate (it is 0.5), or leave these items out"
    )
    assert told.endswith("it concerns 2 of the 4 items of that step: 'a press', 'a mug'")


def test_a_whole_batch_points_at_the_learning_rate():
    told = words("gradient", float("inf"), 7, Recipe(), TEXTS, range(4))
    assert "the gradient became inf at step 7" in told and "warm up longer" in told and "leave" not in told
    assert "4 of the 4 items" in told and "a lamp" not in told  # three are enough


def test_the_rows_with_an_odd_loss_are_found():
    inputs = {"input_ids": torch.arange(4)[:, None]}

    def loss_of(part):
        return torch.log(part["input_ids"].float() - 1).sum()  # nan, -inf, 0, …

    assert odd_rows(loss_of, inputs) == [0, 1]


def test_an_item_whose_loss_is_no_number_is_named(toy_base, toy_catalog, tmp_path, monkeypatch):
    tokenizer = training.load_base(str(toy_base)).tokenizer
    items = toy_catalog["train"]
    bad = list(training.encode(tokenizer, items[5:6], RECIPE.max_text_tokens)[0]["input_ids"])

    def poisoned(model, inputs):
        hit = any(row[: len(bad)].tolist() == bad for row in inputs["input_ids"])
        return price_loss(model, inputs) * (float("nan") if hit else 1)

    monkeypatch.setattr(training, "price_loss", poisoned)
    with pytest.raises(FloatingPointError, match="the loss became nan at step .*1 of the 16 items") as caught:
        run(toy_base, items, tmp_path)
    assert items[5].text[:12] in str(caught.value)


def test_a_gradient_that_is_no_number_never_reaches_the_weights(toy_base, toy_catalog, tmp_path, monkeypatch):
    calls = []

    def spoiled(model, inputs):
        loss = price_loss(model, inputs)
        calls.append(loss)
        if len(calls) == 3:
            loss.register_hook(lambda gradient: gradient * float("inf"))
        return loss

    monkeypatch.setattr(training, "price_loss", spoiled)
    with pytest.raises(FloatingPointError, match="the gradient became (nan|inf) at step 3; lower the learning rate"):
        run(toy_base, toy_catalog["train"], tmp_path)
    assert newest_valid(tmp_path).checkpoint.name == "checkpoint-2"


def test_fp16_may_overflow_while_its_scale_is_found_but_not_forever(monkeypatch):
    norms = iter([torch.tensor(float("inf"))] * OVERFLOWS + [torch.tensor(1.0)] + [torch.tensor(float("inf"))] * 99)
    monkeypatch.setattr(Trainer, "_clip_grad_norm", lambda self, model: next(norms))
    trainer = PriceTrainer.__new__(PriceTrainer)
    trainer.accelerator, trainer._skipped, trainer._batch = SimpleNamespace(scaler=object()), 0, {"input_ids": [[1]]}
    monkeypatch.setattr(PriceTrainer, "_diverged", lambda self, what, value, *_: FloatingPointError(f"{what} {value}"))
    for _ in range(2 * OVERFLOWS + 1):
        trainer._clip_grad_norm(None)
    with pytest.raises(FloatingPointError, match="gradient inf"):
        trainer._clip_grad_norm(None)
