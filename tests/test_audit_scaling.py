"""The measurement of an audit of many rows: its planted pairs are what it says, and the record fits the code."""

import random

import pytest

from benchmarks import audit_scaling
from pricelab.files import data_dir, read_json
from pricelab.near_duplicates import THRESHOLD, jaccard, normalised, shingles


@pytest.fixture(scope="module")
def recorded():
    return read_json(data_dir() / "results" / "audit-scaling.json")


def test_planted_pairs_are_near_duplicates_and_all_other_rows_are_made_up_anew():
    catalog, planted = audit_scaling.planted_catalog(1_000)
    texts = {item.id: normalised(item.text) for items in catalog.splits.values() for item in items}
    assert len(texts) == 1_000 and len(catalog["test"]) == 200 and len(planted) == 10
    for copy, original in planted:
        assert texts[copy] != texts[original]
        assert jaccard(shingles(texts[copy]), shingles(texts[original])) >= THRESHOLD
    assert len(set(texts.values())) == len(texts)
    assert audit_scaling.planted_catalog(1_000)[0].fingerprint == catalog.fingerprint


def test_a_reworded_text_differs_in_little():
    dice = random.Random(0)
    (text,) = audit_scaling.made_up(1, dice)
    copies = {audit_scaling.reworded(text, dice) for _ in range(20)}
    assert len(copies) > 5 and text not in copies
    assert all(abs(len(copy.split()) - len(text.split())) <= 1 for copy in copies)


def test_a_run_finds_what_was_planted_and_says_what_the_record_says(recorded):
    run = audit_scaling.run(1_000)
    assert run["found"] == run["planted"] == run["pairs"] == 10 and run["recall"] == 1.0
    assert all(set(run) == set(one) for one in recorded["runs"])


def test_the_record_holds_the_sizes_that_the_command_runs(recorded):
    rows = [run["rows"] for run in recorded["runs"]]
    assert recorded["command"] == "python -m benchmarks.audit_scaling" and recorded["threshold"] == THRESHOLD
    assert set(audit_scaling.ROWS) <= set(rows) and rows == sorted(rows)
    for run in recorded["runs"]:
        assert run["planted"] == run["rows"] * audit_scaling.PLANTED and run["recall"] > 0.99
        assert run["search_peak_gb"] < 4 and run["audit_peak_gb"] < 4
