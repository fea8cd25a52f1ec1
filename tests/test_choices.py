"""What is chosen for a run: LoRA's variants, its layers, early stopping's items, and the trackers."""

import dataclasses
import math
import os
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft.tuners.lora import LoraLayer
from transformers import TrainerCallback
from transformers.integrations import integration_utils

from pricelab import training
from pricelab.adapters import add_adapters, linear_layers
from pricelab.bases import load_base
from pricelab.catalog import Catalog, Item, LoadReport, load_catalog
from pricelab.choices import check_choices, chosen_recipe, early_stopping, validation_items, without
from pricelab.costs.shapes import ALL_LINEAR, ATTENTION
from pricelab.finetuning import finetune
from pricelab.pricer import Pricer
from pricelab.profiles import PROFILES
from pricelab.recipe import ADAPTER_FIELDS, TARGET_GROUPS, Recipe, target_names
from pricelab.trackers import LOGS, Trackers, check_trackers
from pricelab.training import collate, encode, load_trainable, price_loss, train

TARGETS = st.lists(st.sampled_from([*TARGET_GROUPS, *ALL_LINEAR, "c_attn"]), min_size=1)


@pytest.fixture
def batch(toy_tokenizer, toy_catalog):
    return collate(encode(toy_tokenizer, toy_catalog["train"][:5], 60), toy_tokenizer.pad_token_id)


# ---- the recipe


@given(TARGETS)
def test_targets_are_layers_each_once_however_they_are_written(words):
    layers = target_names(words)
    assert layers == target_names(" , ".join(words)) == target_names(layers) == Recipe(targets=tuple(words)).targets
    expected = {layer for word in words for layer in TARGET_GROUPS.get(word, (word,))}
    assert set(layers) == expected and len(layers) == len(expected)


@pytest.mark.parametrize("nothing", ["", ",", "q_proj,,v_proj", (), [""]])
def test_targets_that_name_nothing_are_refused(nothing):
    with pytest.raises(ValueError, match="targets name no layer.*give all-linear or attention, or layers such as"):
        Recipe(targets=nothing)


@pytest.mark.parametrize("dropout", [-0.1, 1, math.nan])
def test_dropout_is_a_share(dropout):
    with pytest.raises(ValueError, match="dropout is a share, from 0 to less than 1"):
        Recipe(dropout=dropout)


@given(st.integers(1, 512), st.integers(1, 64), st.integers(1, 512))
def test_alpha_follows_a_chosen_rank_so_that_the_scale_stays(rank, before, alpha):
    default = Recipe(rank=before, alpha=alpha)
    recipe = chosen_recipe(default, {"rank": rank})
    assert recipe.rank == rank and recipe.alpha >= 1
    assert recipe.alpha == pytest.approx(alpha / before * rank, abs=0.501 if recipe.alpha > 1 else 1)
    assert chosen_recipe(default, {"rank": rank, "alpha": 3}).alpha == 3


@pytest.mark.parametrize("name", ADAPTER_FIELDS)
def test_full_fine_tuning_refuses_an_adapters_settings(name):
    choices = {name: getattr(Recipe(), name)}
    check_choices(choices, "lora")
    with pytest.raises(ValueError, match=f"{name} set an adapter, and full fine-tuning has none"):
        check_choices(choices, "full")


def test_full_fine_tuning_refuses_a_recipe_of_variants(toy_catalog, tmp_path):
    with pytest.raises(ValueError, match="rslora, dora set an adapter, and full fine-tuning has none"):
        finetune(toy_catalog, tmp_path / "run", method="full", recipe=Recipe(dora=True, rslora=True))
    assert not (tmp_path / "run").exists()


def test_a_setting_that_there_is_none_of_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no setting called ranks; a recipe has epochs, batch_size.* dora"):
        check_choices({"ranks": 3}, "lora")


# ---- the adapters


@pytest.mark.parametrize("quantise", [False, True])
def test_a_target_that_the_base_has_not_is_refused_with_those_it_has(toy_base, quantise):
    model = load_base(str(toy_base), quantise=quantise).model
    assert set(linear_layers(model)) == set(ALL_LINEAR)
    with pytest.raises(ValueError, match="no linear layers called c_attn, lm_head for.* it has q_proj, k_proj"):
        add_adapters(model, Recipe(targets=("c_attn", "q_proj", "lm_head")))


