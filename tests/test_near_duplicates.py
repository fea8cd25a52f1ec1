"""Near duplicates: planted ones are found, unrelated texts are not, and the similarity is the exact one."""

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab.near_duplicates import PARTNERS, SHINGLE, THRESHOLD, jaccard, near_duplicates, normalised, shingles

words = st.text(alphabet=string.ascii_lowercase + string.digits, min_size=3, max_size=9)
long_texts = st.lists(words, min_size=20, max_size=40, unique=True).map(" ".join)


def made_up(number, seed=0):
    """Texts of random letters: two of them have next to nothing in common."""
    dice = random.Random(seed)
    return [" ".join("".join(dice.choices(string.ascii_lowercase, k=6)) for _ in range(20)) for _ in range(number)]


def test_case_spaces_punctuation_and_widths_of_letters_dont_count():
    assert normalised("  Glass\nKETTLE, 1.7-l! ") == normalised("glass kettle 1 7 L") == "glass kettle 1 7 l"
    assert normalised("Ｇlass Straße") == normalised("GLASS STRASSE")
    assert normalised(" .,—_ ") == ""


def test_shingles_are_runs_of_five_characters():
    assert shingles("kettle") == {"kettl", "ettle"}
    assert shingles("tea") == {"tea"} and shingles("") == set()
    assert jaccard({"a", "b", "c"}, {"b", "c", "d"}) == 0.5 and jaccard(set(), set()) == 0.0


@settings(deadline=None)
@given(long_texts, st.data())
def test_a_text_with_one_letter_changed_is_found(text, data):
    place = data.draw(st.sampled_from([place for place, letter in enumerate(text) if letter != " "]))
    other = text[:place] + ("é" if text[place] != "é" else "e") + text[place + 1 :]
    similarity = jaccard(shingles(text), shingles(other))
    assert similarity > THRESHOLD + 0.06  # so similar a pair is missed once in a hundred thousand
    assert list(near_duplicates([*made_up(5), text, other], 6)) == [(5, 6, similarity)]


@settings(deadline=None)
@given(st.lists(long_texts, min_size=2, max_size=8, unique=True), st.floats(0.5, 1))
def test_every_pair_given_really_is_that_similar(texts, threshold):
    for first, second, similarity in near_duplicates(texts, len(texts), threshold):
        assert first < second
        assert similarity == jaccard(shingles(texts[first]), shingles(texts[second])) >= threshold


def test_unrelated_texts_are_not_found():
    assert list(near_duplicates(made_up(300), 300)) == []


def test_planted_near_duplicates_are_found_among_many():
    texts = made_up(300)
    copies = [f"{text} new" for text in texts]
    assert [(pair.first, pair.second) for pair in near_duplicates(texts + copies, 300)] == [
        (number, 300 + number) for number in range(300)
    ]


def test_texts_that_are_not_indexed_are_not_compared_with_one_another():
    texts = made_up(3)
    copies = [f"{text} new" for text in texts]
    asked = [texts[0], copies[0], texts[1], copies[1]]
    assert [pair[:2] for pair in near_duplicates(asked, 1)] == [(0, 1)]
    assert list(near_duplicates(asked, 0)) == list(near_duplicates([], 0)) == []


def test_a_text_that_is_near_to_very_many_is_named_with_some_of_them():
    alike = [f"{made_up(1)[0]} {number}" for number in range(100)]
    found = list(near_duplicates(alike, 50))
    assert {pair.second for pair in found} == set(range(1, 100))
    assert [pair.first for pair in found if pair.second == 99] == list(range(PARTNERS))


def test_texts_shorter_than_a_shingle_and_empty_ones_are_no_trouble():
    assert len("abc") < SHINGLE
    assert list(near_duplicates(["abc", "abd", "", "abcdefghijklmnop"], 4)) == []


@pytest.mark.parametrize("threshold", [0.49, 1.01, float("nan")])
def test_a_threshold_that_the_bands_cannot_serve_is_refused(threshold):
    with pytest.raises(ValueError, match=r"from 0\.5 to 1"):
        near_duplicates(["one", "two"], 2, threshold)


@pytest.mark.parametrize("indexed", [-1, 3])
def test_more_indexed_texts_than_there_are_is_refused(indexed):
    with pytest.raises(ValueError, match="number of texts, 2"):
        near_duplicates(["one", "two"], indexed)
