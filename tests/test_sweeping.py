"""Sweeps: what is proposed, what is judged on, what survives an interruption, and what the table says."""

import dataclasses
import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab import sweeping
from pricelab.choices import validation_items
from pricelab.recipe import METHODS, TARGET_GROUPS
from pricelab.sweep_journal import JOURNAL, RESULT, load_optuna
from pricelab.sweep_report import Attempt, SweepReport
from pricelab.sweeping import RATES, propose, sweep

optuna = load_optuna()


@pytest.fixture(autouse=True)
def smoke(monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")


@pytest.fixture
def priced(monkeypatch, toy_catalog):
    """Trials without training: the error is the distance of the learning rate from 0.003. Returns what was tried."""
    tried = []

    def fake(optuna, trial, setting, choices, progress):
        tried.append(choices)
        return [round(item.price + 1000 * abs(choices["learning_rate"] - 0.003), 2) for item in setting.judged]

    monkeypatch.setattr(sweeping, "_estimates", fake)
    return tried


def run(catalog, folder, trials=4, **options):
    return sweep(catalog, folder, base="any", trials=trials, progress=False, **options)


def outcome(report):
    return [(a.number, a.is_default, a.choices, a.estimates, a.ended, a.error_usd) for a in report.attempts]


# ---- a real one


def test_a_sweep_trains_on_training_items_and_judges_on_validation_items(toy_base, toy_catalog, tmp_path, monkeypatch):
    cut = {**toy_catalog.splits, "train": toy_catalog["train"][:24], "validation": toy_catalog["validation"][:20]}
    toy_catalog, seen, train = dataclasses.replace(toy_catalog, splits=cut), [], sweeping.train

    def noting(model, base, items, *rest, **options):
        seen.append((items, options))
        return train(model, base, items, *rest, **options)

    monkeypatch.setattr(sweeping, "train", noting)
    report = sweep(toy_catalog, tmp_path / "sweep", base=str(toy_base), trials=2, progress=False)
    validation = validation_items(toy_catalog)
    assert len(seen) == 2
    for items, options in seen:
        assert set(items) == set(toy_catalog["train"]) and set(options["validation"]) <= set(validation)
    assert report.prices == tuple(item.price for item in validation)
    first, second = report.attempts
    assert first.is_default and not second.is_default and first.choices["rank"] == 8
    for attempt in report.attempts:
        error = np.abs(np.array(attempt.estimates) - report.prices).mean()
        assert attempt.error_usd == pytest.approx(error) == report.score(attempt).mae.value
    assert report.saved(second).value == pytest.approx(first.error_usd - second.error_usd)
    assert len(json.loads((tmp_path / "sweep" / RESULT).read_text())["trials"]) == 2


# ---- proposals


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(METHODS), st.integers(0, 1000))
def test_proposals_stay_in_their_ranges(method, seed):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    choices = propose(study.ask(), method)
    low, high = RATES[method]
    assert low * 0.95 <= choices["learning_rate"] <= high * 1.05 and 1 <= choices["epochs"] <= 3
    assert f"{choices['learning_rate']:g}" == f"{choices['learning_rate']:.2g}"
    adapter = {"rank", "targets"}
    assert adapter.isdisjoint(choices) if method == "full" else choices["targets"] in TARGET_GROUPS


@pytest.mark.parametrize("method", METHODS)
def test_the_default_comes_first_and_the_seed_decides_the_others(toy_catalog, tmp_path, priced, method):
    first = run(toy_catalog, tmp_path / "a", method=method)
    again = run(toy_catalog, tmp_path / "b", method=method)
    other = run(toy_catalog, tmp_path / "c", method=method, seed=1)
    assert outcome(first) == outcome(again) and outcome(first)[1:] != outcome(other)[1:]
    assert first.attempts[0].choices["learning_rate"] == (1e-4 if method == "full" else 1e-3)
    assert [a.is_default for a in first.attempts] == [True, False, False, False]


# ---- interruption