def test_only_the_targets_get_an_adapter(toy_base):
    model = add_adapters(load_base(str(toy_base)).model, Recipe(targets="attention"))
    adapted = {name.split(".")[-4] for name, _ in model.named_parameters() if "lora_A" in name}
    assert adapted == set(ATTENTION)


@pytest.mark.parametrize("method", ["lora", "qlora"])
@pytest.mark.parametrize("options", [{"rslora": True}, {"dora": True}, {"dora": True, "dropout": 0.1}])
def test_a_variant_starts_as_no_change_and_learns_in_fp32(toy_base, batch, method, options):
    base, model = load_trainable(str(toy_base), method, Recipe(**options), seed=0)
    with torch.no_grad(), model.disable_adapter():
        before = price_loss(model, batch)
    loss = price_loss(model.eval(), batch)
    torch.testing.assert_close(loss, before, rtol=5e-3, atol=0)  # DoRA divides by a norm and multiplies by it again
    loss.backward()
    learning = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert all(weight.dtype == torch.float32 and weight.grad is not None for weight in learning.values())
    assert any("magnitude" in name for name in learning) == ("dora" in options)


def test_the_scale_is_alpha_by_rank_or_by_its_root(toy_base):
    for options, scale in (({}, 16 / 4), ({"rslora": True}, 16 / 2)):
        model = add_adapters(load_base(str(toy_base)).model, Recipe(rank=4, alpha=16, **options))
        assert {module.scaling["default"] for module in model.modules() if isinstance(module, LoraLayer)} == {scale}


def test_dropout_acts_in_training_alone(toy_base, batch):
    _, model = load_trainable(str(toy_base), "lora", Recipe(dropout=0.5), seed=0)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    assert price_loss(model.train(), batch) != price_loss(model, batch)
    assert price_loss(model.eval(), batch) == price_loss(model, batch)


def test_a_run_with_dropout_and_dora_resumes_as_if_never_interrupted(
    toy_base, toy_catalog, tmp_path, monkeypatch, stop_at
):
    recipe = Recipe(epochs=1, batch_size=8, rank=4, save_every=2, max_text_tokens=40, dropout=0.2, dora=True)
    items, name = toy_catalog["train"][:40], str(toy_base)

    def run(folder, progress=False):
        base, model = load_trainable(name, "qlora", recipe, seed=1)
        losses = train(model, base, items, recipe, folder, seed=1, progress=progress).losses
        return losses, {name: weight for name, weight in model.named_parameters() if weight.requires_grad}

    losses, weights = run(tmp_path / "whole")
    monkeypatch.setattr(training, "LossDisplay", stop_at(3))
    with pytest.raises(InterruptedError):
        run(tmp_path / "stopped", progress=True)
    resumed_losses, resumed = run(tmp_path / "stopped")
    assert resumed_losses == losses and resumed.keys() == weights.keys()
    assert any("magnitude" in name for name in weights)
    assert all(torch.equal(resumed[name], weight) for name, weight in weights.items())


def test_a_run_of_choices_is_saved_loaded_and_noted(toy_base, toy_catalog, tmp_path, monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    choices = {"rank": 2, "targets": ("q_proj", "v_proj"), "dora": True, "batch_size": 32, "epochs": 1}
    run = finetune(toy_catalog, tmp_path / "run", base=str(toy_base), choices=choices, progress=False)
    assert len(run.losses) == 2
    assert {name: run.manifest.recipe[name] for name in choices} == {**choices, "targets": ["q_proj", "v_proj"]}
    assert run.manifest.recipe["alpha"] == 4
    assert Pricer.load(run.folder).model.peft_config["default"].use_dora


# ---- validation items


def test_the_catalogs_own_validation_split_is_taken():
    workshop = load_catalog("workshop")
    assert set(validation_items(workshop)) == set(workshop["validation"])
    some = validation_items(workshop, most=100)
    assert len(some) == 100 and set(some) < set(workshop["validation"]) and some == validation_items(workshop, 0, 100)
    assert some != validation_items(workshop, 1, 100)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9)), min_size=5), st.none() | st.integers(1, 5))
