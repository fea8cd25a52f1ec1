"""What the benchmark of readers makes of a text before the base reads it."""

import pytest

from benchmarks.readers import READINGS, cleaned, title_last

FIELDS = "Title: Chess set Category: Toys & Games Brand: Oakmoor Details: 32 pieces; board 40 cm"


def test_cleaning_takes_labels_and_signs_and_keeps_numbers_and_units():
    assert cleaned(FIELDS) == "Chess set Toys Games Oakmoor 32 pieces board 40 cm"
    assert cleaned('Kettle – 1.7 l, 2,200 W | $39.99 (boxed)\n★ 3/4" hose') == (
        'Kettle 1.7 l, 2,200 W $39.99 boxed 3/4" hose'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kettle, steel\nBoils 1.7 l. Auto-off.", "Boils 1.7 l. Auto-off.\nKettle, steel"),
        (FIELDS, "Category: Toys & Games Brand: Oakmoor Details: 32 pieces; board 40 cm\nTitle: Chess set"),
        ("Steel kettle. Boils 1.7 l. Note: no base.", "Boils 1.7 l. Note: no base.\nSteel kettle."),
        ("Steel kettle", "Steel kettle"),
    ],
)
def test_the_title_goes_to_the_end(text, expected):
    assert title_last(text) == expected


@pytest.mark.parametrize("reading", READINGS.values(), ids=list(READINGS))
def test_no_reading_loses_a_whole_text(reading):
    assert reading.change(FIELDS)
