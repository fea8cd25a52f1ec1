from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pricelab.baselines import TfidfRidge
from pricelab.blend import FILE, Blend, fit_blend
from pricelab.intervals import Calibration, quantile
from pricelab.price_format import PriceFormat
from pricelab.pricer import Pricer


def blend_of(rows=200, words_noise=0.5, seed=0):
    """A blend of states that know half of the price and words that know the other half, and what it learned from."""
    rng = np.random.default_rng(seed)
    states = rng.normal(0, 1, (2, rows, 4)).astype(np.float32)
    log_price = 3.5 + 0.5 * states[0, :, 0] + rng.normal(0, 0.5, rows)
    words = log_price + rng.normal(0, words_noise, rows)
    return Blend.fit(states, np.exp(log_price), words), states, log_price, words


def test_the_better_of_the_two_counts_more():
    assert blend_of(words_noise=0.1)[0].weight < 0.3
    assert blend_of(words_noise=3.0)[0].weight > 0.7


def test_the_estimate_is_the_middle_of_the_distribution_and_all_of_it_is_there():
    blend, states, _, words = blend_of()
    estimates, distribution = blend.read(states, np.exp(words))
    assert distribution.shape == (200, 999) and (distribution >= 0).all()
    np.testing.assert_allclose(distribution.sum(1), 1, atol=1e-9)
    np.testing.assert_allclose(quantile(distribution, 0.5), estimates, atol=0.6)


def test_half_of_unseen_prices_lie_above_the_estimate_and_the_spread_fits_them():
    blend, *_ = blend_of(rows=600)
    _, states, log_price, words = blend_of(rows=600, seed=1)
    estimates, distribution = blend.read(states, np.exp(words))
    assert np.mean(log_price > np.log(estimates)) == pytest.approx(0.5, abs=0.07)
    low, high = quantile(distribution, 0.1), quantile(distribution, 0.9)
    assert np.mean((np.log(low) <= log_price) & (log_price <= np.log(high))) == pytest.approx(0.8, abs=0.06)


def test_prices_beyond_the_range_belong_to_its_ends():
    blend, states, _, words = blend_of()
    far = replace(blend, weight=0.0)
    for usd, end in ((1e-3, 0), (1e6, -1)):
        estimates, distribution = far.read(states, np.full(len(words), usd))
        assert distribution[:, end].min() > 0.99 and set(estimates) == {1.0 if end == 0 else 999.0}


def test_the_distribution_is_over_the_prices_that_are_asked_for():
    blend, states, _, words = blend_of()
    written = PriceFormat(5, cents=True)
    estimates, distribution = blend.read(states, np.exp(words), written)
    assert distribution.shape == (200, len(written.prices))
    np.testing.assert_allclose(distribution.sum(1), 1, atol=1e-9)
    np.testing.assert_allclose(quantile(distribution, 0.5, written.prices), estimates, rtol=0.06)
    far = replace(blend, weight=0.0)
    ends = [far.read(states, np.full(len(words), usd), written)[0] for usd in (1e-5, 1e7)]
    assert [set(found) for found in ends] == [{0.01}, {99_900.0}]


def test_a_text_like_none_of_the_training_items_is_told_from_the_others():
    blend, *_ = blend_of()
    _, states, *_ = blend_of(seed=1)
    strange = states[:, :5] + np.float32(9)
    assert all("like none of the training items" in reason for reason in blend.unlike(strange))
    assert sum(reason is None for reason in blend.unlike(states)) > 190


def test_what_was_saved_answers_the_same(tmp_path):
    blend, states, _, words = blend_of()
    blend = replace(blend, calibration=Calibration(0.1, 50))
    loaded = Blend.load(tmp_path, blend.save(tmp_path))
    for mine, its in zip(blend.read(states, np.exp(words)), loaded.read(states, np.exp(words)), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert loaded.calibration == blend.calibration and loaded.probe.cv_log_rmse == blend.probe.cv_log_rmse


@pytest.mark.parametrize(
    ("name", "value"), [("weight", 50), ("weight", {"x": 1}), ("weight", None), ("width", None), ("width", -1.0)]
)
def test_a_number_that_no_training_writes_is_refused_in_words(tmp_path, name, value):
    facts = {**blend_of(rows=40)[0].save(tmp_path), name: value}
    with pytest.raises(ValueError, match=rf"blend.safetensors can't be used .{name} is .*, expected a number from 0"):
        Blend.load(tmp_path, facts)


@pytest.mark.parametrize("fault", ["missing", "cut", "an array gone", "not finite", "no weight"])
def test_a_blend_that_does_not_fit_is_refused_in_words(tmp_path, fault):
    facts, path = blend_of(rows=40)[0].save(tmp_path), tmp_path / FILE
    arrays = load_file(path)
    if fault == "missing":
        path.unlink()
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif fault == "an array gone":
        save_file({name: array for name, array in arrays.items() if name != "dual"}, path)
    elif fault == "not finite":
        save_file({**arrays, "dual": arrays["dual"] * np.float32("nan")}, path)
    else:
        del facts["weight"]
    with pytest.raises(ValueError, match=r"blend.safetensors can't be used .* fine-tune again with --overwrite"):
        Blend.load(tmp_path, facts)


def test_too_few_items_are_refused():
    with pytest.raises(ValueError, match="at least 10 items for its cross-validation, got 9"):
        blend_of(rows=9)


def test_of_many_items_the_probe_learns_from_so_many(toy_base, toy_catalog, monkeypatch):
    monkeypatch.setattr("pricelab.blend.ITEMS", 30)
    items = toy_catalog["train"]
    ridge = TfidfRidge().fit(items)
    blend = fit_blend(Pricer.from_base(str(toy_base)), items, ridge)
    assert len(blend.probe.held_out) == 30 < len(items)


def test_fewer_are_read_where_that_is_asked_for(toy_base, toy_catalog):
    ridge = TfidfRidge().fit(toy_catalog["train"])
    blend = fit_blend(Pricer.from_base(str(toy_base)), toy_catalog["train"], ridge, most=20)
    assert len(blend.probe.held_out) == 20


def test_the_blend_weighs_what_the_ridge_said_of_items_that_it_had_not_seen(toy_base, toy_catalog, monkeypatch):
    monkeypatch.setattr("pricelab.blend.ITEMS", 30)
    items, given = toy_catalog["train"], {}
    monkeypatch.setattr(Blend, "fit", lambda *parts: given.update(usd=parts[1], words=parts[2], texts=parts[4]))
    ridge = TfidfRidge().fit(items)
    fit_blend(Pricer.from_base(str(toy_base)), items, ridge, seed=5)
    rows = [[item.text for item in items].index(text) for text in given["texts"]]
    assert len(set(rows)) == 30 and rows == sorted(rows) != list(range(30))
    np.testing.assert_array_equal(given["words"], ridge.held_out[rows])
    np.testing.assert_array_equal(given["usd"], [items[row].price for row in rows])
    assert not np.allclose(given["words"], np.log(ridge.predict(given["texts"])), atol=0.05)
