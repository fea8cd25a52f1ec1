"""Faults of single listings: what counts as markup, as a price given away, as an odd price, and what does not."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.catalog import load_catalog
from pricelab.text_faults import (
    far_prices,
    has_markup,
    own_prices,
    repeated_prices,
    tidy,
    without_markup,
    without_own_price,
)

prices = st.integers(1, 250_000).map(lambda cents: cents / 100)


@pytest.mark.parametrize(
    "text, plain",
    [
        ("<p>Glass kettle</p><br/>1.7 l", "Glass kettle 1.7 l"),
        ("Kettle &amp; lid&nbsp;set", "Kettle & lid set"),
        ("Kettle &#233;mail&#x2122;", "Kettle émail™"),
        ("&lt;b&gt;Kettle&lt;/b&gt;", "Kettle"),
        ("&amp;lt;b&amp;gt;Kettle", "Kettle"),
        ('Kettle <img src="a>b.png" alt="x">', 'Kettle b.png" alt="x">'),  # known: a bracket inside a quoted value
        ("Kettle<script>var a = 1 < 2;</script>.", "Kettle."),
        ("Kettle<!-- old\ntext --> 1 l", "Kettle 1 l"),
        ("One<BR>\nTwo", "One\nTwo"),
    ],
)
def test_markup_is_seen_and_stripped(text, plain):
    assert has_markup(text) and without_markup(text) == plain and not has_markup(plain)


@pytest.mark.parametrize("text", ["", "5 < 7 and 9 > 8", "R&D; AT&T", "a <b2b> shop", "x<y, y>z", "Tom & Jerry", "<3"])
def test_signs_that_only_look_like_markup_stay(text):
    assert not has_markup(text) and without_markup(text) == text


@given(st.text())
def test_stripped_text_has_no_markup_left(text):
    plain = without_markup(text)
    assert not has_markup(plain) and without_markup(plain) == plain


def test_tidy_closes_the_gaps():
    assert tidy("Kettle ,  only !\n\n  Glass .") == "Kettle, only!\nGlass."


@pytest.mark.parametrize(
    "text, price, found",
    [
        ("Kettle, only $129.99!", 129.99, ["$129.99"]),
        ("Kettle for 129.99", 129.99, ["129.99"]),
        ("Kettle US$ 129.99 / USD129.99", 129.99, ["US$ 129.99", "USD129.99"]),
        ("now 130 dollars, $129", 129.99, ["130 dollars", "$129"]),
        ("€1.299,00 oder 1,299 USD", 1299.0, ["€1.299,00", "1,299 USD"]),
        ("129,99 €", 129.99, ["129,99 €"]),
        ("£5 off", 5.0, ["£5"]),
        ("Kettle, $0.50", 0.5, ["$0.50"]),
    ],
)
def test_the_items_own_price_is_seen(text, price, found):
    assert own_prices(text, price) == found


@pytest.mark.parametrize(
    "text, price",
    [
        ("130 pieces, 129 mm", 129.99),
        ("was $199.99, model 12999, 1129.99, 129.991, $1299", 129.99),
        ('cable of 1.50 m, 1.50kg, 1.50 oz, 1.50"', 1.5),
        ("1.129.99", 129.99),
        ("$187.50", 187.0),
        ("187 V, AB187", 187.0),
        ("free, $0", 0.3),
        ("$5", math.nan),
        ("$5", -5.0),
        ("$5", math.inf),
        ("", 5.0),
    ],
)
def test_other_numbers_are_not(text, price):
    assert own_prices(text, price) == []


@given(prices, st.sampled_from(["${}", "{} USD", "€ {}", "{}"]), st.sampled_from(["only ", "", "price:"]))
def test_a_planted_price_is_found_and_cut_out(price, amount, before):
    text = f"Glass kettle {before}{amount.format(f'{price:,.2f}')}! 1.7 l"
    assert own_prices(text, price)
    cut = without_own_price(text, price)
    assert not own_prices(cut, price)
    assert cut.startswith("Glass kettle") and cut.endswith("1.7 l")


@given(st.text(alphabet="$€0123456789., UuSsDd", max_size=30), prices)
def test_after_cutting_no_price_is_left(text, price):
    assert not own_prices(without_own_price(text, price), price)


def test_the_workshop_catalog_holds_no_markup_and_no_price():
    items = [item for items in load_catalog("workshop").splits.values() for item in items]
    assert not [item.id for item in items if has_markup(item.text) or own_prices(item.text, item.price)]


def test_prices_far_from_the_others_and_impossible_ones_are_odd():
    dice = random.Random(0)
    usual = [math.exp(dice.gauss(4, 1)) for _ in range(500)]
    assert far_prices(usual) == []
    odd = [0.001, 1e6, 0.0, -3.0, math.nan, math.inf]
    assert far_prices([*usual, *odd]) == [500, 501, 502, 503, 504, 505]
    assert far_prices([math.nan, 0.0]) == [0, 1] and far_prices([]) == []
    assert far_prices([5.0, 5.0, 5.0, 6.0]) == []  # no spread to measure a distance with


def test_a_price_that_far_too_many_have_is_odd_and_a_placeholder_sooner():
    usual = [float(10 + number) for number in range(90)]
    assert repeated_prices(usual) == []
    assert repeated_prices(usual + [42.5] * 10) == []  # ten of a hundred may share a price
    assert repeated_prices(usual + [42.5] * 11) == [42.5]
    assert repeated_prices(usual + [999.99] * 5 + [0.01] * 4) == [999.99]
    assert repeated_prices([7.0] * 9) == []
