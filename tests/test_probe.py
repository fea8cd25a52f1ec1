import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVR

from pricelab.probe import ARRAYS, EPSILON, Probe


def made_up(rows, dim=6, seed=0):
    """Pooled states (2, rows, dim) and log prices that depend on them, not in a straight line."""
    rng = np.random.default_rng(seed)
    states = rng.normal(3, 1, (2, rows, dim)).astype(np.float32)
    return states, 3 + np.sin(states[0, :, 0]) + 0.3 * states[1, :, 1] + rng.normal(0, 0.1, rows)


def test_a_stored_probe_answers_as_the_regression_that_was_fitted():
    states, log_price = made_up(120)
    probe = Probe().fit(states, log_price)
    flat = np.concatenate(list(states), axis=1)
    mean, scale = flat.mean(0), flat.std(0) + 1e-6
    features = ((flat - mean) / scale).astype(np.float16).astype(np.float64)
    width = probe.width / features.shape[1]
    fitted = SVR(kernel="rbf", C=probe.cost, epsilon=EPSILON, gamma=width).fit(features, log_price)
    new, _ = made_up(50, seed=1)
    asked = (np.concatenate(list(new), axis=1) - mean) / scale
    expected = fitted.predict(asked).clip(log_price.min(), log_price.max())
    np.testing.assert_allclose(probe.log_price(new), expected, atol=2e-3)
    assert set(probe.arrays) == set(ARRAYS)


def test_it_learns_what_no_straight_line_holds_and_judges_itself_on_rows_it_has_not_seen():
    states, log_price = made_up(400)
    probe = Probe().fit(states, log_price)
    seen = np.sqrt(np.mean((probe.log_price(states) - log_price) ** 2))
    held_out = np.sqrt(np.mean((probe.held_out - log_price) ** 2))
    new, prices = made_up(400, seed=2)
    unseen = np.sqrt(np.mean((probe.log_price(new) - prices) ** 2))
    assert seen < held_out == pytest.approx(min(probe.cv_log_rmse.values()))
    assert held_out == pytest.approx(unseen, rel=0.25) and unseen < 0.75 * prices.std()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(-50, 50))
def test_it_never_answers_beyond_the_prices_it_learned_from(seed, shift):
    states, log_price = made_up(40, dim=3)
    answers = Probe().fit(states, log_price).log_price(made_up(5, dim=3, seed=seed)[0] + np.float32(shift))
    assert np.isfinite(answers).all()
    assert (answers >= log_price.min() - 1e-5).all() and (answers <= log_price.max() + 1e-5).all()


def test_the_same_seed_gives_the_same_probe():
    states, log_price = made_up(60)
    first, second = (Probe().fit(states, log_price, seed=4) for _ in range(2))
    assert first.cv_log_rmse == second.cv_log_rmse
    assert all(np.array_equal(first.arrays[name], second.arrays[name]) for name in ARRAYS)


def test_novelty_is_the_distance_to_the_nearest_training_item_and_few_of_those_are_out_of_reach():
    states, log_price = made_up(300)
    probe = Probe().fit(states, log_price)
    flat = np.concatenate(list(states), axis=1)
    support = probe.arrays["support"].astype(float)
    new = np.concatenate(list(made_up(20, seed=3)[0]), axis=1)
    features = (new - flat.mean(0)) / flat.std(0)
    nearest = np.sqrt(((features[:, None] - support[None]) ** 2).mean(2)).min(1)
    np.testing.assert_allclose(probe.novelty(made_up(20, seed=3)[0]), nearest, rtol=2e-3)
    reach = probe.arrays["reach"][0]
    assert (probe.novelty(made_up(500, seed=4)[0]) <= reach).mean() > 0.98  # of the same kind
    assert (probe.novelty(made_up(500, seed=4)[0] + np.float32(4)) > reach).mean() > 0.98  # of another


def test_the_reach_is_that_of_the_training_items_among_each_other_and_a_quarter_more():
    states, log_price = made_up(60)
    probe = Probe().fit(states, log_price)
    flat = np.concatenate(list(states), axis=1)
    features = ((flat - flat.mean(0)) / flat.std(0)).astype(np.float16).astype(float)
    apart = np.sqrt(((features[:, None] - probe.arrays["support"].astype(float)[None]) ** 2).mean(2))
    apart[apart < 0.01] = np.inf  # an item is no neighbour of itself
    assert probe.arrays["reach"][0] == pytest.approx(1.25 * np.quantile(apart.min(1), 0.99), rel=0.01)


@pytest.mark.parametrize("gap", [0.0, 0.05])
def test_prices_that_are_all_but_equal_are_learned_too(gap):
    states, _ = made_up(60)
    log_price = np.log(20.0) + gap * (np.arange(60) % 2)
    probe = Probe().fit(states, log_price)
    new = made_up(20, seed=1)[0]
    np.testing.assert_allclose(probe.log_price(new), log_price.mean(), atol=0.05)
    assert all(np.isfinite(array).all() for array in probe.arrays.values())
    assert (probe.novelty(new + np.float32(9)) > probe.arrays["reach"][0]).all()


def test_a_text_with_several_prices_is_no_neighbour_of_itself():
    states, log_price = made_up(80)
    twice, texts = np.concatenate([states] * 3, axis=1), [str(row % 80) for row in range(240)]
    prices = np.concatenate([log_price - 0.5, log_price, log_price + 0.5])
    probe = Probe().fit(twice, prices, texts=texts)
    assert probe.arrays["reach"][0] > 0
    assert (probe.novelty(made_up(80, seed=3)[0]) < probe.arrays["reach"][0]).mean() > 0.9


def test_where_hardly_any_text_has_another_beside_it_the_reach_is_a_number_all_the_same():
    states, _ = made_up(1)
    probe = Probe()
    states = np.concatenate([states] * 20, axis=1)
    texts = [str(row // 19) for row in range(20)]  # one stands there once, the other 19 times
    probe.fit(states, np.random.default_rng(0).normal(3, 1, 20), texts=texts)
    assert np.isfinite(probe.arrays["reach"]).all()


def test_a_text_that_stands_there_several_times_is_not_known_by_heart_when_it_is_held_out():
    states, _ = made_up(60)
    log_price = np.random.default_rng(1).normal(3, 1, 60)  # nothing in the states tells it
    states, log_price = np.concatenate([states] * 4, axis=1), np.tile(log_price, 4)
    known = Probe().fit(states, log_price)
    honest = Probe().fit(states, log_price, texts=[str(row % 60) for row in range(240)])
    spread = log_price.std()
    assert min(known.cv_log_rmse.values()) < 0.5 * spread < 0.9 * spread < min(honest.cv_log_rmse.values())