def test_without_one_whole_texts_of_the_training_items_are_held_out(pairs, most):
    made = tuple(dict.fromkeys(Item(f"{t}-{p}", f"text {t}", float(p)) for t, p in pairs))
    catalog = Catalog("made", {"train": made}, LoadReport(len(made), len(made)))
    watched = validation_items(catalog, most=most)
    rest = without(made, watched)
    assert {i.text for i in watched}.isdisjoint(i.text for i in rest)
    assert len(rest) + len(watched) == len(made) and len(watched) <= (most or math.inf)
    assert list(rest) == [i for i in made if i in rest]


def test_watching_costs_less_than_training():
    workshop = load_catalog("workshop")
    for profile in PROFILES.values():
        watched, choices = early_stopping(workshop, profile, {"patience": 2}, seed=0)
        assert len(watched) <= choices["evaluate_every"] * profile.batch_size and choices["patience"] == 2
    assert early_stopping(workshop, PROFILES["laptop"], {"evaluate_every": 7}, 0)[1]["evaluate_every"] == 7


def test_items_to_validate_on_are_not_trained_on(toy_base, toy_catalog, tmp_path, monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    seen = []
    monkeypatch.setattr(training, "encode", lambda of, items, *rest: seen.append(items) or encode(of, items, *rest))
    watched = toy_catalog["train"][:8]
    options = {"epochs": 1, "batch_size": 28, "evaluate_every": 1, "patience": 1}
    run = finetune(
        toy_catalog, tmp_path / "run", base=str(toy_base), choices=options, validation=watched, progress=False
    )
    assert set(seen[0]).isdisjoint(watched) and len(seen[0]) == 56 == run.manifest.data["train_items"]
    assert run.validation and run.manifest.data["fingerprint"] == toy_catalog.fingerprint
    few = dataclasses.replace(toy_catalog, splits={**toy_catalog.splits, "train": toy_catalog["train"][:20]})
    with pytest.raises(ValueError, match="12 train items are too few"):
        finetune(few, tmp_path / "few", base=str(toy_base), validation=watched, progress=False)


# ---- trackers


@pytest.fixture
def tracker(monkeypatch):
    """A tracker called ``spy``, known to transformers and installed; what it was told is in ``told``."""

    class Spy(TrainerCallback):
        told: list[dict] = []

        def on_train_begin(self, args, state, control, **_):
            self.told.append({"project": args.project, "run": args.run_name})

        def on_log(self, args, state, control, logs=None, **_):
            self.told.append(logs)

    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "spy", Spy)
    available = integration_utils.get_available_reporting_integrations
    monkeypatch.setattr(integration_utils, "get_available_reporting_integrations", lambda: [*available(), "spy"])
    return Spy.told


@pytest.mark.parametrize("asked", [False, True])
def test_losses_are_reported_only_when_asked(toy_base, toy_catalog, tmp_path, tracker, monkeypatch, asked):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    choices = {"epochs": 1, "batch_size": 32, "rank": 2}
    options = {"base": str(toy_base), "choices": choices, "progress": False}
    run = finetune(toy_catalog, tmp_path / "shop", report_to="spy" if asked else (), **options)
    if not asked:
        assert tracker == []
        return
    assert tracker[0] == {"project": "pricelab", "run": "shop"}
    assert [logs["loss"] for logs in tracker if "loss" in logs] == run.losses
    assert not any(item.text in str(tracker) for item in toy_catalog["train"])


def test_an_unknown_tracker_is_refused_with_those_there_are(toy_catalog, tmp_path):
    with pytest.raises(ValueError, match="unknown tracker papyrus; there are .*tensorboard.*wandb"):
        finetune(toy_catalog, tmp_path / "run", report_to=["papyrus"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name, package", [("wandb", "wandb"), ("comet_ml", "comet-ml")])
def test_a_tracker_that_is_not_installed_comes_with_its_pip_line(name, package, monkeypatch):
    monkeypatch.setattr(integration_utils, "get_available_reporting_integrations", lambda: ["tensorboard"])
    check_trackers(("tensorboard",))
    with pytest.raises(ValueError, match=f"{name} is not installed; run: pip install {package}$"):
        check_trackers((name, "tensorboard"))


def test_tensorboard_writes_beside_the_result_unless_told_otherwise(tmp_path, tracker, monkeypatch):
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    with Trackers(("spy",), tmp_path).reporting(SimpleNamespace()):
        assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / LOGS) and os.environ["WANDB_PROJECT"] == "mine"
    assert "TENSORBOARD_LOGGING_DIR" not in os.environ and os.environ["WANDB_PROJECT"] == "mine"
