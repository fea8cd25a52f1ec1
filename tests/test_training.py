"""Training: the loss, the adapters, and runs that were interrupted."""

import json
import math

import pytest
import torch

from pricelab import training
from pricelab.bases import load_base
from pricelab.catalog import load_catalog
from pricelab.checkpoints import newest_valid
from pricelab.price_trainer import PriceTrainer, trainer_arguments
from pricelab.prompt import SUFFIX
from pricelab.training import (
    IGNORED,
    Recipe,
    add_adapters,
    collate,
    encode,
    load_trainable,
    price_loss,
    train,
)

SHORT = Recipe(epochs=2, batch_size=8, rank=4, save_every=3, max_text_tokens=40)


@pytest.fixture
def batch(toy_tokenizer, toy_catalog):
    return collate(encode(toy_tokenizer, toy_catalog["train"][:5], 60), toy_tokenizer.pad_token_id)


def test_only_the_price_tokens_carry_a_loss(toy_tokenizer, toy_catalog):
    item = toy_catalog["train"][0]
    (example,) = encode(toy_tokenizer, [item], max_text_tokens=500)
    text = toy_tokenizer.decode(example["input_ids"])
    price = f"{math.floor(item.price + 0.5)}{toy_tokenizer.eos_token}"
    assert text == f"{item.text}{SUFFIX}{price}"
    labels, ids = list(example["labels"]), list(example["input_ids"])
    carried = [label for label in labels if label != IGNORED]
    assert toy_tokenizer.decode(carried) == price
    assert labels[-len(carried) :] == carried == ids[-len(carried) :]


def test_a_batch_is_filled_up_on_the_right_to_a_multiple_of_four_tokens():
    batch = collate([{"input_ids": [1, 2, 3], "labels": [IGNORED, 2, 3]}, {"input_ids": [4], "labels": [4]}], pad=9)
    assert batch["input_ids"].tolist() == [[1, 2, 3, 9], [4, 9, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 2, 3, IGNORED], [4, IGNORED, IGNORED, IGNORED]]


def test_the_loss_is_the_models_own_on_the_same_labels(toy_model, batch):
    torch.testing.assert_close(price_loss(toy_model, batch), toy_model(**batch).loss)


def test_the_gradients_are_those_of_the_models_own_loss(toy_model, batch):
    weight = toy_model.model.layers[0].self_attn.q_proj.weight
    (ours,) = torch.autograd.grad(price_loss(toy_model, batch), weight)
    (theirs,) = torch.autograd.grad(toy_model(**batch).loss, weight)
    torch.testing.assert_close(ours, theirs)


def test_more_padding_does_not_change_the_loss(toy_model, toy_tokenizer, toy_catalog):
    examples = encode(toy_tokenizer, toy_catalog["train"][:4], 60)
    batch = collate(examples, toy_tokenizer.pad_token_id)
    wider = {
        name: torch.nn.functional.pad(tensor, (0, 7), value=IGNORED if name == "labels" else 0)
        for name, tensor in batch.items()
    }
    torch.testing.assert_close(price_loss(toy_model, wider), price_loss(toy_model, batch))


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_adapters_start_as_no_change_and_alone_get_gradients_in_fp32(toy_base, batch, method):
    model = load_base(str(toy_base), quantise=method == "qlora").model
    before = model(**batch).logits
    model = add_adapters(model, Recipe())
    assert torch.equal(model(**batch).logits, before)
    price_loss(model, batch).backward()
    for name, weight in model.named_parameters():
        assert weight.requires_grad == ("lora_" in name)
        assert (weight.grad is not None) == ("lora_" in name)
        assert "lora_" not in name or weight.dtype == torch.float32
    assert any(weight.grad.abs().sum() > 0 for weight in model.parameters() if weight.grad is not None)


def test_below_the_lowest_adapter_nothing_is_kept_for_the_backward(toy_model, batch):
    from peft import LoraConfig, get_peft_model

    blocks, kept = toy_model.model.layers, {}
    for number, block in enumerate(blocks):
        block.register_forward_hook(lambda _, __, output, number=number: kept.update({number: output.requires_grad}))
    last = len(blocks) - 1
    model = get_peft_model(toy_model, LoraConfig(target_modules=["q_proj"], layers_to_transform=[last]))
    price_loss(model, batch).backward()
    assert kept == {**dict.fromkeys(range(last), False), last: True} and last > 0


def test_full_fine_tuning_moves_fp32_weights(toy_base):
    _, model = load_trainable(str(toy_base), "full", Recipe(), seed=0)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert all(weight.requires_grad for weight in model.parameters())


