import dataclasses

import pytest

from pricelab.artifacts import Manifest
from pricelab.card import CARD, model_card


@pytest.fixture
def manifest(finetuned):
    return finetuned["lora"].manifest


def test_each_run_has_a_card_that_the_manifest_vouches_for(finetuned):
    for method, run in finetuned.items():
        text = (run.folder / CARD).read_text(encoding="utf-8")
        assert text.startswith("---\nbase_model: ") and CARD in run.manifest.files
        assert ("library_name: peft" in text) == (method != "full")
        assert f"{run.manifest.data['train_items']:,} items" in text


def test_no_text_of_the_catalog_and_no_folder_of_this_machine(finetuned, toy_catalog, tmp_path):
    for run in finetuned.values():
        text = (run.folder / CARD).read_text(encoding="utf-8")
        assert not any(item.text[:25] in text for item in toy_catalog["train"])
        assert str(tmp_path.anchor) + "tmp" not in text and "/home" not in text


def test_read_outs_are_a_table_with_the_one_that_answers(manifest):
    read_outs = {"default": "blend", "calibration_log_mae": {"digits": 0.71, "blend": 0.62}, "blend": {}}
    text = model_card(dataclasses.replace(manifest, read_outs=read_outs))
    assert "| the probabilities of the price's digits | 0.710 |  |" in text
    assert "| the frozen base's states blended with a ridge on words | 0.620 | yes |" in text
    assert "blend.safetensors" in text and "blend.safetensors" not in model_card(manifest)


def test_a_catalogs_name_cannot_write_markdown(manifest):
    data = {**manifest.data, "name": "x`<script>|\n# owned.csv"}
    text = model_card(dataclasses.replace(manifest, data=data))
    assert "<script>" not in text and "\n# owned" not in text


def test_it_needs_nothing_but_the_manifest(manifest, tmp_path):
    sealed = manifest.seal(tmp_path, [])
    assert model_card(Manifest.read(tmp_path)) == model_card(sealed)
