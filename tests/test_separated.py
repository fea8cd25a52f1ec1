"""CSV and TSV: the separator is found or told, rows keep their numbers, what breaks is told with its likely cause."""

import csv

import pytest

from pricelab import separated
from pricelab.separated import csv_rows, csv_separator
from pricelab.text_files import TextFile


def opened(folder, text, name="shop.csv"):
    path = folder / name
    path.write_bytes(text.encode())
    return TextFile(path, "", lone_returns=False)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2\n", ";"),
        ("title;price, EUR;text\nMug;12,50;Blue\n", ";"),  # as many commas in each row, but more semicolons
        ("id,colour (r;g;b;w)\n1,r\n", ","),
        ('"a;b",c\n1,2\n', ","),
        ("a\tb,c\n1\t2,3\n", ","),  # of equals the comma
        ("text\na;b\nc\n", ","),
        ("a;b\n", ";"),
        ("sep=;\ntext,price\n1,2\n", ";"),  # Excel's word counts
        ("sep=\t\r\na;b\n", "\t"),
        ("sep=|\na;b\n1;2\n", ","),
        ("", ","),
    ],
)
def test_the_separator_is_the_one_that_fits_all_rows(tmp_path, text, mark):
    assert csv_separator(opened(tmp_path, text)) == mark


@pytest.mark.parametrize(
    ("name", "mark"), [("shop.csv", ";"), ("shop.csv", ","), ("shop.csv", "\t"), ("shop.tsv", "\t")]
)
@pytest.mark.parametrize("word", ["sep=", "SEP="])
def test_the_line_in_which_excel_names_the_separator_is_no_row(tmp_path, name, mark, word):
    file = opened(tmp_path, f"{word}{mark}\r\ntext{mark}price\r\nMug{mark}12\r\n", name)
    assert list(csv_rows(file, csv_separator(file))) == [(2, ["text", "price"]), (3, ["Mug", "12"])]


def test_a_file_with_that_line_alone_has_no_header(tmp_path):
    with pytest.raises(ValueError, match=r"shop.csv has no header; it needs one, and one row an item"):
        list(csv_rows(opened(tmp_path, "sep=;\n"), ";"))


@pytest.mark.parametrize("first", ["", "sep=|\n"])
def test_a_separator_that_is_not_read_is_named_when_rows_differ(tmp_path, first):
    file = opened(tmp_path, f"{first}text|price\na mug|3\na mug, red|4\n")
    with pytest.raises(
        ValueError, match=r"has 2 cells and the header 1; .*if '\|' separates columns in it, save it as"
    ):
        list(csv_rows(file, csv_separator(file)))


def test_a_cell_of_any_listing_is_read(tmp_path):
    text = "a mug, " * 30_000
    file = opened(tmp_path, f'text,price\n"{text}",3\n')
    assert list(csv_rows(file, csv_separator(file)))[1] == (2, [text, "3"])


def test_a_quote_that_never_ends_takes_no_more_than_the_longest_cell(tmp_path, monkeypatch):
    before = csv.field_size_limit()
    monkeypatch.setattr(separated, "MAX_CELL", 50)
    try:
        csv.field_size_limit(50)
        file = opened(tmp_path, 'text,price\n"a mug,3\n' + "a mug,3\n" * 100)
        with pytest.raises(
            ValueError, match="breaks at line 8 .*look for a stray quote, or shorten a cell of more than 50"
        ):
            list(csv_rows(file, ","))
    finally:
        csv.field_size_limit(before)
