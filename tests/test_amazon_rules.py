"""A raw row of Amazon Reviews 2023 becomes a clean item, or is left out with the reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab.amazon_rules import MAX_TEXT_CHARACTERS, MIN_TEXT_CHARACTERS, RULES, clean
from pricelab.catalog import Item

FEATURES = [
    "Stainless steel drum that holds a whole week of washing for two people.",
    "Four programs and a quiet motor that may run at night.",
    "Stands on four rubber feet and needs no more room than a chair.",
]


def row(**changes):
    """A clean row in the dataset's schema."""
    return {
        "main_category": "Appliances",
        "title": "Compact washer",
        "average_rating": 4.5,
        "rating_number": 12,
        "features": FEATURES,
        "description": ["Small, but not too small."],
        "price": 129.0,
        "images": [],
        "videos": [],
        "store": "Ock",
        "categories": ["Appliances", "Washers"],
        "details": {"Color": "White", "Capacity": "3 kg"},
        "parent_asin": "B000000001",
        "bought_together": None,
    } | changes


def text(**changes):
    found = clean(row(**changes))
    assert isinstance(found, Item), found
    return found.text


def test_a_clean_row_keeps_its_fields_in_order():
    found = clean(row())
    assert (found.id, found.price, found.title) == ("B000000001", 129.0, "Compact washer")
    assert (found.brand, found.category) == ("Ock", "Appliances")
    assert found.text.startswith("Compact washer\nStainless steel drum")
    assert found.text.endswith("Small, but not too small. Color: White; Capacity: 3 kg")


@pytest.mark.parametrize(
    ("price", "usd"), [(12.99, 12.99), (13, 13), ("12.99", 12.99), ("$12.99", 12.99), ("USD 12", 12), ("$999", 999)]
)
def test_one_price_in_dollars_is_one(price, usd):
    assert clean(row(price=price)).price == usd


@pytest.mark.parametrize(
    "price",
    [
        None,
        "",
        "—",
        "-",
        "None",
        "from $12.99",
        "12.99 - 15.99",
        "$5 each",
        "€12",
        "12 EUR",
        "C$12",
        True,
        [],
        [12.99],
        {},
    ]
    + [float("nan"), float("inf"), -3.0, "call us"],
)
def test_anything_else_is_no_price_and_never_zero(price):
    assert clean(row(price=price))[0] == "no price in US dollars"


@pytest.mark.parametrize(
    ("price", "reason"),
    [(0.0, "below $0.5"), (0.49, "below $0.5"), (999.5, "above $999.49"), ("$1,299", "above $999.49")],
)
def test_prices_that_round_out_of_the_prompt_are_left_out(price, reason):
    assert clean(row(price=price))[0] == f"price {reason}"
    assert isinstance(clean(row(price=price or 0.01), (0.01, 2000)), Item)


@pytest.mark.parametrize("nothing", [None, "", "—", "N/A", "none", [], {}, [None, "", "-"], [[]], {"x": None}, "[]"])
@pytest.mark.parametrize("field", ["description", "store", "main_category", "details", "title"])
def test_nothing_in_a_field_is_nothing(field, nothing):
    found = clean(row(**{field: nothing}))
    assert isinstance(found, Item)
    assert all(word not in found.text.casefold() for word in ("none", "n/a", "null", "—", "[", "{", "x:"))


def test_text_and_lists_and_nested_lists_are_the_same():
    joined = text(description=["One line. ", "Another."])
    assert joined == text(description="One line. Another.") == text(description=[["One line."], "Another.", None])


@pytest.mark.parametrize(
    "details",
    [
        {"Color": "White", "Sizes": ["S", "M"], "Weight": {"value": 3, "unit": "kg"}, "Part Number": "WPW10312695"},
        '{"Color": "White", "Sizes": ["S", "M"], "Weight": {"value": 3, "unit": "kg"}, "ASIN": "B000000001"}',
    ],
)
def test_details_are_an_object_or_json_text_of_one(details):
    assert text(details=details).endswith("Color: White; Sizes: S M; Weight: value: 3, unit: kg")


