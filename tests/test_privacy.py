"""The membership attack: chance where nothing was learned by heart, certainty where all was."""

from types import SimpleNamespace

import numpy as np
import pytest

from pricelab.privacy import log_probabilities, membership_leak


def test_it_reads_the_probability_of_the_true_price():
    distribution = np.zeros(999)
    distribution[[0, 18, 998]] = 0.5, 0.3, 0.2
    estimates = [SimpleNamespace(distribution=distribution, prices=np.arange(1, 1000))] * 4
    found = np.exp(log_probabilities(estimates, [0.6, 18.5, 999.0, 400]))
    assert found == pytest.approx([0.5, 0.3, 0.2, 1e-9])


def test_the_interval_holds_chance_where_both_groups_are_alike():
    rng = np.random.default_rng(0)
    leaks = [membership_leak(rng.normal(size=40), rng.normal(size=30)) for _ in range(40)]
    assert {leak.n for leak in leaks} == {30}
    assert 34 <= sum(leak.low <= 0.5 <= leak.high for leak in leaks) <= 40


def test_groups_apart_are_told_apart_with_certainty():
    apart = membership_leak(np.arange(10.0) + 100, np.arange(12.0))
    assert (apart.value, apart.low, apart.high, apart.n) == (1.0, 1.0, 1.0, 10)
    assert membership_leak(np.zeros(5), np.zeros(5)).value == 0.5


def test_the_leak_is_the_area_under_the_roc_curve():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    seen, new = rng.normal(0.5, 1, 40), rng.normal(0, 1, 30)
    expected = roc_auc_score([1] * 40 + [0] * 30, [*seen, *new])
    found = membership_leak(seen, new)
    assert found.value == pytest.approx(expected) and found.low < expected < found.high


def test_too_few_items_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        membership_leak(np.zeros(1), np.zeros(5))