@pytest.mark.parametrize("step", [1, 3, 4])
def test_an_interrupted_sweep_ends_as_if_it_had_not_been(toy_catalog, tmp_path, priced, monkeypatch, step):
    whole = run(toy_catalog, tmp_path / "whole", trials=8)
    fake, count = sweeping._estimates, len(priced)

    def stopping(*arguments):
        if len(priced) - count == step - 1:
            raise KeyboardInterrupt
        return fake(*arguments)

    told = f"interrupted in trial {step} of 8; the same command goes on"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match=told):
        patch.setattr(sweeping, "_estimates", stopping)
        run(toy_catalog, tmp_path / "stopped", trials=8)
    assert not (tmp_path / "stopped" / RESULT).exists()
    with open(tmp_path / "stopped" / JOURNAL, "a", encoding="utf-8") as file:
        file.write('{"op_code": 5, "wor')  # as when the machine goes off while it writes
    assert outcome(run(toy_catalog, tmp_path / "stopped", trials=8)) == outcome(whole)
    assert len(priced) - count == 8  # none twice


def test_a_finished_sweep_only_reports_and_goes_further_when_asked(toy_catalog, tmp_path, priced):
    first = run(toy_catalog, tmp_path, trials=3)
    assert outcome(run(toy_catalog, tmp_path, trials=3)) == outcome(first) and len(priced) == 3
    assert outcome(run(toy_catalog, tmp_path, trials=5))[:3] == outcome(first) and len(priced) == 5
    assert all(json.loads(line) for line in (tmp_path / JOURNAL).read_text().splitlines())  # text, no pickle


def test_another_sweep_is_refused_by_what_differs_and_replaced_when_asked(toy_catalog, tmp_path, priced):
    run(toy_catalog, tmp_path, trials=2)
    before = (tmp_path / JOURNAL).read_bytes()
    with pytest.raises(ValueError, match="holds a sweep with another method, seed; .*--overwrite"):
        run(toy_catalog, tmp_path, trials=2, seed=1, method="lora")
    assert (tmp_path / JOURNAL).read_bytes() == before
    assert run(toy_catalog, tmp_path, trials=2, seed=1, method="lora", overwrite=True).method == "lora"


def test_files_of_somebody_else_are_left_alone(toy_catalog, tmp_path, priced):
    (tmp_path / "thesis.txt").write_text("mine")
    for folder, words in ((tmp_path, "no sweep of pricelab"), (tmp_path / "thesis.txt", "is a file")):
        with pytest.raises(ValueError, match=words):
            run(toy_catalog, folder, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"] and not priced


@pytest.mark.parametrize("content", [b"notes without a line feed", b"two\nlines", b"\xff"])
def test_a_foreign_file_called_like_the_journal_keeps_every_byte(toy_catalog, tmp_path, priced, content):
    (tmp_path / JOURNAL).write_bytes(content)
    with pytest.raises(ValueError, match="no sweep of pricelab"):
        run(toy_catalog, tmp_path, overwrite=True)
    assert (tmp_path / JOURNAL).read_bytes() == content


@pytest.mark.parametrize("content", [b"", b'{"op', b'{"op_code":0,"worker'])
def test_a_sweep_whose_machine_went_off_in_the_first_line_begins_again(toy_catalog, tmp_path, priced, content):
    (tmp_path / JOURNAL).write_bytes(content)
    assert len(run(toy_catalog, tmp_path, trials=2).attempts) == 2


def test_no_trial_starts_when_the_time_is_over(toy_catalog, tmp_path, priced):
    assert len(run(toy_catalog, tmp_path, trials=9, minutes=1e-9).attempts) == 1


@pytest.mark.parametrize("wrong", [{"trials": 0}, {"minutes": 0}, {"minutes": float("nan")}, {"method": "magic"}])
def test_nonsense_is_refused_before_anything_is_written(toy_catalog, tmp_path, priced, wrong):
    with pytest.raises(ValueError):
        run(toy_catalog, tmp_path / "sweep", **wrong)
    assert not (tmp_path / "sweep").exists()


def test_without_optuna_it_says_how_to_get_it(toy_catalog, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match="needs Optuna, which is not installed; run: pip install optuna"):
        run(toy_catalog, tmp_path / "sweep")


def test_trials_that_end_before_their_time_are_listed_last(toy_catalog, tmp_path, priced, monkeypatch):
    fake = sweeping._estimates

    def ending(optuna, trial, *rest):
        number = len(priced)
        answer = fake(optuna, trial, *rest)
        if number == 1:
            trial.report(0.001, 1)
            raise optuna.TrialPruned
        if number == 2:
            raise FloatingPointError
        return answer

    monkeypatch.setattr(sweeping, "_estimates", ending)
    report = run(toy_catalog, tmp_path)
    assert [bool(a.ended) for a in report.ranked] == [False, False, True, True]
    assert [a.error_usd is None for a in report.attempts] == [False, True, True, False]
    assert "its loss was above the median" in str(report) and "its loss became infinite" in str(report)


def test_a_run_that_falls_behind_the_median_is_pruned(toy_catalog):
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=1))
    state = type("State", (), {"global_step": 4, "max_steps": 20, "log_history": [{"step": 4, "eval_loss": 1.0}]})
    good = study.ask()
    sweeping._Looks(optuna, good).on_evaluate(None, state, None)
    study.tell(good, 1.0)
    state.log_history = [{"step": 4, "eval_loss": 2.0}]
    with pytest.raises(optuna.TrialPruned):
        sweeping._Looks(optuna, study.ask()).on_evaluate(None, state, None)
    state.global_step, state.log_history = 20, [{"step": 20, "eval_loss": 2.0}]
    sweeping._Looks(optuna, study.ask()).on_evaluate(None, state, None)  # at its end: it is priced all the same


