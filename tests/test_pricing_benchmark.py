"""The benchmark of pricing: the ways answer the same question, and the docs hold what was measured."""

import pytest

from benchmarks import pricing
from pricelab import load_catalog
from pricelab.files import read_json, write_json_atomic


@pytest.fixture(scope="module")
def tiny(one_thread):
    return pricing.predictor("tiny")


@pytest.fixture(scope="module")
def texts():
    return [item.text for item in load_catalog("workshop")["test"][:4]]


def test_all_ways_are_timed_side_by_side_on_the_same_texts(tiny, texts):
    found = pricing.side_by_side(tiny, texts, repeats=2)
    assert found["items"] == found["generated"] == 4 and 0 <= found["same_greedy"] <= 4
    for way in pricing.WORDS:
        assert 0 < found[way]["least"] <= found[way]["median"] <= found[way]["most"]
    assert found["digits of generate"]["median"] > 0 and found["blend of prefill"]["median"] > 0


def test_texts_are_cut_to_the_lengths_that_the_table_names(tiny, texts, monkeypatch):
    monkeypatch.setattr(pricing, "LENGTHS", (5, 10))
    seen = []
    monkeypatch.setattr(pricing, "ways", lambda pricer: dict.fromkeys(pricing.WORDS, seen.append))
    found = pricing.by_length(tiny, texts, repeats=1)
    assert [one["tokens"] for one in found] == [5, 10] and len(seen) == 6
    lengths = [len(tiny.base.tokenizer.encode(text, add_special_tokens=False)) for batch in seen for text in batch]
    assert all(abs(length - (5 if n < 3 * pricing.CUT_TEXTS else 10)) <= 2 for n, length in enumerate(lengths))


def test_a_file_is_priced_whole():
    found = pricing.price_file(20)
    assert found["rows"] == 20 and found["ms_per_row"] == pytest.approx(1000 * found["seconds"] / 20, rel=0.1)


def test_the_docs_hold_the_committed_results():
    assert pricing.PAGE.read_text(encoding="utf-8") == pricing.page(), "run: python -m benchmarks.pricing --docs"


MEASURED = read_json(pricing.PATH) if pricing.PATH.is_file() else {}


@pytest.mark.parametrize("section", [name for name in pricing.SECTIONS if MEASURED.get(name)])
def test_each_table_names_machine_and_command(section):
    table = pricing.SECTIONS[section](MEASURED)
    assert MEASURED["machine"] in table and f"`{MEASURED['command']}`" in table


def test_a_part_that_is_not_measured_again_keeps_its_results(tmp_path, monkeypatch, one_thread):
    path, kept = tmp_path / "pricing.json", {"files": [{"rows": 100}], "ways": {"items": 1}}
    write_json_atomic(path, kept)
    monkeypatch.setattr(pricing, "by_length", lambda pricer, texts: [{"tokens": 40}])
    pricing.measure(path, base="tiny", parts=["lengths"])
    found = read_json(path)
    assert found["lengths"] == [{"tokens": 40}] and {part: found[part] for part in kept} == kept
