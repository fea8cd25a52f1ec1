"""Trials side by side: errors paired by item, spread over seeds, the recorded ones and the learning rates."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import ways as benchmark
from pricelab.baselines import ConstantPrice
from pricelab.catalog import Item, load_catalog
from pricelab.plots.ways import FORMS, error_against_cost, error_by_examples
from pricelab.trials import Rates, Trials, recorded, recorded_rates, saved
from pricelab.ways import WAYS, Trial

ITEMS = tuple(Item(str(n), f"item {n}", float(10 * n)) for n in range(1, 7))
PRICES = np.array([item.price for item in ITEMS])


def trial(way="lora", items=200, seed=0, off=5.0):
    return Trial(
        way, "toy", items, 1.0, seed, 1e-3, 1_000_000, 50_000, 10.0, 4_000, 2e12, 3_000_000, 200_000, 19, 20, 3.0, 1.1,
        {"test": list(PRICES + off)},
    )  # fmt: skip


def trials(*found):
    return Trials(found, {"test": ITEMS})


def test_errors_are_absolute_and_in_the_items_order():
    assert trials(trial()).errors(trial(off=-5), "test").tolist() == [5] * 6


def test_seeds_are_averaged_item_by_item():
    both = trials(trial(seed=0, off=2), trial(seed=1, off=-4), trial(seed=1, items=50))
    assert both.mean_errors("lora", 200, "test").tolist() == [3] * 6
    assert both.spread("lora", 200, "test") == (2, 4)
    assert both.by_size("test") == {"LoRA": {50: [5.0], 200: [2.0, 4.0]}}


def test_scores_for_the_leaderboard_are_named_after_way_and_items():
    score = trials(trial(off=2)).scores("test")[0]
    assert score.name == "LoRA, 200 items" and score.mae.value == 2 and score.n == 6


def test_missing_trials_are_named():
    with pytest.raises(ValueError, match="no trial of 'full' with 200 items; there are some with no number"):
        trials(trial()).mean_errors("full", 200, "test")


def test_ways_are_compared_pairwise_also_with_other_numbers_of_items():
    some = trials(trial("lora", 200, off=2), trial("scratch", 200, off=6), trial("scratch", 2000, off=3))
    assert some.difference("lora", "scratch", 200, "test").value == 4
    assert some.difference("lora", "scratch", 200, "test", than=2000).value == 1


def test_a_way_is_compared_with_a_baseline_fitted_on_the_same_items():
    train = [Item(str(n), "x", price) for n, price in enumerate((10.0, 30.0, 50.0, 999.0))]
    found = trials(trial(items=3, off=2)).against(ConstantPrice(), train, "lora", 3, "test")
    assert found.value == np.abs(PRICES - 30).mean() - 2 and found.n == 6


def test_on_unseen_families_the_interval_is_between_families():
    items = [Item(str(n), "x", 100.0, family=f"family {n // 25}") for n in range(100)]
    off = np.repeat([1.0, 9.0, 2.0, 7.0], 25)  # four families whose items agree
    held_out = dict.fromkeys(("test", "test-unseen"), items)
    found = {way: {split: list(100 + size) for split in held_out} for way, size in (("lora", 0 * off), ("full", off))}
    both = Trials(tuple(replace(trial(way), estimates=estimates) for way, estimates in found.items()), held_out)
    widths = {split: (d := both.difference("lora", "full", 200, split)).high - d.low for split in held_out}
    assert widths["test-unseen"] > 3 * widths["test"]


def test_savings_are_paired():
    difference = saved(np.array([1.0, 2, 3, 4]), np.array([3.0, 5, 5, 7]))
    assert difference.value == 2.5 and difference.low < 2.5 < difference.high and difference.n == 4
    with pytest.raises(ValueError, match="same items"):
        saved(np.ones(3), np.ones(4))


def test_the_table_has_a_row_a_trial_with_units():
    table = trials(trial(), trial("full"))
    told = str(table)
    for part in (
        "LoRA",
        "full fine-tuning",
        "5.0%",
        "400",
        "3 MB",
        "2 × 10¹² FLOPs",
        "200 kB",
        "19 of 20",
        "20 (1.10)",
    ):
        assert part in told, part
    assert table._repr_html_().count("<tr>") == 3


def test_baselines_learn_from_as_many_items_as_the_trials():
    workshop = load_catalog("workshop")
    some = Trials((replace(trial(items=40), estimates={"test": [1.0] * 9}),), {"test": workshop["test"][:9]})
    found = some.baselines(workshop["train"], "test")
    median = np.median([item.price for item in workshop["train"][:40]])
    errors = [abs(item.price - median) for item in workshop["test"][:9]]
    assert found["constant (training median)"] == {40: pytest.approx(np.mean(errors))}
    assert set(found) == {"constant (training median)", "TF-IDF + ridge"}


# ---- the recorded ones


def test_the_recorded_trials_fit_the_catalog_that_ships():
    many = recorded(load_catalog("workshop"))
    assert {trial.way for trial in many.trials} == set(WAYS)
    assert len({(trial.way, trial.items, trial.seed) for trial in many.trials}) == len(many.trials)
    for one in many.trials:
        assert all(1 <= price <= 999 for split in one.estimates for price in one.estimates[split])
        assert one.learning_rate == WAYS[one.way].learning_rate(one.items)


def test_recorded_trials_of_other_items_are_refused():
    workshop = load_catalog("workshop")
    with pytest.raises(ValueError, match="other items"):
        recorded(replace(workshop, splits={split: items[:50] for split, items in workshop.splits.items()}))


def test_each_way_has_the_best_of_the_rates_that_were_tried():
    rates = recorded_rates()
    for way in WAYS.values():
        key = "lora" if way.key == "qlora" else way.key
        sizes = {row["items"] for row in rates.rows if row["way"] == key}
        assert {200, 600} <= sizes and way.rates == {items: rates.best(key, items) for items in sizes}
    assert "1e-3: $" in str(rates) and "0.001" not in str(rates)
    assert str(rates).count("← best") == len({(row["way"], row["items"]) for row in rates.rows})


def test_the_best_rate_has_the_least_error_with_the_most_items():
    tried = ((200, 1e-3, 7.0), (200, 3e-3, 6.5), (600, 1e-3, 5.0), (600, 3e-3, 5.5))
    rows = [{"way": "lora", "items": n, "learning_rate": rate, "validation_mae": e} for n, rate, e in tried]
    assert Rates(tuple(rows)).best("lora") == 1e-3 and Rates(tuple(rows)).best("lora", 200) == 3e-3


# ---- the command that records them


def test_the_command_goes_on_after_the_last_finished_run(tmp_path):
    made, path = [], tmp_path / "ways.json"
    runs = [((way, 9), lambda way=way: made.append(way) or {"way": way, "items": 9}) for way in ("full", "lora")]
    workshop = load_catalog("workshop")
    benchmark.measure(path, workshop, "trials", runs[:1], "way items")
    benchmark.measure(path, workshop, "trials", runs, "way items")
    assert made == ["full", "lora"]
    other = replace(workshop, splits={"train": workshop["train"][:3]})
    with pytest.raises(ValueError, match="other settings"):
        benchmark.measure(path, other, "trials", runs, "way items")


def test_a_recorded_trial_keeps_its_estimates():
    kept = benchmark.short(replace(trial(), flops=1.23456789e12))
    assert kept["flops"] == 1.2346e12 and kept["estimates"]["test"] == list(PRICES + 5)


# ---- figures


def test_curves_show_every_way_seed_and_reference():
    many = trials(*(trial(way, items, seed) for way in FORMS for items in (50, 200) for seed in (0, 1)))
    figure = error_by_examples(many, trials(trial(items=24)), {"test": {"ridge": {50: 9.0, 200: 7.0}}})
    (axes,), (legend,) = figure.axes, figure.legends
    told = [text.get_text() for text in legend.get_texts()]
    assert told == [*(WAYS[way].words for way in FORMS), "ridge", "measured just now"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["24", "50", "200"]
    assert axes.get_ylabel() == "mean absolute error, USD"
    live = [line for line in axes.lines if line.get_markeredgecolor() == "black" and len(line.get_xdata())]
    assert [list(line.get_ydata()) for line in live] == [[5.0]]


def test_panels_of_both_splits_share_one_axis_of_errors_and_one_legend():
    low, high = list(PRICES + 5), list(PRICES + 50)
    both = Trials(
        (replace(trial(), estimates={"test": low, "test-unseen": high}),), {"test": ITEMS, "test-unseen": ITEMS}
    )
    figure = error_by_examples(both)
    left, right = figure.axes
    assert left.get_ylim() == right.get_ylim() and left.get_ylim()[0] < 5 and left.get_ylim()[1] > 50
    assert len(figure.legends) == 1 and left.get_legend() is right.get_legend() is None


def test_costs_stand_on_a_log_axis_in_flops():
    many = trials(trial(), replace(trial("full", 600), flops=3e13))
    axes = error_against_cost(many, "test", {"ridge": 40.0}).axes[0]
    told = [text.get_text() for text in axes.get_legend().get_texts()]
    assert axes.get_xscale() == "log" and told == ["full fine-tuning", "LoRA", r"ridge, \$40"]
    assert axes.get_xlabel() == "FLOPs of training (marks grow with the items: 200, 600)"
