"""The measurement of coverage: its splits, its simulation, its record and the page that shows it."""

import numpy as np
import pytest

from benchmarks import blend_coverage, coverage, coverage_docs
from pricelab.catalog import load_catalog
from pricelab.files import data_dir, read_json
from pricelab.intervals import FEWEST_IN_BAND


@pytest.fixture(scope="module")
def recorded():
    return read_json(data_dir() / "results" / "coverage.json")


def test_splits_of_a_pool_are_covered_as_chance_allows_and_dear_bands_only_by_their_own_move():
    pool = coverage.simulated(0.2, 4000, np.random.default_rng(0))
    together, by_band = (coverage.coverage(coverage.splits_of(pool, 2000), way) for way in (False, True))
    for run in (together, by_band):
        assert run["splits"] == 20 and run["splits_within"] >= 17 and run["coverage"] == pytest.approx(0.8, abs=0.03)
    dear = [run["by_price"][-1] for run in (together, by_band)]
    assert dear[0]["coverage"] < 0.7 < 0.76 < dear[1]["coverage"] and dear[1]["width_usd"] > dear[0]["width_usd"]


def test_a_blend_learns_anew_in_each_split_and_covers_what_chance_allows():
    items = list(load_catalog()["train"][:400])
    dice = np.random.default_rng(0)
    known = np.log([item.price for item in items])[:, None] @ np.ones((1, 8)) + dice.normal(0, 0.5, (400, 8))
    splits = blend_coverage.splits_of(items, known[None], splits=6, learned=200, calibrated=100)
    assert [len(pool.price) for pair in splits for pool in pair] == [100, 100] * 6
    assert len({tuple(pair[1].price) for pair in splits}) == 6
    run = coverage.coverage(splits, False)
    assert run["splits"] == 6 and run["splits_within"] >= 5 and run["coverage"] == pytest.approx(0.8, abs=0.08)


def test_bands_pay_where_spreads_differ_and_cost_little_where_they_do_not():
    pool = coverage.simulated(0.2, 300, np.random.default_rng(0))
    found = coverage.worth_it({"shop": pool}, draws=10, sizes=(100, 500))
    rows = {(row["spread"], row["calibrated"]): row["off_by"] for row in found}
    same, wider = "same for all", "much wider for dear items"
    assert rows[wider, 500]["60"] < 0.6 * rows[wider, 500]["together"]
    assert rows[same, 500]["60"] < rows[same, 500]["together"] + 0.03
    assert rows[same, 100]["60"] == rows[same, 100]["together"]
    assert ("shop", 100) in rows and ("shop", 500) not in rows


def test_the_record_is_of_the_present_rule_and_within_what_chance_allows(recorded):
    assert recorded["command"].startswith(coverage.COMMAND) and recorded["fewest_in_band"] == FEWEST_IN_BAND
    assert [(run["calibrated"], run["by_band"]) for run in recorded["runs"]] == [
        (n, way) for n in coverage.CALIBRATED for way in (False, True)
    ]
    assert all(run["splits_within"] >= 17 for run in recorded["runs"])
    assert {row["calibrated"] for row in recorded["rules"]} == set(coverage.SIMULATED)


def test_the_page_shows_the_record():
    assert coverage_docs.page() == coverage_docs.PAGE.read_text(encoding="utf-8")