# ---- the table


def report_of(*errors, n=60):
    """A report whose trials are off by these dollars on average, the first being the default; None: ended early."""
    dice = np.random.default_rng(0)
    prices = dice.uniform(20, 200, n)
    shift = dice.normal(0, 1, n)
    shift -= shift.mean()

    def attempt(number, error):
        estimates = () if error is None else tuple(prices + error + (number > 0) * shift)
        mae = None if error is None else float(np.abs(np.array(estimates) - prices).mean())
        choices = {"learning_rate": 1e-3 * (number + 1), "rank": 8, "targets": "attention", "epochs": 2}
        return Attempt(number + 1, not number, choices, estimates, 3.0, "" if estimates else "stopped early", mae)

    attempts = tuple(attempt(number, error) for number, error in enumerate(errors))
    return SweepReport("my base", "lora", 0, {}, 100, 100, tuple(prices), attempts)


@pytest.mark.parametrize(
    "errors, words",
    [
        ((20, 10, 30), "Trial 2 beats the default: it saves $"),
        ((20, 19.99, 30), "trial 2, is within noise of the default"),
        ((20, 25), "Nothing that was tried has a smaller error than the default"),
        ((None, 25), "Trial 2 has the smallest error; the default did not come to its end"),
        ((None, None), "No trial came to its end"),
    ],
)
def test_the_verdict_is_no_bolder_than_the_interval(errors, words):
    report = report_of(*errors)
    assert words in report.verdict and report.verdict in str(report) and report.verdict in report._repr_html_()
    saved = report.saved(report.best) if report.best else None
    assert ("beats" in report.verdict) == (saved is not None and saved.low > 0)
    json.dumps(report.to_dict())


def test_the_table_has_the_best_first_with_intervals_and_the_command_to_use_it():
    report = report_of(20, None, 10)
    lines = str(report).splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["3", "1", "2"] and "1 (default)" in lines[3]
    assert report.score(report.best).mae.text(lambda dollars: f"${dollars:,.2f}") in lines[2]
    command = "--base 'my base' --method lora --seed 0 --learning-rate 0.003 --rank 8 --targets attention --epochs 2"
    assert report.command == command and lines[-1] == f"To use trial 3: pricelab finetune CATALOG --out DIR {command}"
