"""Loss against compute: the envelope, the line, the recorded experiment, and how the notebook reads it."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import scaling as experiment
from pricelab.by_hand import scaling, scratch
from pricelab.catalog import load_catalog
from pricelab.files import data_dir, read_json
from pricelab.pretrain import VOCABULARY

spots = st.lists(st.tuples(st.floats(1e9, 1e20), st.floats(0.1, 9)), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def recorded():
    return read_json(data_dir() / "results" / "scaling.json")


# ---- the line


@given(spots)
def test_the_frontier_holds_what_nothing_beats_with_less_compute(spots):
    kept = scaling.frontier(spots)
    assert set(kept) <= set(spots) and kept == sorted(kept)
    assert all(later[1] < earlier[1] for earlier, later in zip(kept, kept[1:], strict=False))
    for flops, loss in spots:
        assert any(f <= flops and best <= loss for f, best in kept)


def test_the_best_ends_of_runs_are_told_by_size_and_tokens():
    def one_character_a_token(texts):
        return {"input_ids": [list(text) for text in texts]}

    ends = {("0.24 M", 1000): (1e9, 3.0), ("1.1 M", 1000): (5e9, 2.0), ("4.8 M", 1000): (2e10, 2.5)}
    runs = {
        run: [scratch.Point(0, 0.0, 9.0, 9.0), scratch.Point(1000, c, nats, nats)] for run, (c, nats) in ends.items()
    }
    best = scaling.best_ends(runs, one_character_a_token, ["abc"])
    assert list(best.values()) == ["0.24 M on 1,000", "1.1 M on 1,000"]
    assert list(best)[1] == pytest.approx((5e9, 2.0 / math.log(2)))


@settings(deadline=None)  # the first call imports scipy
@given(st.floats(0.5, 5), st.floats(0.01, 0.5))
def test_a_straight_line_is_found_again(scale, exponent):
    flops = np.geomspace(1e11, 1e14, 5)
    law = scaling.fit_line([(c, scale * (c / 1e12) ** -exponent) for c in flops])
    assert (law.scale, law.exponent, law.floor) == pytest.approx((scale, exponent, 0.0), rel=1e-6)
    assert law(1e15) == pytest.approx(scale * 1e3**-exponent) and law.n == 5


@settings(deadline=None)
@given(st.floats(0.1, 3), st.floats(0.3, 1.5), st.floats(0.3, 2))
def test_a_floor_is_found_again(scale, exponent, floor):
    flops = np.geomspace(1e11, 1e14, 8)
    law = scaling.fit_with_floor([(c, floor + scale * (c / 1e12) ** -exponent) for c in flops])
    assert (law.scale, law.exponent, law.floor) == pytest.approx((scale, exponent, floor), rel=1e-2)
    assert law.floor_interval[0] <= law.floor <= law.floor_interval[1]
    assert law(1e30) == pytest.approx(floor, rel=1e-2)


def test_without_a_floor_none_is_claimed():
    law = scaling.fit_with_floor([(c, (c / 1e12) ** -0.3) for c in np.geomspace(1e11, 1e14, 8)])
    assert law.floor == pytest.approx(0, abs=0.02) and law.exponent == pytest.approx(0.3, abs=0.02)


def test_the_interval_of_the_exponent_holds_it_19_times_of_20():
    dice, flops, hits = np.random.default_rng(0), np.geomspace(1e11, 1e14, 6), 0
    for _ in range(400):
        noisy = (flops / 1e12) ** -0.1 * np.exp(dice.normal(0, 0.05, 6))
        low, high = scaling.fit_line(list(zip(flops, noisy, strict=True))).exponent_interval
        hits += low <= 0.1 <= high
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize(("fit", "least"), [(scaling.fit_line, 3), (scaling.fit_with_floor, 4)])
def test_too_few_runs_have_no_interval(fit, least):
    runs = [(1e11 * 10**number, 2.0 - 0.3 * number) for number in range(least)]
    assert fit(runs).n == least
    with pytest.raises(ValueError, match=f"{least} runs or more, got {least - 1}"):
        fit(runs[1:])


def test_a_curve_is_in_bits_per_byte_and_leaves_out_the_beginning(toy_tokenizer):
    texts = ["a drill, 24 V", "½ inch"]
    tokens = sum(map(len, toy_tokenizer(texts)["input_ids"]))
    points = [scratch.Point(0, 0.0, 8.0, 8.0), scratch.Point(10, 1e9, 3.0, 2.0)]
    (spot,) = scaling.curve(points, toy_tokenizer, texts)
    assert spot == (1e9, pytest.approx(2.0 / math.log(2) * tokens / len("".join(texts).encode())))


# ---- what is recorded


def test_the_record_has_settings_and_belongs_to_this_catalog(recorded):
    assert recorded["command"] == "python -m benchmarks.scaling"
    assert recorded["catalog"] == load_catalog("workshop").fingerprint
    assert (recorded["vocabulary"], recorded["batch"]) == (VOCABULARY, scratch.BATCH)
    assert [(run["size"], run["tokens"]) for run in recorded["runs"]] == list(experiment.RUNS)


def test_every_recorded_run_names_its_machine_and_counts_its_compute(recorded):
    for run in recorded["runs"]:
        assert run["machine"] and run["torch"] and run["threads"] >= 1 and run["seconds"] > 0
        assert run["points"][0]["tokens"] == 0
        assert run["points"][-1]["tokens"] == pytest.approx(run["tokens"], rel=0.01)
        for point in run["points"]:
            assert point["flops"] == pytest.approx(6 * run["parameters"] * point["tokens"], rel=1e-4)
            assert 0 < point["validation_loss"] < 10 and 0 < point["train_loss"] < 10


def test_a_run_starts_as_good_as_guessing_and_writes_four_times(recorded):
    for run in recorded["runs"]:
        assert run["points"][0]["validation_loss"] == pytest.approx(math.log(VOCABULARY), rel=0.1)
        assert sum(point["sample"] is not None for point in run["points"]) == 4


def test_the_notebook_can_read_the_record_and_fit_a_line(toy_tokenizer):
    runs = scaling.recorded_runs()
    held_out = [item.text for item in load_catalog("workshop")["validation"]][: experiment.HELD_OUT]
    assert ("4.8 M", 1_600_000) in runs
    ends = [scaling.curve(points, toy_tokenizer, held_out)[-1] for points in runs.values()]
    best = scaling.frontier(ends)
    assert 0 < scaling.fit_line(best).exponent < 1
    assert 0 < scaling.fit_with_floor(best).floor <= best[-1][1]


# ---- the experiment


@pytest.fixture
def made(tmp_path, toy_catalog, one_thread) -> Path:
    path = tmp_path / "scaling.json"
    experiment.measure(path, toy_catalog, (("0.24 M", 1024),))
    return path


def test_the_experiment_goes_on_after_the_last_finished_run(made, toy_catalog, monkeypatch):
    before = read_json(made)
    assert before["catalog"] == toy_catalog.fingerprint
    trained = []
    short = before["runs"][0]

    def train(catalog, size, tokens, prompt):
        trained.append((size, tokens))
        return {**short, "size": size, "tokens": tokens}

    monkeypatch.setattr(experiment, "train", train)
    experiment.measure(made, toy_catalog, (("0.24 M", 512), ("0.24 M", 1024)))
    after = read_json(made)
    assert trained == [("0.24 M", 512)] and short in after["runs"]
    assert [run["tokens"] for run in after["runs"]] == [512, 1024], "in the order of the experiment"


def test_other_settings_start_anew(made, toy_catalog, monkeypatch):
    trained = []
    monkeypatch.setattr(experiment, "SEED", 7)
    monkeypatch.setattr(experiment, "train", lambda *run: trained.append(run) or {"size": run[1], "tokens": run[2]})
    experiment.measure(made, toy_catalog, (("0.24 M", 1024),))
    assert len(trained) == 1 and read_json(made)["seed"] == 7
