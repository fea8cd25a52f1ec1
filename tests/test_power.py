"""How many test items: the formula both ways round, and against simulated tests."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.power import detectable, items_needed

POSITIVE = st.floats(0.01, 1000)


def test_a_textbook_case():
    # (1.959964 + 0.841621)² · (60 / 12)² = 196.2
    assert items_needed(12, 60) == 197
    assert items_needed(-12, 60) == 197


def test_half_the_difference_takes_four_times_the_items():
    assert items_needed(0.5, 10) == pytest.approx(4 * items_needed(1, 10), rel=0.01)


@given(POSITIVE, POSITIVE)
def test_the_two_ways_round_agree(difference, spread):
    needed = items_needed(difference, spread)
    assert detectable(needed, spread) <= difference * (1 + 1e-9)
    assert needed == 1 or detectable(needed - 1, spread) > difference * (1 - 1e-9)


def test_so_many_items_find_the_difference_in_four_of_five_simulated_tests():
    rng = np.random.default_rng(0)
    needed = items_needed(1, 4)
    samples = rng.normal(1, 4, (4000, needed))
    low = samples.mean(1) - 1.96 * samples.std(1, ddof=1) / np.sqrt(needed)
    assert (low > 0).mean() == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: items_needed(0, 1), "smallest one that would matter"),
        (lambda: items_needed(float("nan"), 1), "smallest one that would matter"),
        (lambda: items_needed(1, 0), "above 0"),
        (lambda: items_needed(1, 1, power=1), "between 0 and 1"),
        (lambda: detectable(0, 1), "at least 1"),
    ],
)
def test_what_cannot_be_planned_is_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()
