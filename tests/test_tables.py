"""Files are read as they are, columns found or asked for, prices understood or refused."""

import csv
import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pricelab.prices import foreign_currency, names_foreign_currency, parse_price
from pricelab.tables import find_columns, read_table

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
UNHURRIED = settings(deadline=None)  # the first example pays for importing pandas


def write(folder, text, name="shop.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@given(cents=st.integers(0, 99_999_999_999), style=st.sampled_from(["${}", "{} USD", "US$ {}", "USD {}", "{}"]))
def test_formatted_amounts_come_back(cents, style):
    for amount in (f"{cents / 100:,.2f}", f"{cents / 100:.2f}"):
        assert parse_price(f" {style.format(amount)} ") == pytest.approx(cents / 100, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "usd"),
    [("$1,299.00", 1299), ("1299 USD", 1299), ("US$ 12.50", 12.5), ("1299", 1299), ("12.5", 12.5), ("1,299", 1299)],
)
def test_prices_of_the_contract(text, usd):
    assert parse_price(text) == usd


REFUSED = ["12,50", "call us", "10-20", "", "nan", "inf", "-3", "1.2.3", "12 each", "1.299", "1e3", "1,29", "12.", "$"]


@pytest.mark.parametrize("text", [*REFUSED, "$12 USD", "٣", "1_000", "0x10", "12 €", "1,2345", "9" * 400])
def test_anything_else_is_no_price(text):
    with pytest.raises(ValueError, match="not a price in US dollars"):
        parse_price(text)


@given(st.text())
@example("१२")
def test_garbage_never_becomes_a_number(text):
    try:
        value = parse_price(text)
    except ValueError:
        return
    kept = "".join(c for c in text if c in "0123456789.")
    assert value == float(kept) and set(text.strip().upper()) <= set("0123456789.,$USD \t\n\xa0\u2003\u3000")


@pytest.mark.parametrize(
    "text",
    ["12 €", "€12", "12 EUR", "12EUR", "EUR 12", "from 12 eur", "£9", "GBP 9", "C$12", "CA$ 12", "12 CAD", "$12 CAD"]
    + ["¥900", "99 kr", "99 kr.", "Rs. 500", "12 euros", "HK$80", "R$ 5", "₹500", "1.299,00 zł", "12 XAF"],
)
def test_other_currencies_are_noticed(text):
    assert foreign_currency(text)


@pytest.mark.parametrize("text", ["$12", "US$ 12", "US $12", "USD 12", "12 usd", "now $12", *REFUSED, "12 cm"])
def test_dollars_and_nonsense_are_not_another_currency(text):
    assert not foreign_currency(text)


def test_currency_in_a_column_name():
    assert names_foreign_currency("Price (€)") and names_foreign_currency("price_eur")
    assert not names_foreign_currency("Price ($)") and not names_foreign_currency("price_usd")


@UNHURRIED
@given(table=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=8))
def test_csv_cells_come_back_unchanged(tmp_path_factory, table):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["title", "price"], *table])
    read = read_table(write(tmp_path_factory.mktemp("csv"), text.getvalue()))
    assert read.to_numpy().tolist() == table and list(read.index) == list(range(2, len(table) + 2))


@UNHURRIED
@given(table=st.lists(st.fixed_dictionaries({"a": CELLS, "b": CELLS}), min_size=1, max_size=8))
def test_json_strings_come_back_unchanged(tmp_path_factory, table):
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in table)
    assert read_table(write(tmp_path_factory.mktemp("json"), text, "shop.jsonl")).to_dict("records") == table


def test_nothing_is_converted(tmp_path):
    table = read_table(write(tmp_path, b"\xef\xbb\xbfid,note\n007,NA\n1e3,null\n\n True , nan\n"))
    assert table.to_numpy().tolist() == [["007", "NA"], ["1e3", "null"], [" True ", " nan"]]
    assert list(table.index) == [2, 3, 5] and list(table.columns) == ["id", "note"]


def test_json_numbers_keep_their_digits(tmp_path):
    lines = '{"p": 12.50, "n": null}\n\n{"p": NaN, "tags": ["a", 1.50], "on": true}\n'
    table = read_table(write(tmp_path, lines, "shop.jsonl"))
    assert table.to_dict("index") == {
        1: {"p": "12.50", "n": "", "tags": "", "on": ""},
        3: {"p": "NaN", "n": "", "tags": '["a", "1.50"]', "on": "true"},
    }


def test_a_blank_line_of_one_column_is_a_row(tmp_path):
    assert list(read_table(write(tmp_path, "text\na\n\nb\n"))["text"]) == ["a", "", "b"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("shop.csv", "", "empty"),
        ("shop.csv", "a,b\n1,2\n3\n", "row 3 has 1 cells and the header 2"),
        ("shop.csv", "a,b\n1,2,3\n", "row 2 has 3 cells"),
        ("shop.csv", 'a,b\n1,"open\n', "breaks at line"),
        ("shop.csv", "a,b,a\n1,2,3\n", "'a' occurs more than once"),
        ("shop.csv", "a;b\n1;2\n", "semicolons"),
        ("shop.csv", b"a,b\n1,caf\xe9\n", "not UTF-8 .first at byte 9"),
        ("shop.csv", b"\xef\xbb\xbfa\n\xe9\n", "byte 5"),
        ("shop.xlsx", b"PK\x03\x04rest", "save it as CSV"),
        ("shop.jsonl", '{"a": 1}\n{"a": \n', "line 2"),
        ("shop.jsonl", '{"a": 1}\n[1]\n', "line 2"),
        ("shop.jsonl", '{"a": 1, "a": 2}\n', "line 1 .*twice"),
        ("shop.jsonl", '{"a": "\\ud800"}\n', "line 1"),
        ("shop.jsonl", "[" * 100_000, "line 1"),
    ],
)
def test_broken_files_are_told_in_words(tmp_path, name, content, words):
    with pytest.raises(ValueError, match=words):
        read_table(write(tmp_path, content, name))


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_table(tmp_path / "gone.csv")
    with pytest.raises(ValueError, match="is a folder"):
        read_table(tmp_path)


def test_columns_are_guessed_whatever_their_case():
    found = find_columns(["SKU", "Product Name", "Details", "Price (USD)", "Brand", "stock"])
    assert (found.id, found.title, found.description, found.price) == ("SKU", "Product Name", "Details", "Price (USD)")
    assert found.brand == "Brand" and found.category is None


def test_named_columns_win_and_one_can_be_left_out():
    found = find_columns(["name", "body", "text", "cost"], {"description": "body", "title": None})
    assert (found.title, found.description, found.price) == (None, "body", "cost")


@pytest.mark.parametrize(
    ("names", "columns", "words"),
    [
        (["title", "body"], None, r"price.*'title', 'body'.*columns=\{\"price\""),
        (["price", "body"], None, r"description.*'price', 'body'.*columns=\{\"description\""),
        (["text", "price", "cost"], None, "'price' and 'cost' could both be the price"),
        (["text", "price"], {"description": "body"}, "no column 'body'.*'text', 'price'"),
        (["text", "price"], {"colour": "text"}, "'colour'.*title, description, price"),
    ],
)
def test_missing_and_ambiguous_columns_are_asked_for(names, columns, words):
    with pytest.raises(ValueError, match=words):
        find_columns(names, columns)


def test_a_price_is_not_looked_for_where_none_is_needed():
    assert find_columns(["text", "price", "cost"], price_required=False).price is None
