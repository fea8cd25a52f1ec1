"""The workshop catalog: the committed files are what the generator writes, and they keep what the data sheet says."""

import csv
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from pricelab.evaluation import floor_mae
from pricelab.files import data_dir, sha256_of
from pricelab.workshop.datasheet import oracle_errors
from pricelab.workshop.dice import Dice
from pricelab.workshop.formula import MAX_PRICE_USD, MIN_PRICE_USD, noisy_price, price_grid, snap
from pricelab.workshop.generate import SPLITS, Row, draw_catalog, generate
from pricelab.workshop.tables import load_tables

CATALOG = data_dir() / "catalog"
TABLES = load_tables()
NEW = TABLES.conditions[0]


@pytest.fixture(scope="module")
def splits():
    """The committed rows by split."""
    found = {}
    for name in SPLITS:
        with open(CATALOG / f"{name}.csv", encoding="utf-8", newline="") as file:
            found[name] = [Row(**row) for row in csv.DictReader(file)]
    return found


@pytest.fixture(scope="module")
def rows(splits):
    return list(itertools.chain.from_iterable(splits.values()))


def numbers(rows, name):
    return np.array([float(getattr(row, name)) for row in rows])


def test_generator_writes_the_committed_files(tmp_path):
    written = generate(tmp_path)
    assert {path.name for path in written} == {path.name for path in CATALOG.iterdir()}
    for path in written:
        assert sha256_of(path) == sha256_of(CATALOG / path.name), (
            f"{path.name} differs: run python -m pricelab.workshop"
        )


def test_another_seed_gives_another_catalog(splits):
    assert draw_catalog(seed=7)["test"] != splits["test"]


