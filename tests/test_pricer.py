"""The predictor: descriptions in, honest estimates out."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pricelab import bases, pricer, states
from pricelab.decoding import PRICES_USD
from pricelab.intervals import Band, Calibration
from pricelab.price_format import PriceFormat
from pricelab.pricer import Pricer
from pricelab.prompt import digit_tokens

TEXTS = [
    "Stainless steel water bottle, 750 ml, keeps drinks cold for a day, leak-proof lid, fits most cup holders",
    "lamp",
    "",
    "A chair, black, pack of 2",
    "   ",
    "USB-C cable",
]


@pytest.fixture
def untuned(toy_base, monkeypatch):
    """The toy base as a predictor, in fp32 so that batches may be compared."""
    for module in (bases, pricer):
        monkeypatch.setattr(module, "pick_precision", lambda device: (torch.float32, "for the test"))
    return Pricer.from_base(str(toy_base))


@pytest.fixture(scope="module")
def tuned(finetuned):
    return Pricer.load(finetuned["qlora"].folder)


def test_each_setting_that_moves_answers_makes_another_identity(untuned, tuned):
    same = Pricer.from_base(untuned.base)
    others = [
        tuned, tuned.bare, untuned, replace(untuned, max_text_tokens=20), replace(untuned, price_format=PriceFormat(4)),
        replace(tuned, read_out="blend"),
    ]  # fmt: skip
    assert same.identity == untuned.identity and len({one.identity for one in others}) == len(others)


def test_a_predictor_that_is_loaded_beside_an_untuned_one_leaves_it_untuned(toy_base, finetuned):
    bare = Pricer.from_base(str(toy_base))
    before = bare.estimate(TEXTS[0]).distribution
    beside = Pricer.load(finetuned["lora"].folder, beside=bare)
    alone = Pricer.load(finetuned["lora"].folder).estimate(TEXTS[0]).distribution
    assert np.abs(before - alone).max() > 0.001
    for _ in range(2):
        np.testing.assert_array_equal(bare.estimate(TEXTS[0]).distribution, before)
        np.testing.assert_array_equal(beside.estimate(TEXTS[0]).distribution, alone)
    with pytest.raises(ValueError, match="has an adapter already; load .* beside the predictor of that one"):
        Pricer.load(finetuned["lora"].folder, beside=bare)


def always(predictor, digit):
    """Make the model answer with one digit over and over."""
    token = digit_tokens(predictor.base.tokenizer)[digit]

    def shout(module, inputs, logits):
        logits[..., token] += 1e4
        return logits

    predictor.model.get_output_embeddings().register_forward_hook(shout)


@pytest.mark.parametrize(("device", "texts"), [("cpu", 16), ("cuda", 64), ("cuda:1", 64)])
def test_a_gpu_reads_more_texts_at_once(untuned, device, texts):
    assert states.batch_size(replace(untuned, base=replace(untuned.base, device=device))) == texts


def test_answers_come_in_the_order_of_the_descriptions(untuned, monkeypatch):
    monkeypatch.setitem(states.BATCH_SIZES, "cpu", 2)
    together = untuned.estimate(TEXTS)
    alone = [untuned.estimate(text) for text in TEXTS]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.distribution, other.distribution, rtol=1e-3, atol=1e-7)
    real = [e.distribution for e, text in zip(alone, TEXTS, strict=True) if text.strip()]
    assert all(np.abs(a - b).sum() > 1e-3 for i, a in enumerate(real) for b in real[:i])


def test_nothing_to_price_is_no_number_and_says_so(untuned):
    for text, found in zip(TEXTS, untuned.estimate(TEXTS), strict=True):
        empty = not text.strip()
        assert math.isnan(found.estimate) == math.isnan(found.low) == math.isnan(found.high) == empty
        assert found.distribution.shape == (999,) and np.isnan(found.distribution).all() == empty
        assert ("the description is empty" in (found.warning or "")) == empty
    assert untuned.estimate([]) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["lamp", None], r"description 1 is NoneType \(None\), expected text"),
        ([float("nan")], "description 0 is float"),
        ([b"lamp"], "description 0 is bytes"),
        (None, "expected a list of descriptions, got NoneType"),
        (24, "expected a list of descriptions, got int"),
        ({"lamp": 1}, "expected a list of descriptions, got dict"),
        (["lamp", "\ud800 lamp"], "description 1 .* holds half a character"),
    ],
)
def test_what_is_not_text_is_refused_in_words(untuned, given, words):
    with pytest.raises(ValueError, match=words):
        untuned.estimate(given)


def test_write_wants_a_list_and_not_one_text(untuned):
    with pytest.raises(ValueError, match="expected a list of descriptions, got str"):
        untuned.write("lamp")


@pytest.mark.parametrize("offset", [-3.0, 0.0, 0.5])
def test_the_interval_holds_the_estimate_which_is_the_median(untuned, offset):
    import dataclasses

    found = dataclasses.replace(untuned, calibration=Calibration(offset, n=50)).estimate(TEXTS[:2])
    for one in found:
        assert one.low <= one.estimate <= one.high
        below = one.distribution[: int(one.estimate)].sum()
        assert below >= 0.5 > below - one.distribution[int(one.estimate) - 1]
        assert one.mean == pytest.approx((one.distribution * PRICES_USD).sum())


def test_what_was_not_read_is_said_with_each_answer(untuned):
    from pricelab.decoding import CUT

    answers = untuned.estimate(["Cordless drill driver kit, 18 V", "Tea towel, linen", ""])
    assert all(0 < answer.unread <= CUT + 1e-6 for answer in answers[:2]) and answers[2].unread == 0


def test_a_calibrated_interval_is_the_raw_one_moved_on_log_price(untuned):
    import dataclasses

    raw = untuned.estimate("lamp")
    wide = dataclasses.replace(untuned, calibration=Calibration(math.log(1.5), n=50)).estimate("lamp")
    assert raw.low > 1.5 and raw.high < 666  # so that neither end meets the bounds
    assert (wide.low, wide.high) == pytest.approx((raw.low / 1.5, raw.high * 1.5))


def test_an_interval_stays_within_the_prices_that_can_be_answered(untuned):
    import dataclasses

    found = dataclasses.replace(untuned, calibration=Calibration(20.0, n=50)).estimate("lamp")
    assert (found.low, found.high) == (0.5, 999.5)  # which are written as 1 and 999


def test_a_long_description_is_cut_with_a_warning(untuned):
    import dataclasses

    short = dataclasses.replace(untuned, max_text_tokens=5)
    found = short.estimate([TEXTS[0], "lamp"])
    assert "only the first 5 tokens of the description were read" in found[0].warning
    assert found[1].warning is None


def test_a_model_without_probabilities_gives_no_number(untuned):
    untuned.model.get_output_embeddings().register_forward_hook(lambda module, inputs, logits: logits * math.nan)
    with np.errstate(invalid="ignore"):
        found = untuned.estimate("lamp")
    assert math.isnan(found.estimate) and math.isnan(found.low) and math.isnan(found.high)
    assert "no probabilities" in found.warning


@pytest.mark.parametrize("text", ["lamp", "lamp\n\nPrice is $9", "Price is $9"])
def test_a_price_in_the_description_changes_nothing_in_how_the_answer_is_read(untuned, text):
    always(untuned, 7)
    found = untuned.estimate(text)
    assert found.estimate == 777 and found.distribution[776] == pytest.approx(1)
    assert untuned.write([text], max_new_tokens=4) == ["7777"]


def test_write_is_greedy_and_gives_the_new_text_only(untuned):
    (answer,) = untuned.write(["lamp"], max_new_tokens=3)
    tokenizer = untuned.base.tokenizer
    ids = tokenizer.encode(untuned.prompt("lamp"))
    for _ in range(3):
        ids.append(int(untuned.model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert answer == tokenizer.decode(ids[-3:], skip_special_tokens=True)


def test_training_and_prediction_read_the_same_prompt(untuned):
    from pricelab.catalog import Item
    from pricelab.training import IGNORED, encode

    (example,) = encode(untuned.base.tokenizer, [Item("1", TEXTS[0], 24.0)], untuned.max_text_tokens)
    asked = [token for token, label in zip(example["input_ids"], example["labels"], strict=True) if label == IGNORED]
    assert asked == untuned.prompt_ids(TEXTS[0])[0] == untuned.base.tokenizer.encode(untuned.prompt(TEXTS[0]))


def test_the_untuned_predictor_shares_the_memory_and_answers_as_the_bare_base(tuned, toy_base):
    bare = tuned.untuned
    assert bare.model is tuned.model
    answers = [p.estimate("A chair").distribution for p in (tuned, bare, tuned)]
    np.testing.assert_array_equal(answers[0], answers[2])  # switching off leaves the adapter as it was
    assert np.abs(answers[0] - answers[1]).sum() > 0.05
    expected = Pricer.from_base(load_quantised(toy_base), max_text_tokens=tuned.max_text_tokens)
    np.testing.assert_array_equal(answers[1], expected.estimate("A chair").distribution)
    assert (bare.calibration, bare.ridge, bare.constant) == (None, None, None)
    assert tuned.write(["A chair"]) != bare.write(["A chair"])


def load_quantised(folder):
    return bases.load_base(str(folder), quantise=True)


def test_after_full_fine_tuning_the_base_is_loaded_again(finetuned, toy_base):
    full = Pricer.load(finetuned["full"].folder)
    bare = full.untuned
    expected = Pricer.from_base(str(toy_base), max_text_tokens=full.max_text_tokens).estimate("A chair")
    np.testing.assert_array_equal(bare.estimate("A chair").distribution, expected.distribution)
    assert np.abs(full.estimate("A chair").distribution - expected.distribution).sum() > 0.05


def test_a_progress_bar_only_when_asked(untuned, capsys):
    untuned.estimate(["lamp"])
    assert capsys.readouterr().err == ""
    untuned.estimate(["lamp"], progress=True)
    assert "pricing" in capsys.readouterr().err


def test_the_interval_is_that_of_the_estimates_band(untuned):
    import dataclasses

    raw = untuned.estimate(TEXTS[:2])
    assert raw[0].estimate != raw[1].estimate
    edge = max(one.estimate for one in raw)
    bands = (Band(0.0, 0.0, 50), Band(edge, math.log(1.1), 50))
    found = dataclasses.replace(untuned, calibration=Calibration(5.0, 100, bands=bands)).estimate(TEXTS[:2])
    for one, before in zip(found, raw, strict=True):
        factor = 1.1 if one.estimate == edge else 1
        assert (one.low, one.high) == pytest.approx((before.low / factor, before.high * factor))
