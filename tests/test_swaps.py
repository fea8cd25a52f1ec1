"""One word exchanged: in the right place, in the right case, priced before and after, against the known truth."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.catalog import Item
from pricelab.swaps import brand_swaps, measure_swaps, phrase_swaps, replaced
from pricelab.workshop.effects import true_effects
from pricelab.workshop.tables import load_tables

TABLES = load_tables()
KITCHEN = [brand.name for brand in TABLES.brands_of("kitchen")]


def item(brand, number=0, category="kitchen", text=None):
    return Item(f"i{number}", text or f"Pan no. {number} by {brand}", 20.0, brand=brand, category=category)


class Wordy:
    """A model that multiplies a base price by what it thinks of each word."""

    name = "wordy"

    def __init__(self, effects):
        self.effects, self.asked = effects, []

    def predict(self, texts):
        self.asked += list(texts)
        return [20 * math.exp(sum(e for word, e in self.effects.items() if word in text)) for text in texts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Oakmere pan by Oakmere", "Homlee pan by Homlee"),
        ("OAKMERE PAN", "HOMLEE PAN"),
        ("pan by oakmere.", "pan by homlee."),
        ("Oakmeres pan", None),
        ("pan", None),
    ],
)
def test_a_brand_is_replaced_as_a_word_in_its_case(text, expected):
    assert replaced(text, "Oakmere", "Homlee") == expected


@given(st.text(max_size=30), st.text(min_size=1, max_size=5), st.text(max_size=5))
def test_replacing_never_fails_whatever_the_text(text, old, new):
    after = replaced(text, old, new)
    assert after is None or old.casefold() in text.casefold() or old.upper() in text.upper() or old.lower() in text


def test_no_brand_replaces_nothing():
    assert replaced("a pan", "", "Homlee") is None


def test_the_commonest_brands_go_into_others_items_of_their_categories():
    a, b, c = KITCHEN[:3]
    known = [item(a)] * 9 + [item(b)] * 5 + [item(c, category="audio")] * 2
    items = [item(b, n) for n in range(6)] + [item(a, n, text="no brand told") for n in range(3)]
    swaps = brand_swaps([*items, *[item(a, n) for n in range(5)]], known, most=3)
    assert list(swaps) == [f"brand becomes {a}", f"brand becomes {b}"]  # c sells no pans
    assert {swap.item.brand for swap in swaps[f"brand becomes {a}"]} == {b}
    assert all(a in swap.after and b not in swap.after for swap in swaps[f"brand becomes {a}"])
    assert len(swaps[f"brand becomes {b}"]) == 5  # texts that don't tell their brand are left alone


def test_a_phrase_becomes_one_more_sentence_where_it_is_not_told_yet():
    items = [item("X", 1, text="A pan. Steel."), item("X", 2, text="A Refurbished pan")]
    [(name, found)] = phrase_swaps(items, ["refurbished"]).items()
    assert name == "adding “refurbished”"
    assert [swap.after for swap in found] == ["A pan. Steel. Refurbished."]


def test_effects_are_mean_log_ratios_and_each_text_is_priced_once():
    items = [item(KITCHEN[0], n) for n in range(8)]
    swaps = phrase_swaps(items, ["refurbished", "easy returns"])
    model = Wordy({"Refurbished": -0.2})
    found = measure_swaps(model, swaps)
    assert len(model.asked) == len(set(model.asked)) == 8 * 3
    cheaper, nothing = found.effects
    assert (cheaper.log_ratio.value, cheaper.n) == (pytest.approx(-0.2), 8)
    assert cheaper.percent == pytest.approx([100 * math.expm1(-0.2)] * 3)
    assert nothing.log_ratio.value == 0
    assert "refurbished" in str(found) and "-18.1%" in str(found) and "wordy" in found._repr_html_()


def test_a_pricer_is_asked_for_a_median_between_whole_dollars(toy_base):
    from pricelab import Pricer

    pricer = Pricer.from_base(str(toy_base))
    swaps = phrase_swaps([item(KITCHEN[0], n) for n in range(3)], ["refurbished"])
    found = measure_swaps(pricer, swaps)
    assert found.model == pricer.name and np.isfinite(found.effects[0].log_ratio.value)


def test_a_swap_that_fits_nothing_is_refused():
    with pytest.raises(ValueError, match="fits none"):
        measure_swaps(Wordy({}), {"x": []})


def test_the_truth_is_the_formulas_difference():
    from pricelab.workshop.formula import price_grid

    family = next(family for family in TABLES.families if family.category == "kitchen")
    brands = TABLES.brands_of("kitchen")
    grid = price_grid(family, (), 1, TABLES.conditions[0], TABLES).log_price[:, 0, 0]
    known = [item(brands[1].name)] * 6
    swaps = brand_swaps([item(brands[0].name, n) for n in range(5)], known, most=1)
    swaps |= phrase_swaps([item(brands[0].name)], ["refurbished", "open box", "brand new", "easy returns"])
    truth = true_effects(swaps)
    assert truth[f"brand becomes {brands[1].name}"] == pytest.approx(grid[1] - grid[0])
    assert [truth[f"adding “{p}”"] for p in ("refurbished", "open box", "brand new", "easy returns")] == [
        -0.3,
        -0.13,
        0,
        0,
    ]


def test_of_other_catalogs_the_truth_is_not_known():
    swaps = phrase_swaps([item("Acme"), item(KITCHEN[0])], ["refurbished"])
    assert true_effects(swaps) == {}
    foreign = {"x": [replace_category(swap) for swap in phrase_swaps([item(KITCHEN[0])], ["refurbished"]).popitem()[1]]}
    assert true_effects(foreign) == {} and true_effects({}) == {}


def replace_category(swap):
    return replace(swap, item=replace(swap.item, category="cars"))
