"""Trials are kept when they end, and taken again only for the very same settings."""

from dataclasses import replace

import pytest

from pricelab import kept_trials
from pricelab.kept_trials import attempt_once
from pricelab.ways import WAYS, Trial

LORA = WAYS["lora"]


@pytest.fixture
def tried(monkeypatch):
    """Trials without training, of which each keeps three bytes of weights; returns what was trained."""
    asked = []

    def pretended(way, items, held_out, *, seed, base, keep):
        asked.append((way.key, way.learning_rate(len(items)), len(items), seed, base))
        if keep:
            keep.mkdir(exist_ok=True)
            (keep / "adapter_model.safetensors").write_bytes(b"abc")
        estimates = {split: [1 / 3] * len(found) for split, found in held_out.items()}
        return Trial(way.key, base, len(items), 1.0, seed, way.learning_rate(len(items)), 9, 1, 0.1, 5, 7.0, 8, 3, 1, 1,
                     0.2, 0.3, estimates)  # fmt: skip

    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    monkeypatch.setattr(kept_trials, "attempt_apart", pretended)
    return asked


@pytest.fixture
def data(toy_catalog):
    return toy_catalog["train"][:5], {"test": toy_catalog["test"][:3]}


def test_a_second_run_takes_what_is_through_and_trains_the_rest(tried, data, tmp_path, capsys):
    first = attempt_once(LORA, *data, tmp_path)
    assert capsys.readouterr().out == ""
    again = [attempt_once(way, *data, tmp_path) for way in WAYS.values()]
    assert first in again and [key for key, *_ in tried] == ["lora", "small", "scratch", "full", "qlora"]
    assert (
        capsys.readouterr().out
        == "LoRA: trained before with the same settings, and taken; overwrite=True trains anew\n"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"base": "smollm2-135m"},
        {"overwrite": True},
        {"way": {200: 2e-3}},
        {"train": 4},
        {"test": 2},
        {"batch": 8},
    ],
    ids=str,
)
def test_other_settings_are_trained(tried, data, tmp_path, monkeypatch, options):
    items, held_out = data
    attempt_once(LORA, *data, tmp_path)
    way = replace(LORA, rates=options.pop("way", LORA.rates))
    items, held_out = items[: options.pop("train", None)], {"test": held_out["test"][: options.pop("test", None)]}
    if batch := options.pop("batch", 0):
        profile = replace(kept_trials.detect(), batch_size=batch)
        monkeypatch.setattr(kept_trials, "detect", lambda: profile)
    for _ in range(2):
        trial = attempt_once(way, items, held_out, tmp_path, **options)
        options.pop("overwrite", None)
    assert len(tried) == 2 and trial.items == len(items)


@pytest.mark.parametrize("spoilt", ["{", "{}", '{"settings": {}, "trial": {"way": "lora"}}', "[]"])
def test_a_file_that_is_not_whole_is_made_again(tried, data, tmp_path, spoilt):
    attempt_once(LORA, *data, tmp_path)
    (tmp_path / "lora.json").write_text(spoilt, encoding="utf-8")
    attempt_once(LORA, *data, tmp_path)
    assert len(tried) == 2


def test_weights_that_are_gone_are_made_again(tried, data, tmp_path):
    for _ in range(2):
        attempt_once(LORA, *data, tmp_path, keep=tmp_path / "weights")
    assert len(tried) == 1
    (tmp_path / "weights" / "adapter_model.safetensors").unlink()
    attempt_once(LORA, *data, tmp_path, keep=tmp_path / "weights")
    assert len(tried) == 2


def test_a_run_that_is_cut_off_leaves_no_older_trial_beside_newer_weights(tried, data, tmp_path, monkeypatch):
    attempt_once(LORA, *data, tmp_path)
    monkeypatch.setattr(kept_trials, "attempt_apart", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        attempt_once(LORA, *data, tmp_path, seed=1)
    assert not (tmp_path / "lora.json").exists()


def test_a_trained_trial_comes_back_as_it_was(toy_catalog, toy_base, data, tmp_path):
    first, again = (attempt_once(LORA, *data, tmp_path, base=str(toy_base), keep=tmp_path / "w") for _ in range(2))
    assert again == first and first.disk_bytes > 0
