"""``need``: what a notebook takes from an earlier one, from the cache, from the shipped data, or made now."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from pricelab import base_files, finetuning, needs
from pricelab.needs import TRAVELLER, leaderboard_path, need, workspace
from pricelab.pricer import Pricer
from pricelab.profiles import PROFILES


@pytest.fixture(autouse=True)
def smoke(monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")


@pytest.fixture
def shipped(monkeypatch, tmp_path, toy_base):
    """The folder of shipped data, with the toy base as ``tiny`` and no adapter."""
    data = tmp_path / "data"
    shutil.copytree(toy_base, data / "tiny-base")
    for module in (needs, base_files):
        monkeypatch.setattr(module, "data_dir", lambda: data)
    return data


@pytest.fixture
def tuned(monkeypatch, finetuned):
    """Notebook 07's training is a copy of a finished run; what it was asked for is noted."""
    asked = []

    def copy(catalog, folder, **options):
        asked.append((len(catalog["train"]), folder))
        shutil.copytree(finetuned["qlora"].folder, folder)

    monkeypatch.setattr(finetuning, "finetune", copy)
    return asked


def test_an_unknown_need_names_those_there_are():
    with pytest.raises(ValueError, match="unknown need 'coffee'; there are 'catalog', 'item', 'base', .*'adapter'"):
        need("coffee")


def test_the_catalog_has_the_profiles_sizes():
    splits, smoke = need("catalog").splits, PROFILES["smoke"]
    assert len(splits["train"]) == smoke.train_items
    assert len(splits["test"]) == len(splits["test-unseen"]) == len(splits["calibration"]) == smoke.test_items


def test_the_travelling_item_is_one_that_no_model_trains_on():
    item, catalog = need("item"), need("catalog")
    assert item.id == TRAVELLER and item.text and item.price > 0
    assert item.text not in {other.text for other in catalog["train"]}


def test_each_profile_has_a_workspace_of_its_own_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PRICELAB_CACHE", str(tmp_path))
    here = workspace()
    assert leaderboard_path().parent == here and here.is_relative_to(tmp_path)
    monkeypatch.setenv("PRICELAB_PROFILE", "laptop")
    assert workspace() != here


def test_the_base_is_the_profiles_untuned(shipped, toy_base):
    found = need("base")
    assert found.name == "tiny, untuned"
    expected = Pricer.from_base(str(toy_base)).estimate("A chair").distribution
    np.testing.assert_array_equal(found.estimate("A chair").distribution, expected)


@pytest.mark.parametrize("what", ["adapter", "small adapter"])
def test_an_adapter_is_made_once_after_saying_so(shipped, tuned, capsys, what):
    first, again = need(what), need(what)
    assert tuned == [(PROFILES["smoke"].train_items, workspace() / "qlora")]
    assert capsys.readouterr().out.count("Notebook 07 has not run here: fine-tuning tiny on 200 items first.") == 1
    assert first.manifest == again.manifest


def test_the_shipped_adapter_is_used_after_saying_so_until_there_is_an_own_one(shipped, tuned, finetuned, capsys):
    shutil.copytree(finetuned["lora"].folder, shipped / "adapters" / "tiny")
    assert need("small adapter").manifest.method == "lora" and capsys.readouterr().out == ""
    assert need("adapter").manifest.method == "lora"
    assert "the small adapter that ships with pricelab" in capsys.readouterr().out
    assert tuned == []
    shutil.copytree(finetuned["qlora"].folder, workspace() / "qlora")
    assert need("adapter").manifest.method == "qlora" and capsys.readouterr().out == ""
    assert need("small adapter").manifest.method == "lora"


def test_what_compares_ways_has_a_base_and_an_adapter_of_its_own(shipped, finetuned, monkeypatch):
    monkeypatch.setattr(needs, "detect", lambda: replace(PROFILES["smoke"], base="a base that is not there"))
    shutil.copytree(finetuned["lora"].folder, shipped / "adapters" / "tiny")
    assert need("compared base").name == "tiny, untuned"
    assert need("compared adapter").manifest.method == "lora"


def test_the_adapter_folder_is_the_shipped_one_else_the_own_one(shipped, tuned, finetuned):
    assert need("adapter folder") == workspace() / "qlora" and len(tuned) == 1
    shutil.copytree(finetuned["lora"].folder, shipped / "adapters" / "tiny")
    assert need("adapter folder") == shipped / "adapters" / "tiny"
    assert Pricer.load(need("adapter folder")).manifest.method == "lora"
