"""Every row of a file is kept or reported, and a text is never in two splits."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab import catalog as catalogs
from pricelab.catalog import WORKSHOP_SPLITS, Catalog, Item, LoadReport, listing_text, load_catalog, load_items
from pricelab.report import Dropped, Tally

GOOD = [[f"Mug {n}", f"A mug, number {n}.", f"${n + 1}.50"] for n in range(40)]
EXTRA_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["", " ", "Mug 1", "Lamp"]),
        st.sampled_from(["", "A mug, number 1.", "Tall"]),
        st.sampled_from(["$2.50", "12", "call us", "0.99", "999", "999.01", "", "12,50"]),
    ),
    max_size=30,
)


def write_csv(folder, rows, header=("title", "description", "price"), name="shop.csv"):
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    path = folder / name
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path


def texts(items):
    return {item.text for item in items}


@settings(max_examples=40, deadline=None)
@given(extra=EXTRA_ROWS)
def test_rows_in_are_rows_kept_and_rows_dropped(tmp_path_factory, extra):
    path = write_csv(tmp_path_factory.mktemp("shop"), [*extra, *GOOD])
    catalog = load_catalog(path)
    report, items = catalog.report, [item for split in catalog.splits.values() for item in split]
    assert report.rows_read == len(GOOD) + len(extra) == report.rows_kept + len(report.dropped)
    assert len(items) == report.rows_kept and all(1 <= item.price <= 999 and item.text for item in items)
    assert len({(item.text, item.price) for item in items}) == len(items)
    assert sum(len(texts(split)) for split in catalog.splits.values()) == len(texts(items))


def test_the_split_is_80_10_10_and_does_not_depend_on_the_order(tmp_path):
    catalog = load_catalog(write_csv(tmp_path, GOOD))
    assert {name: len(items) for name, items in catalog.splits.items()} == {"train": 32, "calibration": 4, "test": 4}
    turned = load_catalog(write_csv(tmp_path, GOOD[::-1], name="turned.csv"))
    assert [i.text for i in turned["test"]] == [i.text for i in catalog["test"]]
    assert texts(load_catalog(tmp_path / "shop.csv", seed=1)["test"]) != texts(catalog["test"])


def test_what_is_left_out_is_reported_with_its_row(tmp_path):
    bad = [
        ["a", "", "call us"],
        ["", " ", "5"],
        ["b", "", "0.50"],
        ["c", "", "1,299"],
        ["Mug 0", "A mug, number 0.", "1.5"],
    ]
    report = load_catalog(write_csv(tmp_path, [*GOOD, *bad])).report
    assert [(drop.row, drop.reason, drop.text) for drop in report.dropped] == [
        (42, "no price", "call us"),
        (43, "no text", ""),
        (44, "price below $1", "0.50"),
        (45, "price above $999", "1,299"),
        (46, "same text and price as an earlier row", "Mug 0\nA mug, number 0."),
    ]
    assert "45 rows read, 40 kept, 5 left out" in str(report) and "row 42 'call us'" in str(report)
    assert "without a currency were read as US dollars" in str(report)


def test_dollar_signs_everywhere_need_no_note(tmp_path):
    assert "without a currency" not in str(load_catalog(write_csv(tmp_path, GOOD)).report)


def test_one_text_with_two_prices_stays_together(tmp_path):
    rows = [[title, text, price] for title, text, _ in GOOD for price in ("$10", "$20")]
    catalog = load_catalog(write_csv(tmp_path, rows))
    assert len(catalog["test"]) == 8 and len(texts(catalog["test"])) == 4
    assert not texts(catalog["test"]) & (texts(catalog["train"]) | texts(catalog["calibration"]))
    assert "more than one price: 40" in str(catalog.report)


@pytest.mark.parametrize("price", ["12 €", "EUR 12", "£12", "12 GBP", "C$12", "12 CAD", "¥1200", "99 kr"])
def test_one_foreign_price_refuses_the_file_until_one_currency_is_chosen(tmp_path, price):
    path = write_csv(tmp_path, [*GOOD, ["x", "y", price]])
    with pytest.raises(ValueError, match='shop.csv: .*row 42.*currency="') as refusal:
        load_catalog(path)
    assert price.strip("0123456789 ") in str(refusal.value)
    catalog = load_catalog(path, currency="USD")
    (left_out,) = catalog.report.dropped
    assert catalog.currency == "USD" and left_out.row == 42 and "not USD" in left_out.reason


def test_a_catalog_in_another_currency_keeps_it_and_shows_it(tmp_path):
    rows = [[title, text, f"{n + 1},50 €"] for n, (title, text, _) in enumerate(GOOD)]
    catalog = load_catalog(write_csv(tmp_path, rows))
    assert catalog.currency == catalog.report.currency == "EUR"
    assert sorted(item.price for split in catalog.splits.values() for item in split) == [n + 1.5 for n in range(40)]
    assert "40.50 EUR" in str(catalog) and "$" not in str(catalog)
    dollars = load_catalog(write_csv(tmp_path, GOOD, name="dollars.csv"))
    assert catalog.fingerprint != dollars.fingerprint  # the same numbers, but not the same money


def test_currency_in_the_header_or_beside_the_price(tmp_path):
    bare = [[title, text, n + 1] for n, (title, text, _) in enumerate(GOOD)]
    assert load_catalog(write_csv(tmp_path, bare, ("title", "text", "Price (€)"))).currency == "EUR"
    rows = [[*row, "USD"] for row in bare]
    assert load_catalog(write_csv(tmp_path, rows, ("title", "text", "price", "currency"))).report.rows_kept == 40
    rows[7][3] = "SEK"
    with pytest.raises(ValueError, match="39 in USD.*1 in SEK: row 9"):
        load_catalog(write_csv(tmp_path, rows, ("title", "text", "price", "currency")))


def test_cents_are_divided_and_the_report_says_so(tmp_path):
    rows = [[title, text, 100 * n + 199] for n, (title, text, _) in enumerate(GOOD)]
    items, report = load_items(write_csv(tmp_path, rows, ("title", "text", "price_cents")))
    assert [item.price for item in items[:2]] == [1.99, 2.99] and "holds cents: divided by 100" in str(report)


def test_a_wider_price_range_keeps_what_the_default_reports(tmp_path):
    path = write_csv(
        tmp_path, [*GOOD, ["Sofa", "Red.", "$1,299.00"], ["Pin", "Small.", "$0.25"], ["Car", "", "$99999"]]
    )
    default, wide = load_catalog(path), load_catalog(path, price_range=(0.01, 20_000))
    assert default.report.left_out == {"price above $999": 2, "price below $1": 1}
    assert wide.report.left_out == {"price above $20000": 1} and wide.report.rows_kept == 42
    (cure,) = [note for note in default.report.notes if note.startswith("prices from 1 to 999 USD were kept")]
    assert "price_range=(low, high)" in cure and "--price-range LOW HIGH on the command line" in cure
    assert default.price_range is None and wide.price_range == (0.01, 20_000)
    assert not any("price_range" in note for note in load_catalog(path, price_range=(0.01, 1e6)).report.notes)
    prices = {item.price for split in wide.splits.values() for item in split}
    assert {1299.0, 0.25} <= prices


@pytest.mark.parametrize("price_range", [(0, 10), (5, 1), (1, float("inf")), (float("nan"), 5)])
def test_a_price_range_is_two_positive_numbers_in_order(tmp_path, price_range):
    with pytest.raises(ValueError, match="is no range; give the lowest and the highest"):
        load_items(write_csv(tmp_path, GOOD), price_range=price_range)


def test_prices_of_two_readings_need_the_column_or_a_word(tmp_path):
    rows = [[title, text, f"1.{n + 100}"] for n, (title, text, _) in enumerate(GOOD)]
    path = write_csv(tmp_path, rows)
    with pytest.raises(ValueError, match='shop.csv: 40 prices have two readings.*decimal="."'):
        load_catalog(path)
    assert load_items(path, decimal=".")[0][0].price == 1.1
    assert load_items(path, decimal=",", price_range=(1, 9999))[0][0].price == 1100


@pytest.mark.parametrize(
    ("source", "options"),
    [("workshop", {"currency": "EUR"}), ("workshop", {"n": 5}), ("shop.csv", {"n": 5}), ("workshop", {"columns": {}})]
    + [("amazon-2023:Appliances", {"currency": "USD"}), ("amazon-2023:Appliances", {"columns": {"title": "t"}})],
)
def test_an_option_that_a_source_does_not_take_is_refused(source, options):
    with pytest.raises(ValueError, match=f"takes no {next(iter(options))}"):
        load_catalog(source, **options)


@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl", "parquet"])
def test_every_format_gives_the_same_catalog(tmp_path, suffix):
    import pandas as pd

    table = pd.DataFrame([row[:2] + [float(row[2][1:])] for row in GOOD], columns=["title", "description", "price"])
    path = tmp_path / f"shop.{suffix}"
    writers = {
        "tsv": lambda: table.to_csv(path, sep="\t", index=False),
        "csv": lambda: table.to_csv(path, sep=";", index=False),
        "jsonl": lambda: table.to_json(path, orient="records", lines=True),
        "parquet": lambda: table.to_parquet(path),
    }
    writers[suffix]()
    plain = load_catalog(write_csv(tmp_path, GOOD, name="plain.csv"))
    assert [[i.text for i in split] for split in load_catalog(path).splits.values()] == [
        [i.text for i in split] for split in plain.splits.values()
    ]


def test_too_few_rows_show_the_report_but_can_be_judged(tmp_path):
    path = write_csv(tmp_path, [*GOOD[:19], ["x", "y", "free"]])
    with pytest.raises(ValueError, match="fewer than 20 usable items(.|\n)*row 21 'free'"):
        load_catalog(path)
    items, report = load_items(path)
    assert [item.id for item in items] == [f"row-{n}" for n in range(2, 21)] and len(report.dropped) == 1


def test_json_lines_with_named_columns(tmp_path):
    path = tmp_path / "shop.jsonl"
    lines = [{"sku": f"s{n}", "body": text, "price": n + 1.5, "brand": "Ö"} for n, (_, text, _) in enumerate(GOOD)]
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    items, _ = load_items(path, columns={"description": "body"})
    assert (items[3].id, items[3].price, items[3].brand, items[3].text) == ("s3", 4.5, "Ö", "A mug, number 3.")


@pytest.mark.parametrize(
    ("title", "description", "text"),
    [
        ("Mug ", " blue\n mug", "Mug\nblue mug"),
        ("", "blue mug", "blue mug"),
        ("BLUE mug", "Blue  Mug, 2 pack", "Blue Mug, 2 pack"),
        ("Mug", "", "Mug"),
        (" ", "\n", ""),
    ],
)
def test_listing_text(title, description, text):
    assert listing_text(title, description) == text


def test_reports_and_catalogs_escape_what_they_show():
    evil = "<script>alert(1)</script>"
    report = LoadReport(2, 0, (Dropped(2, evil, evil),), (evil,), {evil: 1})
    for page in (report._repr_html_(), Catalog(evil, {evil: ()}, report)._repr_html_()):
        assert "<script" not in page and "&lt;script" in page


def test_a_report_counts_rows_that_it_does_not_list():
    report = LoadReport(1_000_004, 1, (Dropped(2, "no price", "call us"),), more={"no price": 2, "no text": 1_000_000})
    assert report.left_out == {"no text": 1_000_000, "no price": 3}
    assert report.rows_read == report.rows_kept + sum(report.left_out.values())
    lines = str(report).splitlines()
    assert lines[0] == "1,000,004 rows read, 1 kept, 1,000,003 left out" and lines[1] == "  1,000,000 × no text"
    assert lines[2] == "  3 × no price: row 2 'call us' …"


def test_a_tally_keeps_the_first_rows_of_each_reason_and_counts_the_rest():
    tally = Tally()
    for row in range(1, 101):
        tally.add(row, "odd" if row % 2 else "even", "x" * 1000)
    assert [drop.row for drop in tally.dropped] == list(range(1, 11)) and tally.more == {"odd": 45, "even": 45}
    assert all(len(drop.text) <= 80 for drop in tally.dropped)


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """Five small files in the form of the workshop catalog."""
    header = ["id", "title", "brand", "category", "family", "description", "price", "expected_price", "noise_sigma"]
    (tmp_path / "catalog").mkdir()
    for split in WORKSHOP_SPLITS:
        row = [f"{split}-1", "Mug", "Ock", "kitchen", "mugs", "Blue.", "12.00", "11.5", "0.2"]
        write_csv(tmp_path / "catalog", [row], header, f"{split}.csv")
    monkeypatch.setattr(catalogs, "data_dir", lambda: tmp_path)
    return tmp_path / "catalog"


def test_the_workshop_catalog(workshop):
    catalog = load_catalog()
    assert tuple(catalog.splits) == WORKSHOP_SPLITS and catalog.report.rows_kept == 5
    item = catalog["test-unseen"][0]
    assert (item.text, item.price, item.expected_price, item.noise_sigma) == ("Mug\nBlue.", 12.0, 11.5, 0.2)
    assert "test-unseen" in str(catalog) and "<span>$</span>12.00" in catalog._repr_html_()
    with pytest.raises(ValueError, match="no split 'dev'; it has train, validation"):
        catalog["dev"]


def test_the_fingerprint_sees_every_change_that_matters(workshop):
    before = load_catalog().fingerprint
    assert before == load_catalog().fingerprint and len(before) == 64
    for old, new in (("12.00", "12.01"), ("Blue.", "Red."), ("test-1", "test-2")):
        text = (workshop / "test.csv").read_text()
        (workshop / "test.csv").write_text(text.replace(old, new))
        assert load_catalog().fingerprint != before
        (workshop / "test.csv").write_text(text)


def test_a_damaged_workshop_file_is_named(workshop):
    (workshop / "train.csv").write_text("id,title\n1,2\n")
    with pytest.raises(ValueError, match="train.csv is not as pricelab wrote it"):
        load_catalog("workshop")


def test_a_catalog_shows_itself_as_a_small_table_never_as_all_its_items():
    catalog = load_catalog("workshop")
    assert repr(catalog) == str(catalog) and len(repr(catalog)) < 1_000


def test_the_median_of_an_even_number_of_prices_lies_between_the_two_in_the_middle():
    items = tuple(Item(str(price), "x", price) for price in (9.0, 1.0, 4.0, 5.0))
    assert "$1.00   $4.50    $9.00" in str(Catalog("four", {"train": items}, LoadReport(4, 4)))
