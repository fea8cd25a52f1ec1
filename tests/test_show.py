"""Tables for people: nothing in them is markup, and no amount of money becomes a formula."""

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from pricelab.show import html_table, html_text


@given(st.text())
def test_text_comes_back_as_it_was_and_holds_no_markup_of_its_own(text):
    pieces = re.split(r"</?span>", html_text(text))
    assert unescape("".join(pieces)) == text
    assert not any(sign in piece for piece in pieces for sign in "<>\"'")
    assert all(piece.count("$") <= (piece == "$") for piece in pieces)


def test_each_dollar_sign_of_a_table_stands_alone():
    table = html_table(["$ [95 %], $"], [["$62.29 [$55.65, $70.15]"]], caption="$1 or $2")
    assert table.count("<span>$</span>") == table.count("$") == 7