def run(toy_base, items, folder, method="qlora", recipe=SHORT, progress=False):
    """The losses, and what was trained."""
    base, model = load_trainable(str(toy_base), method, recipe, seed=1)
    losses = train(model, base, items, recipe, folder, seed=1, progress=progress).losses
    return losses, {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize(("method", "step"), [("qlora", 5), ("qlora", 11), ("full", 4)])
def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(
    toy_base, toy_catalog, tmp_path, monkeypatch, stop_at, method, step
):
    items = toy_catalog["train"][:60]  # 8 steps an epoch, the last one smaller
    losses, weights = run(toy_base, items, tmp_path / "whole", method)
    monkeypatch.setattr(training, "LossDisplay", stop_at(step))
    with pytest.raises(InterruptedError):
        run(toy_base, items, tmp_path / "stopped", method, progress=True)
    assert newest_valid(tmp_path / "stopped").checkpoint.name == f"checkpoint-{step // 3 * 3}"
    resumed_losses, resumed_weights = run(toy_base, items, tmp_path / "stopped", method)
    assert resumed_losses == losses and len(losses) == 16
    assert all(torch.equal(resumed_weights[name], weight) for name, weight in weights.items())


def test_the_seed_decides_the_run(toy_base, toy_catalog, tmp_path):
    recipe = Recipe(epochs=1, batch_size=32)
    first, _ = run(toy_base, toy_catalog["train"], tmp_path / "a", recipe=recipe)
    again, _ = run(toy_base, toy_catalog["train"], tmp_path / "b", recipe=recipe)
    assert first == again


def test_each_epoch_sees_every_item_once_in_an_order_of_its_own(toy_base, toy_catalog, tmp_path, monkeypatch):
    batches = []

    def noting(model, inputs):
        batches.append(inputs["input_ids"])
        return price_loss(model, inputs)

    monkeypatch.setattr(training, "price_loss", noting)
    run(toy_base, toy_catalog["train"][:32], tmp_path)
    end = load_base(str(toy_base)).tokenizer.eos_token_id
    rows = [tuple(t for t in row.tolist() if t != end) for batch in batches for row in batch]
    assert sorted(rows[:32]) == sorted(rows[32:]) and rows[:32] != rows[32:]


def test_hardly_any_padding_is_computed(toy_base, toy_tokenizer, tmp_path):
    items = load_catalog("workshop")["train"][:960]
    recipe = Recipe(batch_size=16, rank=4)
    base, model = load_trainable(str(toy_base), "lora", recipe, seed=1)
    examples = encode(toy_tokenizer, items, recipe.max_text_tokens)
    arguments = trainer_arguments(base, recipe, tmp_path, seed=1, keep=False, validated=False)
    both = {"train": examples, "validation": []}
    masks = [
        batch["attention_mask"]
        for batch in PriceTrainer(model, base, both, recipe, arguments, price_loss, None).get_train_dataloader()
    ]
    shuffled = [examples[i] for i in torch.randperm(len(examples), generator=torch.Generator().manual_seed(1))]
    random = [collate(shuffled[i : i + 16], 0)["attention_mask"] for i in range(0, len(shuffled), 16)]
    assert sum(map(len, masks)) == len(items)
    assert padding(masks) < 0.08 and padding(random) > 0.2


def padding(masks):
    """The share of the cells of some batches that is filled up."""
    return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)


def test_the_loss_falls(toy_base, toy_catalog, tmp_path):
    losses, _ = run(
        toy_base, toy_catalog["train"], tmp_path, "lora", Recipe(epochs=4, batch_size=8, learning_rate=5e-3)
    )
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


def test_a_loss_that_is_no_number_stops_the_run_in_words(toy_base, toy_catalog, tmp_path):
    recipe = Recipe(epochs=3, batch_size=8, learning_rate=1e30, warmup=0)
    with pytest.raises(FloatingPointError, match=r"the loss became nan at step \d+; lower the learning rate .*1e\+30"):
        run(toy_base, toy_catalog["train"], tmp_path, "lora", recipe)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"epochs": 0}, {"epochs": math.nan}, {"batch_size": -1}, {"learning_rate": 0}, {"rank": 0}, {"alpha": 0},
        {"max_text_tokens": 0}, {"save_every": 0}, {"warmup": -0.1}, {"warmup": 5},
    ],
)  # fmt: skip
def test_a_recipe_of_nonsense_is_refused_by_name(nonsense):
    with pytest.raises(ValueError, match=next(iter(nonsense))):
        Recipe(**nonsense)


def test_a_recipe_survives_json():
    kept = json.loads(json.dumps(SHORT.as_dict()))
    assert kept == SHORT.as_dict()
    assert Recipe(**{**kept, "targets": tuple(kept["targets"])}) == SHORT
