"""The baselines learn what there is to learn, and a saved one answers exactly as before."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from pricelab.baselines import (
    BoostedTrees,
    CategoryMedian,
    ConstantPrice,
    EmbeddingRidge,
    NearestNeighbour,
    TfidfRidge,
    ZeroShot,
    tuning_report,
)  # fmt: skip
from pricelab.baselines.hidden import pooled_states
from pricelab.baselines.rows import bounds_of, to_usd
from pricelab.baselines.tuning import folds
from pricelab.catalog import Item
from pricelab.pricer import Pricer


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


def test_predictions_stay_in_the_range_of_prices(ridge, tmp_path):
    far = TfidfRidge().fit(listings(60)[0], np.full(60, 5000.0))  # dearer than the prompt can write
    far.save(tmp_path)
    again = TfidfRidge.load(tmp_path).predict(["Sofa"])
    assert far.predict(["Sofa"]).tolist() == again.tolist() == pytest.approx([5000], rel=1e-4)
    assert bounds_of(np.array([20.0, 300.0])) == (1, 999) and bounds_of(np.array([0.5, 5000])) == (0.5, 5000)
    assert to_usd(np.log([0.2, 20, 5000])).tolist() == pytest.approx([1, 20, 999])
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


# ---- one interface


def items(n, seed=0):
    """The same listings as items; the first word is the category."""
    texts, prices = listings(n, seed)
    pairs = zip(texts, prices, strict=True)
    return [Item(str(i), text, price, category=text.split()[0]) for i, (text, price) in enumerate(pairs)]


def error(model, seed=1):
    new = items(80, seed)
    return np.abs(model.predict(new) - [item.price for item in new]).mean()


@pytest.fixture(scope="module")
def fitted():
    """All baselines that need no base, fitted on 150 items."""
    makers = (ConstantPrice, CategoryMedian, NearestNeighbour, TfidfRidge, BoostedTrees)
    return {make.__name__: make().fit(items(150)) for make in makers}


@pytest.mark.parametrize("name", ["CategoryMedian", "NearestNeighbour", "TfidfRidge", "BoostedTrees"])
def test_what_reads_the_item_beats_the_constant(fitted, name):
    assert error(fitted[name]) < 0.6 * error(fitted["ConstantPrice"])


@pytest.mark.parametrize("name", ["ConstantPrice", "NearestNeighbour", "TfidfRidge"])
def test_items_and_texts_with_prices_teach_the_same(name, fitted):
    made = type(fitted[name])().fit(*listings(150))
    texts = listings(20, seed=2)[0]
    assert made.predict(texts) == pytest.approx(fitted[name].predict(items(20, seed=2)))
    assert made.predict([]).shape == (0,)


@pytest.mark.parametrize("name", ["NearestNeighbour", "TfidfRidge", "BoostedTrees"])
def test_the_chosen_setting_is_the_best_of_the_cross_validation(fitted, name):
    model = fitted[name]
    assert 7 <= len(model.cv_log_rmse) <= 8
    best = min(model.cv_log_rmse, key=model.cv_log_rmse.get)
    assert best in model.setting and model.setting in str(tuning_report([model]))


@pytest.mark.parametrize("make", [ConstantPrice, CategoryMedian, NearestNeighbour, TfidfRidge, BoostedTrees])
def test_all_refuse_alike(make):
    with pytest.raises(ValueError, match="learned nothing yet"):
        make().predict(["mug"])
    with pytest.raises(ValueError, match="carry no prices"):
        make().fit(["mug"] * 20)


def test_the_category_median_knows_its_categories_only():
    rows = [Item(str(i), "x", price, category=name) for i, (price, name) in enumerate([(1, "a"), (3, "a"), (50, "b")])]
    model = CategoryMedian().fit(rows)
    new = [Item("n", "x", 1.0, category=name) for name in ("a", "b", "c", "")]
    assert model.predict(new).tolist() == [2, 50, 3, 3] and model.predict(["text"]).tolist() == [3]
    with pytest.raises(ValueError, match="no row has a category"):
        CategoryMedian().fit(["a", "b"], [1, 2])


def test_the_nearest_neighbour_of_a_known_text_is_itself():
    texts, prices = ["red mug", "blue lamp", "green sofa"] * 5, [1.0, 20.0, 300.0] * 5
    model = NearestNeighbour().fit(texts, prices)
    assert model.k in (1, 2, 3, 5) and model.predict(texts).tolist() == prices
    assert model.predict(["¿?"]).tolist() == [20.0]  # shares nothing: the median of all


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40), st.integers(0, 99))
def test_a_fold_has_all_rows_of_a_text_or_none_and_each_row_is_held_out_once(texts, seed):
    if len(set(texts)) < 2:
        with pytest.raises(ValueError, match="rows have the same text"):
            list(folds(texts, seed))
        return
    parts = list(folds(texts, seed))
    assert sorted(row for _, test in parts for row in test) == list(range(len(texts)))
    for train, test in parts:
        assert not {texts[row] for row in train} & {texts[row] for row in test}
        assert sorted([*train, *test]) == list(range(len(texts)))


def test_texts_that_all_differ_are_cut_as_by_scikit_learn():
    from sklearn.model_selection import KFold

    expected = KFold(5, shuffle=True, random_state=3).split(np.arange(23))
    for mine, its in zip(folds([f"text {row}" for row in range(23)], 3), expected, strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(mine, its, strict=True))


@pytest.mark.parametrize("model", [TfidfRidge, NearestNeighbour])
def test_a_text_that_stands_there_several_times_is_not_known_by_heart_when_it_is_held_out(model):
    rng = np.random.default_rng(0)
    texts, prices = [f"{rng.integers(1e9)} {rng.integers(1e9)}" for _ in range(40)], np.exp(rng.normal(3, 1, 40))
    found = model().fit(texts * 4, [*prices] * 4)  # nothing in a text tells its price
    assert min(found.cv_log_rmse.values()) > 0.8 * np.log(prices).std()


def test_trees_without_categories_and_with_new_ones(fitted):
    new = [Item("n", "Lamp in oak, pack of 2", 1.0, category="never seen")]
    assert np.isfinite(fitted["BoostedTrees"].predict(new)).all()
    assert np.isfinite(fitted["BoostedTrees"].predict(["Lamp in oak", ""])).all()
    without = BoostedTrees().fit(*listings(30))  # texts have no category
    assert (
        without.categories == () and np.isfinite(without.predict(items(5))).all() and without.predict([]).shape == (0,)
    )


def test_what_needs_no_tuning_says_so(fitted):
    report = tuning_report(list(fitted.values()))
    assert str(report).count("nothing to tune") == 2 and "<table>" in report._repr_html_()


# ---- the untuned base


@pytest.fixture(scope="module")
def toy(toy_base):
    return Pricer.from_base(str(toy_base))


def test_pooled_states_do_not_depend_on_the_batch(toy):
    texts = [item.text for item in items(20)] + ["mug", "a much longer text about a mug " * 4]
    together = pooled_states(toy, texts)
    alone = np.concatenate([pooled_states(toy, [text]) for text in texts], axis=1)
    assert together.shape[:2] == (2, 22) and together == pytest.approx(alone, rel=0.05, abs=0.05)


def test_a_ridge_on_hidden_states_learns(toy):
    rows = items(120)
    model = EmbeddingRidge(toy).fit(rows)
    assert error(model) < 0.8 * error(ConstantPrice().fit(rows))
    assert len(model.cv_log_rmse) == 8 and model.setting in model.cv_log_rmse and model.predict([]).shape == (0,)
    assert toy.base.key in model.name
    with pytest.raises(ValueError, match="learned nothing yet"):
        EmbeddingRidge(toy).predict(rows)


def test_zero_shot_is_what_the_base_says(toy):
    rows = items(3)
    model = ZeroShot(toy).fit(rows)
    assert model.predict(rows).tolist() == [e.estimate for e in toy.estimate([item.text for item in rows])]
    assert model.name == toy.name and np.isnan(model.predict([""])).all()
