"""Files of every format are read as they are, columns found or asked for."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab.prices import Number
from pricelab.tables import find_columns, read_table

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
UNHURRIED = settings(deadline=None)  # the first example pays for importing pandas


def write(folder, text, name="shop.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


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


def test_numbers_of_a_file_are_told_from_texts(tmp_path):
    table = read_table(write(tmp_path, '{"p": 1.299, "t": "1.299", "n": 3}\n', "shop.jsonl"))
    assert [type(cell) for cell in table.iloc[0]] == [Number, str, Number]


@pytest.mark.parametrize("name", ["shop.tsv", "shop.TAB", "shop.csv", "shop.txt"])
def test_tabs_are_read(tmp_path, name):
    table = read_table(write(tmp_path, 'title\tprice\n"A ""big""\tmug"\t12,50\nLamp, red; tall\t3\n', name))
    assert table.to_numpy().tolist() == [['A "big"\tmug', "12,50"], ["Lamp, red; tall", "3"]]


def test_semicolons_are_read_as_spreadsheets_of_much_of_europe_write_them(tmp_path):
    table = read_table(write(tmp_path, 'Name;"Preis (€)";Text\nTasse;12,50;"blau; groß"\nLampe;1.299,00;rot, hell\n'))
    assert list(table.columns) == ["Name", "Preis (€)", "Text"]
    assert table.to_numpy().tolist() == [["Tasse", "12,50", "blau; groß"], ["Lampe", "1.299,00", "rot, hell"]]


@UNHURRIED
@given(
    table=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=8),
    mark=st.sampled_from([",", ";", "\t"]),
    name=st.sampled_from(["shop.csv", "shop.tsv"]),
)
def test_cells_come_back_whatever_separates_them(tmp_path_factory, table, mark, name):
    mark = "\t" if name == "shop.tsv" else mark
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, delimiter=mark).writerows([["title", "price"], *table])
    assert read_table(write(tmp_path_factory.mktemp("csv"), text.getvalue(), name)).to_numpy().tolist() == table


@pytest.fixture
def parquet(tmp_path):
    """Writes columns to a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet

    def make(name="shop.parquet", **columns):
        pa.parquet.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    return make


def test_parquet_is_read_as_strings_with_the_shortest_digits(parquet):
    import datetime
    import decimal

    import pyarrow as pa

    path = parquet(
        text=["Mug", None],
        single=pa.array([12.99, None], pa.float32()),
        double=[1299.0, 0.1],
        whole=pa.array([7, None], pa.int64()),
        money=[decimal.Decimal("12.50"), None],
        on=[True, False],
        tags=[["a", "é"], None],
        details=[{"Brand": "Ock", "n": 1}, None],
        day=[datetime.date(2026, 1, 2), None],
        kind=pa.array(["x", "y"]).dictionary_encode(),
    )
    table = read_table(path)
    assert list(table.index) == [1, 2]
    assert table.to_dict("records") == [
        {"text": "Mug", "single": "12.99", "double": "1299", "whole": "7", "money": "12.50", "on": "true",
         "tags": '["a", "é"]', "details": '{"Brand": "Ock", "n": 1}', "day": "2026-01-02", "kind": "x"},
        {"text": "", "single": "", "double": "0.1", "whole": "", "money": "", "on": "false",
         "tags": "", "details": "", "day": "", "kind": "y"},
    ]  # fmt: skip
    assert isinstance(table["single"][1], Number) and not isinstance(table["text"][1], Number)


def test_a_parquet_file_without_rows_or_with_bytes_is_refused(parquet):
    import pyarrow as pa

    with pytest.raises(ValueError, match="is empty"):
        read_table(parquet(text=pa.array([], pa.string())))
    with pytest.raises(ValueError, match="the column 'text' .binary. is no text"):
        read_table(parquet(text=pa.array([b"\xff\xfe"], pa.binary())))


def test_a_missing_parquet_file_and_a_folder_of_parts(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_table(tmp_path / "gone.parquet")
    (tmp_path / "parts.parquet").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        read_table(tmp_path / "parts.parquet")


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
        ("shop.csv", "a;b\n1;2\n3\n", "row 3 has 1 cells.*contain a semicolon"),
        ("shop.tsv", "a\tb\n1\t2\n3\n", "row 3 has 1 cells.*contain a tab"),
        ("shop.csv", b"a,b\n1,caf\xe9\n", "not UTF-8 .first at byte 9"),
        ("shop.csv", b"\xef\xbb\xbfa\n\xe9\n", "byte 5"),
        ("shop.xlsx", b"PK\x03\x04rest", "save it as CSV"),
        ("shop.csv.gz", b"\x1f\x8brest", "save it as CSV"),
        ("shop.csv", b"PAR1rest", "end its name in .parquet"),
        ("shop.parquet", b"PAR1rest", "can't be read as Parquet.*write it again"),
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


@pytest.mark.parametrize(
    "name",
    [
        "Price",
        "price_usd",
        "USD",
        "Price (€)",
        "price_in_eur",
        "EUR",
        "Cost £",
        "price_cents",
        "Price (cents)",
        "usd_price",
    ]
    + ["Amount in CHF", "SELLING PRICE", "unit price"],
)
def test_prices_are_found_whatever_their_currency(name):
    assert find_columns(["text", name]).price == name


@pytest.mark.parametrize("name", ["top", "in", "price per pound", "price_note", "all", "euro rate", "cents off"])
def test_these_are_no_price_columns(name):
    with pytest.raises(ValueError, match="no column with a price"):
        find_columns(["text", name])


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
        (
            ["text|price"],
            None,
            r"if '\|' separates columns in it, save it as CSV with commas, semicolons or tabs.*Say which",
        ),
    ],
)
def test_missing_and_ambiguous_columns_are_asked_for(names, columns, words):
    with pytest.raises(ValueError, match=words):
        find_columns(names, columns)


def test_a_price_is_not_looked_for_where_none_is_needed():
    assert find_columns(["text", "price", "cost"], price_required=False).price is None