def test_recorded_hashes_hold():
    lines = (CATALOG / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == len(SPLITS)
    for line in lines:
        digest, name = line.split("  ")
        assert sha256_of(CATALOG / name) == digest


def test_files_are_small_and_plain(splits):
    for name in SPLITS:
        content = (CATALOG / f"{name}.csv").read_bytes()
        assert len(content) < 1_000_000
        assert b"\r" not in content
        assert content.startswith(b"id,title,brand,category,family,description,price,expected_price,noise_sigma\n")


def test_counts(splits, rows):
    assert {name: len(split) for name, split in splits.items()} == SPLITS
    assert len(rows) >= 6000
    assert len({row.family for row in rows}) >= 250
    assert len({row.category for row in rows}) >= 15
    assert len({row.id for row in rows}) == len(rows)


def test_prices_stay_in_range_and_look_like_prices(rows):
    prices = numbers(rows, "price")
    assert prices.min() >= MIN_PRICE_USD and prices.max() <= MAX_PRICE_USD
    assert all(re.fullmatch(r"\d+\.\d9|\d+\.00", row.price) for row in rows)
    assert np.mean(prices < 30) > 0.25 and np.mean(prices > 200) > 0.12


def test_no_text_in_two_places(rows):
    assert len({f"{row.title}\n{row.description}".lower() for row in rows}) == len(rows)


def test_unseen_families_occur_nowhere_else(splits):
    unseen = {row.family for row in splits["test-unseen"]}
    assert len(unseen) >= 40
    assert {row.category for row in splits["test-unseen"]} == set(TABLES.uses)
    for name in SPLITS:
        if name != "test-unseen":
            assert not unseen & {row.family for row in splits[name]}


def test_texts_never_tell_a_price(rows):
    for row in rows:
        text = f"{row.title}\n{row.description}"
        assert not re.search(r"[$€£{}]|\b(usd|dollars?|prices?|costs?|cheap)\b", text, re.IGNORECASE), text
        assert len(text) <= 351
        assert row.title and row.description and row.title.lower() != row.description.lower()


def test_wording_varies(splits):
    lengths = np.array([len(row.title) + len(row.description) for row in splits["train"]])
    assert 140 < lengths.mean() < 240 and lengths.std() > 40
    text = " ".join(f"{row.title} {row.description}" for row in splits["train"]).lower()
    assert len(set(re.findall(r"[a-z]+", text))) > 1800
    assert np.mean([row.brand == "" for row in splits["train"]]) == pytest.approx(0.12, abs=0.02)
    for word in ("refurbished", "renewed", "pack of", "set of six", "-pack", " ml", " cm", " kg", " gal", "•"):
        assert word in text


def test_brand_column_tells_no_more_than_the_text(rows):
    for row in rows:
        text = f"{row.title}\n{row.description}".lower()
        assert row.brand.lower() in text
        if not row.brand:
            assert not any(re.search(rf"\b{re.escape(b.name.lower())}\b", text) for b in TABLES.brands_of(row.category))


def test_noise_is_what_the_columns_say(rows):
    sigma = numbers(rows, "noise_sigma")
    score = np.log(numbers(rows, "price") / numbers(rows, "expected_price")) / sigma + sigma / 2
    assert abs(score.mean()) < 4 / np.sqrt(len(rows))
    assert score.std() == pytest.approx(1, abs=0.04)
    ratio = numbers(rows, "price") / numbers(rows, "expected_price")
    assert ratio.mean() == pytest.approx(1, abs=4 * ratio.std() / np.sqrt(len(rows)))


def test_floor_agrees_with_the_error_of_the_best_estimate(rows):
    errors = oracle_errors(rows)
    floor = floor_mae(numbers(rows, "expected_price"), numbers(rows, "noise_sigma"))
    assert errors.mean() == pytest.approx(floor.mean(), abs=3 * (errors - floor).std() / np.sqrt(len(rows)))


@pytest.mark.parametrize("stated", [(0, 1, 0), (None, 1, 0), (1, None, 1), (None, None, None)])
def test_left_out_attributes_by_simulation(stated):
    family = next(family for family in TABLES.families if family.name == "electric kettle")
    grid = price_grid(family, (0.12,), 1, NEW, TABLES)
    expected, sigma = grid.given(stated)
    mask = np.zeros_like(grid.weight)
    mask[tuple(slice(None) if i is None else i for i in stated)] = 1
    dice = Dice(5, 0)
    cells = [dice.weighted((grid.weight * mask).ravel()) for _ in range(20_000)]
    prices = np.array([noisy_price(float(np.exp(grid.log_price.ravel()[cell])), family.sigma, dice) for cell in cells])
    assert prices.mean() == pytest.approx(expected, rel=0.015)
    assert np.log(prices).std() == pytest.approx(sigma, rel=0.03)
    median = expected * np.exp(-(sigma**2) / 2)
    assert np.abs(prices - median).mean() == pytest.approx(floor_mae([expected], [sigma])[0], rel=0.04)


def test_more_never_costs_less():
    for family in TABLES.families:
        prices = price_grid(family, (), 1, NEW, TABLES).log_price
        assert (np.diff(prices, axis=1) >= 0).all(), f"{family.name}: a bigger one is cheaper"
        packs = [price_grid(family, (), pack, NEW, TABLES).log_price[0, 0, 0] for pack in family.packs]
        assert (np.diff(packs) > 0).all() and 0 < family.pack_exponent <= 1, f"{family.name}: a bigger pack is cheaper"


def test_tables_are_consistent():
    names = [family.name for family in TABLES.families]
    assert len(set(names)) == len(names)
    for category in TABLES.uses:
        tiers = {brand.tier for brand in TABLES.brands_of(category)}
        assert tiers == set(TABLES.tiers), f"{category} has no {set(TABLES.tiers) - tiers} brand"
    for brand in TABLES.brands:
        assert set(brand.categories) <= set(TABLES.uses), brand.name
    for family in TABLES.families:
        grid = price_grid(replace(family, sigma=0.0), (), 1, NEW, TABLES)
        assert (grid.weight > 0).mean() > 0.5, f"{family.name}: most versions lie outside the price range"
        assert 0.1 <= family.sigma <= 0.3 and len(family.names) >= 2


@pytest.mark.parametrize("price", [1.0, 1.02, 3.44, 9.99, 10.0, 57.3, 99.9, 100.0, 421.6, 998.9, 999.0])
def test_snap_moves_little(price):
    cents = snap(price, Dice(0, 0))
    assert abs(cents / 100 - price) <= (0.06 if price < 10 else 0.26 if price < 100 else 0.51)
    assert 100 <= cents <= 99900
