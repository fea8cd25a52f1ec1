import json
import shutil

import numpy as np
import pytest

from pricelab import Pricer, finetuning
from pricelab.blend import FILE
from pricelab.pricer import BLEND, DIGITS
from pricelab.read_outs import with_read_outs
from pricelab.training import Recipe

RECIPE = Recipe(epochs=1, batch_size=16, rank=4, learning_rate=5e-3)


@pytest.fixture(scope="module")
def run(tmp_path_factory, toy_base, toy_catalog):
    """A finished run with a blend."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRICELAB_PROFILE", "smoke")
        folder = tmp_path_factory.mktemp("blended") / "run"
        options = {"base": str(toy_base), "recipe": RECIPE, "seed": 3, "progress": False}
        return finetuning.finetune(toy_catalog, folder, blend=True, **options)


@pytest.fixture(scope="module")
def texts(toy_catalog):
    return [item.text for item in toy_catalog["test"]]


def test_the_manifest_says_which_read_out_answers_and_how_both_did(run):
    read_outs = json.loads((run.folder / "manifest.json").read_text())["read_outs"]
    errors = read_outs["calibration_log_mae"]
    assert set(errors) == {DIGITS, BLEND} and read_outs["default"] == min(errors, key=errors.get)
    assert FILE in run.manifest.files and read_outs[BLEND]["calibration"]["n"] > 0


def test_both_read_outs_answer_for_themselves(run, texts):
    pricer = Pricer.load(run.folder)
    blend, digits = pricer.reading(BLEND).estimate(texts), pricer.digits.estimate(texts)
    assert any(one.estimate != other.estimate for one, other in zip(blend, digits, strict=True))
    for answer in (*blend, *digits):
        assert 0.5 <= answer.low <= answer.estimate <= answer.high <= 999.5
        assert answer.distribution.sum() == pytest.approx(1)
    again = Pricer.load(run.folder).reading(BLEND).estimate(texts[::-1])[::-1]
    np.testing.assert_allclose([a.estimate for a in again], [a.estimate for a in blend], rtol=1e-4)


def test_the_digits_are_those_of_a_run_without_a_blend(run, texts, toy_base, toy_catalog, tmp_path, monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    options = {"base": str(toy_base), "recipe": RECIPE, "seed": 3, "progress": False}
    plain = finetuning.finetune(toy_catalog, tmp_path / "plain", **options)
    assert not plain.manifest.read_outs and FILE not in plain.manifest.files
    for mine, its in zip(Pricer.load(run.folder).digits.estimate(texts), Pricer.load(plain.folder).estimate(texts),
                         strict=True):  # fmt: skip
        assert (mine.estimate, mine.low, mine.high) == pytest.approx((its.estimate, its.low, its.high))


def test_the_blend_reads_the_base_not_the_adapter(run, texts):
    pricer = Pricer.load(run.folder).reading(BLEND)
    before = [answer.estimate for answer in pricer.estimate(texts)]
    for name, weight in pricer.model.named_parameters():
        if "lora_B" in name:
            weight.data.fill_(0.5)
    assert [answer.estimate for answer in pricer.estimate(texts)] == pytest.approx(before)


def test_without_its_adapter_a_predictor_has_digits_only(run):
    untuned = Pricer.load(run.folder).reading(BLEND).untuned
    assert untuned.read_out == DIGITS
    with pytest.raises(ValueError, match="has no read-out 'blend'; it has digits"):
        untuned.reading(BLEND)
    with pytest.raises(ValueError, match="no read-out 'tea leaves'; it has digits and blend"):
        Pricer.load(run.folder).reading("tea leaves")


def test_a_changed_blend_is_refused(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    with (tmp_path / "run" / FILE).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match=f"{FILE} was changed after training"):
        Pricer.load(tmp_path / "run")


def test_the_adapter_is_still_one_that_plain_peft_opens(run, toy_base):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(toy_base), str(run.folder))


def test_full_fine_tuning_leaves_no_frozen_base_to_read(toy_catalog, tmp_path):
    with pytest.raises(ValueError, match="full fine-tuning leaves none"):
        finetuning.finetune(toy_catalog, tmp_path / "run", method="full", blend=True)
    assert not (tmp_path / "run").exists()


def test_the_read_out_that_errs_less_on_held_out_items_answers(toy_base, toy_catalog):
    pricer = Pricer.from_base(str(toy_base))
    found = with_read_outs(pricer, toy_catalog["train"], toy_catalog["calibration"])
    assert found.errors[BLEND] < found.errors[DIGITS]  # the toy base knows nothing of prices
    assert found.pricer.read_out == BLEND and found.pricer.calibration == found.calibration
    assert with_read_outs(pricer, toy_catalog["train"], toy_catalog["calibration"], blended=False).pricer.blend is None
