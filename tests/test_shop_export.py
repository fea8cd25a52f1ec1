"""The example of a shop's export: the committed files are what the generator writes, with the flaws it promises."""

import csv
import re
from collections import Counter

import pytest

from pricelab import load_catalog
from pricelab.catalog import load_items
from pricelab.files import data_dir
from pricelab.workshop import shop_export
from pricelab.workshop.shop_export import CARD, FILE, FLAWS, PRODUCTS, draw_listings, write_export

FOLDER = data_dir() / "examples"
COLUMNS = {"description": "body", "brand": "maker", "category": "department"}


@pytest.fixture(scope="module")
def rows():
    with open(FOLDER / FILE, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_generator_writes_the_committed_files(tmp_path):
    for path in write_export(tmp_path):
        assert path.read_bytes() == (FOLDER / path.name).read_bytes(), (
            f"{path.name} differs: run python -m pricelab.workshop.shop_export --out data/examples"
        )


def test_another_seed_gives_another_shop():
    assert draw_listings(seed=1)[:20] != draw_listings()[:20]


def test_the_planted_flaws_are_there_as_often_as_the_card_says(rows):
    copies = sum(count for flaw, count in FLAWS.items() if flaw.startswith("listed twice"))
    assert len(rows) == PRODUCTS + copies
    prices = Counter(row["list_price"] for row in rows)
    assert prices[""] == FLAWS["no price"] and prices["call us"] == FLAWS["price is “call us”"]
    assert sum("<p>" in row["body"] for row in rows) == FLAWS["body is HTML"]
    assert sum("Now only $" in row["body"] for row in rows) == FLAWS["price stands in the body"]
    texts = Counter((row["name"], row["body"]) for row in rows)
    again = FLAWS["listed twice, word for word"] + FLAWS["listed twice, at another price"]
    assert sum(count - 1 for count in texts.values()) == again
    card = (FOLDER / CARD).read_text(encoding="utf-8")
    assert all(f"| {flaw} | {count} |" in card for flaw, count in FLAWS.items())


def test_a_price_in_the_body_is_the_listings_own(rows):
    told = [(re.search(r"Now only \$([\d.]+),", row["body"]), row["list_price"]) for row in rows]
    assert all(match[1] in price for match, price in told if match)


def test_loading_needs_three_columns_named_and_leaves_out_what_has_no_price():
    guessed, _ = load_items(FOLDER / FILE)
    assert not any(item.brand or "\n" in item.text for item in guessed)  # pricelab can't guess maker and body
    items, report = load_items(FOLDER / FILE, columns=COLUMNS)
    unusable = [count for flaw, count in FLAWS.items() if flaw.startswith(("no price", "price is", "price of"))]
    expected = sum(unusable) + FLAWS["neither name nor body"] + FLAWS["listed twice, word for word"]
    assert len(report.dropped) == expected and len(items) == report.rows_kept
    assert {item.category for item in items} == set(shop_export.DEPARTMENTS)


def test_no_row_is_one_of_the_workshop_catalog():
    workshop = load_catalog("workshop")
    known = {item.text.lower() for split in workshop.splits.values() for item in split}
    items, _ = load_items(FOLDER / FILE, columns=COLUMNS)
    assert not known & {item.text.lower() for item in items}
