"""Errors by price band and by category: the right items in the right group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab.breakdown import FEW, by_group, by_price_band

PRICES = np.array([10.0, 25.0, 40.0, 150.0] * 10 + [900.0])
GUESSES = {"two off": PRICES + 2, "a tenth off": 1.1 * PRICES}


def test_each_item_falls_into_its_band_and_a_band_holds_its_lower_edge():
    found = by_price_band(PRICES, GUESSES)
    assert [(group.name, group.n) for group in found.groups] == [
        ("below $25", 10), ("$25 to $50", 20), ("$100 to $200", 10), ("$200 and more", 1)
    ]  # fmt: skip
    cheap = found.groups[0]
    assert cheap.scores["two off"].mae.value == pytest.approx(2) and cheap.relative["two off"] == pytest.approx(0.2)
    assert all(group.relative["a tenth off"] == pytest.approx(0.1) for group in found.groups)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 999), st.floats(1, 999)), min_size=1, max_size=30))
def test_the_groups_are_all_items_and_their_errors_the_whole_error(rows):
    prices, guesses = np.array(rows).T
    found = by_price_band(prices, {"m": guesses})
    assert sum(group.n for group in found.groups) == len(prices)
    whole = sum(group.n * group.scores["m"].mae.value for group in found.groups) / len(prices)
    assert whole == pytest.approx(np.abs(prices - guesses).mean(), abs=1e-9)
    if whole > 0:
        assert sum(group.share["m"] for group in found.groups) == pytest.approx(1)


def test_groups_come_by_size_and_small_ones_are_marked():
    labels = ["mugs"] * (len(PRICES) - 3) + ["", "", "sofas"]
    found = by_group(PRICES, GUESSES, labels)
    assert [(group.name, group.n) for group in found.groups] == [("mugs", 38), ("unknown", 2), ("sofas", 1)]
    assert "1 *" in str(found) and f"fewer than {FEW} items" in found._repr_html_()
    assert "fewer" not in str(found.head(1)) and len(found.head(1).groups) == 1


def test_names_are_escaped_and_another_currency_is_named():
    found = by_group(PRICES, {"<i>": PRICES}, ["<b>"] * len(PRICES), currency="EUR")
    assert "<b>" not in found._repr_html_() and "<i>" not in found._repr_html_()
    assert "EUR" in str(found) and "$" not in str(found)
    assert by_price_band(PRICES, GUESSES, currency="EUR").groups[0].name == "below 25 EUR"


def test_an_answer_without_a_price_is_counted_and_left_out():
    guess = PRICES + 2
    guess[0] = np.nan
    group = by_price_band(PRICES, {"m": guess}).groups[0]
    assert (group.n, group.scores["m"].unparsed) == (10, 1) and group.scores["m"].mae.value == pytest.approx(2)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: by_price_band(PRICES, GUESSES, edges=(0, 50, 40)), "must rise"),
        (lambda: by_price_band(PRICES, GUESSES, edges=(0, 50, 100)), "hold all prices"),
        (lambda: by_price_band(PRICES, {"m": PRICES[:3]}), "one number for each of 41"),
        (lambda: by_group(PRICES, GUESSES, ["a"]), "1 labels for 41"),
        (lambda: by_group(PRICES, {}, ["a"] * 41), "no model"),
    ],
)
def test_what_does_not_fit_is_told(act, words):
    with pytest.raises(ValueError, match=words):
        act()
