"""The baselines learn what there is to learn, and a saved one answers exactly as before."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pricelab.baselines import ConstantPrice, TfidfRidge


def listings(n, seed=0):
    """Texts whose words decide the price, and the prices."""
    rng = np.random.default_rng(seed)
    kinds = {"mug": 8, "lamp": 40, "drill": 90, "sofa": 600}
    made = rng.choice(list(kinds), n), rng.choice(["steel", "oak", "plain"], n), rng.integers(1, 5, n)
    texts = [f"{kind.title()} in {stuff}, pack of {count}" for kind, stuff, count in zip(*made, strict=True)]
    base = np.array([kinds[kind] for kind in made[0]]) * np.where(made[1] == "oak", 1.5, 1) * np.sqrt(made[2])
    return texts, np.clip(base * np.exp(rng.normal(0, 0.1, n)), 1, 999)


@pytest.fixture(scope="module")
def ridge():
    return TfidfRidge().fit(*listings(200))


def test_constant_is_the_median():
    model = ConstantPrice().fit(["a", "b", "c"], [1, 5, 100])
    assert model.predict(["x", "y"]).tolist() == [5.0, 5.0]


def test_ridge_learns_words_numbers_and_unseen_spellings(ridge):
    texts, prices = listings(100, seed=1)
    error = np.abs(ridge.predict(texts) - prices).mean()
    constant = ConstantPrice().fit(*listings(200)).predict(texts)
    assert error < 0.25 * np.abs(constant - prices).mean()
    one, four = ridge.predict(["Lamp in oak, pack of 1", "Lamp in oak, pack of 4"])
    assert four > 1.4 * one
    assert ridge.predict(["Drills"])[0] > 2 * ridge.predict(["Mugs"])[0]


def test_strength_is_the_best_of_the_cross_validation(ridge):
    assert ridge.cv_log_rmse[f"{ridge.alpha:g}"] == min(ridge.cv_log_rmse.values()) and ridge.rows == 200
    assert TfidfRidge().fit(*listings(200)).cv_log_rmse == ridge.cv_log_rmse


def test_noise_asks_for_a_stronger_ridge(ridge):
    texts, prices = listings(200)
    shuffled = TfidfRidge().fit(texts, np.random.default_rng(0).permutation(prices))
    assert shuffled.alpha > ridge.alpha


def test_predictions_stay_in_the_range_of_prices(ridge):
    far = TfidfRidge().fit(listings(60)[0], np.full(60, 5000.0))
    assert far.predict(["Sofa"]).tolist() == [999.0]
    assert np.isfinite(ridge.predict(["", "¿?", "杯子", "mug " * 5000])).all() and ridge.predict([]).shape == (0,)


def test_a_saved_ridge_answers_exactly_as_before(ridge, tmp_path):
    ridge.save(tmp_path)
    loaded = TfidfRidge.load(tmp_path)
    texts = [*listings(50, seed=2)[0], "", "something else entirely"]
    assert np.array_equal(loaded.predict(texts), ridge.predict(texts))
    assert (loaded.alpha, loaded.rows, loaded.cv_log_rmse) == (ridge.alpha, ridge.rows, ridge.cv_log_rmse)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ridge.json", "ridge.safetensors"]


def test_files_that_do_not_fit_are_refused(ridge, tmp_path):
    ridge.save(tmp_path)
    facts = json.loads((tmp_path / "ridge.json").read_text())
    for change, words in (
        ({"schema_version": 9}, "schema version 9"),
        ({"blocks": {}}, "other settings"),
        ({"vocabulary": {"word": ["a"], "char": []}}, "shape"),
        ({"vocabulary": None}, "no usable ridge"),
    ):
        (tmp_path / "ridge.json").write_text(json.dumps(facts | change))
        with pytest.raises(ValueError, match=words):
            TfidfRidge.load(tmp_path)
    (tmp_path / "ridge.json").write_text(json.dumps(facts))
    arrays = load_file(tmp_path / "ridge.safetensors")
    save_file(arrays | {"coef": np.full_like(arrays["coef"], np.nan)}, tmp_path / "ridge.safetensors")
    with pytest.raises(ValueError, match="coef .*not finite"):
        TfidfRidge.load(tmp_path)
    (tmp_path / "ridge.safetensors").write_bytes(b"broken")
    with pytest.raises(ValueError, match="no usable ridge"):
        TfidfRidge.load(tmp_path)
    (tmp_path / "ridge.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="ridge.safetensors"):
        TfidfRidge.load(tmp_path)


@pytest.mark.parametrize(
    ("texts", "prices", "words"),
    [
        (["a"] * 9, [1.0] * 9, "at least 10"),
        (["a"] * 10, [1.0] * 9, "10 texts and 9 prices"),
        (["mug"] * 10, [0.0] * 10, "above"),
        ([f"{chr(97 + n) * 3}" for n in range(10)], [1.0] * 10, "share no words"),
    ],
)
def test_rows_that_cannot_be_learned_from(texts, prices, words):
    with pytest.raises(ValueError, match=words):
        TfidfRidge().fit(texts, prices)


def test_what_has_not_learned_says_so(tmp_path):
    for act in (TfidfRidge().predict, ConstantPrice().predict, lambda _: TfidfRidge().save(tmp_path)):
        with pytest.raises(ValueError, match="learned nothing yet"):
            act(["mug"])