def test_details_that_are_plain_text_stay_text():
    assert text(details="Made in Utrecht {sic").endswith("Made in Utrecht {sic")


@pytest.mark.parametrize(
    "name",
    ["Part Number", "Item model number", "ASIN", "UPC", "Best Sellers Rank", "Date First Available", "Customer Reviews"]
    + ["Is Discontinued By Manufacturer", "Manufacturer Part Number", "OEM Part Number"],
)
def test_details_that_only_identify_are_removed(name):
    assert "secret" not in text(details={name: "secret", "Color": "Red"}) and "Color: Red" in text(
        details={"Color": "Red"}
    )


@pytest.mark.parametrize("name", ["Number of Pieces", "Model Name", "Department", "Material", "Special Feature"])
def test_details_that_describe_stay(name):
    assert f"{name}: good to know" in text(details={name: "good to know"})


def test_markup_becomes_what_a_browser_shows():
    seen = text(
        title="Tom &amp; Co&#39;s <b>washer</b>", description=["<p>Fish &lt; chips</p><script>x()</script>", "5 < 7"]
    )
    assert seen.startswith("Tom & Co's washer\n") and "Fish < chips 5 < 7" in seen and "script" not in seen


@pytest.mark.parametrize(
    "number", ["WPW10312695", "AP6006017", "DA29-00020B", "W10295370A", "5304506471", "012345678905"]
)
def test_part_numbers_are_removed(number):
    assert number not in text(title=f"Washer {number}", description=f"Replaces {number}, and ({number}).")


@pytest.mark.parametrize(
    "word", ["10000MAH", "3840X2160", "1080P", "4K", "R2D2", "STAINLESS", "1500WATT", "60-inch", "2,000,000"]
)
def test_sizes_and_words_are_no_part_numbers(word):
    assert word in text(description=f"It has {word} inside.")


def test_its_own_price_is_not_given_away():
    seen = text(
        price=129.0, description="Was $199.00, now only $129.00! Also in white for $129.", title="Washer $129.00"
    )
    assert "129" not in seen and "$199.00" in seen


def test_too_little_text_is_left_out():
    reason, seen = clean(row(features=None, description="", details=None, title="Washer WPW10312695"))
    assert reason == f"fewer than {MIN_TEXT_CHARACTERS} characters of text" and seen == "Washer"


def test_long_text_is_cut_at_a_word():
    seen = text(description="washing " * 10_000)
    assert MAX_TEXT_CHARACTERS - 10 < len(seen) <= MAX_TEXT_CHARACTERS and seen.endswith("washing")
    assert len(text(description="w" * 10_000)) <= MAX_TEXT_CHARACTERS


def test_emoji_stay_and_halves_of_characters_do_not():
    assert "🧺 \u202eright" in text(description="🧺 \u202eright")
    for field in ("title", "description", "store", "parent_asin"):
        assert clean(row(**{field: "broken \ud83e"}))[0] == "half of a character"


@pytest.mark.parametrize("number", [None, "", " ", [], "—"])
def test_a_row_without_a_product_number_is_left_out(number):
    assert clean(row(parent_asin=number))[0] == "no product number"


@pytest.mark.parametrize("value", [None, 3, "text", [1], []])
def test_what_is_no_object_is_left_out(value):
    assert clean(value)[0] == "no JSON object"


def test_the_rules_are_told_in_words():
    told = " ".join(" ".join(rule) for rule in RULES)
    assert (
        f"{MIN_TEXT_CHARACTERS:,}" in told and f"{MAX_TEXT_CHARACTERS:,}" in told and "$0.50 or above $999.49" in told
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(sorted(row())), JSON, max_size=5))
def test_any_row_is_an_item_with_a_price_or_a_reason(changes):
    found = clean(row(**changes))
    if isinstance(found, Item):
        assert 0.5 <= found.price <= 999.49 and found.text.strip() == found.text
        assert MIN_TEXT_CHARACTERS <= len(found.text) <= MAX_TEXT_CHARACTERS
        assert found.text.encode() and found.id
    else:
        assert all(isinstance(part, str) and part.encode() is not None for part in found)
