"""Texts with one thing changed: nothing else moves, and what isn't there isn't changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.edits import CONDITIONS, MOST_PHRASES, changes, phrases, reworded, without

TRAY = "Brennick Baking Tray, Aluminized Steel\nEasy returns / length 18 inch / 4-pack"
DRYER = "Pulsemark Dryer N611 | 2 kW\nDiffuser and nozzle. Brand new. Technology: brushless-motor, 1.5 m cord."


def parts(text):
    return [text[start:end] for start, end in phrases(text)]


def test_phrases_are_lines_sentences_list_entries_and_what_commas_part():
    assert parts(TRAY) == ["Brennick Baking Tray", "Aluminized Steel", "Easy returns", "length 18 inch", "4-pack"]
    assert parts(DRYER)[:4] == ["Pulsemark Dryer N611", "2 kW", "Diffuser and nozzle.", "Brand new."]
    assert parts("2,200 watts, 1.5 m; 3-in-1 tool - black") == ["2,200 watts", "1.5 m", "3-in-1 tool", "black"]
    assert parts("lamp") == ["lamp"] and parts("") == [] and parts(" ,. \n ") == []


@pytest.mark.parametrize(
    ("number", "rest"),
    [
        (0, "Aluminized Steel\nEasy returns / length 18 inch / 4-pack"),
        (1, "Brennick Baking Tray, Easy returns / length 18 inch / 4-pack"),
        (3, "Brennick Baking Tray, Aluminized Steel\nEasy returns / 4-pack"),
        (4, "Brennick Baking Tray, Aluminized Steel\nEasy returns / length 18 inch"),
    ],
)
def test_a_phrase_goes_with_the_sign_that_parted_it(number, rest):
    assert without(TRAY, phrases(TRAY)[number]) == rest


@given(st.text(alphabet="ab1 ,.;/|\n-", max_size=200))
def test_phrases_lie_in_order_in_the_text_and_hold_all_its_letters(text):
    spans = phrases(text)
    assert len(spans) <= MOST_PHRASES and all(start < end for start, end in spans)
    assert all(one[1] <= other[0] for one, other in zip(spans, spans[1:], strict=False))
    inside = sum(sum(map(str.isalnum, text[start:end])) for start, end in spans)
    assert inside == sum(map(str.isalnum, text))
    for start, end in spans:
        left = without(text, (start, end))
        assert sum(map(str.isalnum, left)) == inside - sum(map(str.isalnum, text[start:end]))


def test_rewordings_keep_all_words():
    for way in reworded(TRAY):
        assert way != TRAY
        assert sorted(way.lower().replace(",", "").replace(".", "").replace("/", "").split()) == sorted(
            TRAY.lower().replace(",", "").replace("/", "").split()
        )
    assert len(reworded(TRAY)) == 4 and "" not in reworded("x")


def test_another_brand_takes_the_place_of_the_one_that_is_named():
    found = changes(TRAY, ["Pantrix", "Brennick", "Oakmere", "Oakmere", "Nick"])
    assert found["brand Oakmere"] == TRAY.replace("Brennick", "Oakmere") and list(found)[0] == "brand Oakmere"
    assert "brand Pantrix" in found and "brand Nick" not in found  # the two most frequent
    assert not any(name.startswith("brand ") for name in changes("A lamp", ["Oakmere"]) if name not in CONDITIONS)


def test_the_first_size_is_halved_and_doubled():
    found = changes(TRAY)
    assert found["twice the size (18 → 36)"] == TRAY.replace("18 inch", "36 inch")
    assert found["half the size (18 → 9)"] == TRAY.replace("18 inch", "9 inch")
    assert "half the size (2 → 1)" in changes(DRYER) and "size" not in " ".join(changes("Model 2 plus for 3 people"))


def test_a_condition_is_exchanged_where_one_is_named_else_added():
    assert changes(DRYER)["refurbished"] == DRYER.replace("Brand new", "Refurbished")
    assert "brand new" not in changes(DRYER)
    assert changes("A lamp.")["open box"] == "A lamp. Open box."
    assert changes("Lamp | condition: open-box")["used"] == "Lamp | condition: used"
    assert changes("Lamp used by chefs")["refurbished"] == "Lamp used by chefs. Refurbished."
