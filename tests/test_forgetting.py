"""Forgetting: one trial, what it lost, the recorded ones, and what they are compared for."""

import dataclasses

import numpy as np
import pytest

from benchmarks import forgetting as benchmark
from pricelab import forgetting
from pricelab.forgetting import Trial, attempt, comparisons
from pricelab.general import for_mixing, held_out
from pricelab.profiles import PROFILES


def trial(method="lora", rate=1e-3, mixed=0.0, lost=0.1, seed=0, estimates=(10.0, 20.0, 30.0)):
    """Ten passages that cost ``lost`` nats a token more than before, give or take."""
    before = np.linspace(2, 4, 10)
    after = before + lost + np.linspace(-0.02, 0.02, 10)
    return Trial(method, rate, mixed, 5, seed, 1.0, tuple(before), tuple(after), tuple(estimates))


@pytest.fixture(scope="module")
def tried(toy_base, toy_catalog):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRICELAB_PROFILE", "smoke")
        items = toy_catalog["train"][:24], toy_catalog["test"][:6]
        alone, pricer = attempt("full", 3e-3, *items, base=str(toy_base), seed=2)
        mixed, _ = attempt("full", 3e-3, *items, base=str(toy_base), seed=2, mix=for_mixing(), mixed=0.5)
    return alone, mixed, pricer


def test_a_trial_reads_every_passage_before_and_after(tried):
    alone, mixed, pricer = tried
    assert len(alone.before) == len(alone.after) == len(held_out()) and len(alone.estimates) == 6
    assert alone.before == mixed.before != alone.after
    assert (alone.mixed, mixed.mixed) == (0.0, 0.5)
    assert forgetting.per_token(pricer) == alone.after


def test_it_trains_the_base_for_comparisons(toy_base, toy_catalog, monkeypatch):
    profile = dataclasses.replace(PROFILES["smoke"], base="a base that is too large", compared_base=str(toy_base))
    monkeypatch.setattr(forgetting, "detect", lambda: profile)
    assert attempt("lora", 1e-3, toy_catalog["train"][:4], toy_catalog["test"][:2])[1].base.key == str(toy_base)


def test_mixing_leaves_general_english_cheaper(tried):
    alone, mixed, _ = tried
    assert mixed.lost.value < alone.lost.value


def test_a_trial_survives_json(tried):
    assert Trial.from_dict(tried[0].to_dict()) == tried[0]


def test_what_was_lost_is_paired_by_passage_and_its_factor_is_exp_of_it():
    found = trial(lost=0.5)
    assert found.lost.value == pytest.approx(0.5) and found.lost.high - found.lost.low < 0.05
    assert found.times.value == pytest.approx(np.exp(0.5))
    assert found.times.low < found.times.value < found.times.high


def test_comparisons_are_made_where_both_trials_are_there_and_support_what_is_so():
    trials = [
        trial("lora", 1e-3, lost=0.2), trial("full", 1e-3, lost=0.9), trial("full", 1e-4, lost=0.3),
        trial("lora", 1e-3, mixed=0.2, lost=0.05, estimates=(10.0, 20.0, 90.0)),
    ]  # fmt: skip
    found = {statement: difference for statement, difference, _ in comparisons(trials, prices=[11.0, 21.0, 31.0])}
    assert found["at 1e-3, full fine-tuning forgets more than LoRA"].value == pytest.approx(0.7)
    assert found["LoRA at 1e-3 forgets more than full fine-tuning at 1e-4"].value == pytest.approx(-0.1)
    assert found["LoRA at 1e-3: mixing keeps more general English"].value == pytest.approx(0.15)
    assert found["LoRA at 1e-3: mixing makes the prices worse"].value == pytest.approx((59 - 1) / 3)
    assert len(found) == 4


def test_every_seed_counts_and_the_interval_reaches_over_all_of_them():
    trials = [
        trial("lora", 1e-3, lost=0.2, estimates=(10.0, 20.0, 30.0)), trial("lora", 1e-3, lost=0.8, seed=1),
        trial("full", 1e-3, lost=0.4), trial("lora", 1e-3, mixed=0.2, lost=0.1, estimates=(12.0, 22.0, 32.0)),
        trial("lora", 1e-3, mixed=0.2, lost=0.1, seed=1, estimates=(2.0, 12.0, 22.0)),
    ]  # fmt: skip
    found = {statement: difference for statement, difference, _ in comparisons(trials, prices=[11.0, 21.0, 31.0])}
    forgot = found["at 1e-3, full fine-tuning forgets more than LoRA"]
    assert forgot.value == pytest.approx(-0.1) and forgot.n == 10
    assert forgot.low < -0.4 + 1e-9 and forgot.high > 0.2 - 1e-9  # with one seed of LoRA more, with the other less
    cost = found["LoRA at 1e-3: mixing makes the prices worse"]
    assert (cost.low, cost.value, cost.high) == pytest.approx((0, 4, 8))


def test_a_base_in_four_bits_is_compared_with_itself():
    plain = trial("lora", 1e-3, lost=0.2)
    quantised = trial("qlora", 1e-3, lost=0.2)
    shifted = dataclasses.replace(
        quantised, before=tuple(b + 1 for b in quantised.before), after=tuple(a + 1 for a in quantised.after)
    )
    ((statement, difference, _),) = comparisons([plain, shifted], prices=[1.0, 1.0, 1.0])
    assert statement == "at 1e-3, QLoRA forgets more than LoRA"
    assert difference.value == pytest.approx(0, abs=1e-9)


def test_the_recorded_trials_are_of_the_passages_and_items_that_ship():
    trials = forgetting.recorded()
    assert trials and {len(one.before) for one in trials} == {len(held_out())}
    assert {len(one.estimates) for one in trials} == {benchmark.TEST_ITEMS}
    assert [(one.method, one.learning_rate, one.mixed, one.seed) for one in trials] == list(benchmark.TRIALS)


def test_the_benchmark_goes_on_after_the_last_trial(tmp_path, toy_catalog, monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    asked = []

    def pretended(method, rate, *_, mix, mixed, seed, base):
        assert base == "tiny"
        asked.append((method, rate, mixed if mix else 0.0, seed))
        return trial(method, rate, mixed if mix else 0.0, seed=seed), None

    monkeypatch.setattr(benchmark, "attempt", pretended)
    benchmark.measure(tmp_path / "found.json", toy_catalog, benchmark.TRIALS[:3])
    benchmark.measure(tmp_path / "found.json", toy_catalog, benchmark.TRIALS[:5])
    assert asked == list(benchmark.TRIALS[:5])
    assert [one.method for one in forgetting.recorded(tmp_path / "found.json")] == [key[0] for key in asked]
