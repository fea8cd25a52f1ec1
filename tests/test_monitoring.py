"""Drifting prices: the monitor's limit against simulation, and coverage after a rise."""

import numpy as np
import pytest

from pricelab.intervals import Calibration, calibrate
from pricelab.monitoring import Monitor, coverage_after, is_inside


def test_the_limit_keeps_its_false_alarms_over_calibration_sets_and_sales():
    rng = np.random.default_rng(0)
    turns, n, sold = 3000, 60, 80
    fewest = Monitor(Calibration(0.0, n), false_alarms=0.05).fewest_inside(sold)
    alarms = 0
    for _ in range(turns):
        noise = np.exp(rng.normal(0, 1, n + sold))
        one = np.ones(n + sold)
        calibration = calibrate(noise[:n], one[:n] * 0.8, one[:n] * 1.2)
        low, high = calibration.widen(one[n:] * 0.8, one[n:] * 1.2)
        alarms += is_inside(noise[n:], low, high).sum() < fewest
    assert 0.02 < alarms / turns <= 0.06  # at most 5 % but for the simulation's own noise


def test_a_plain_binomial_limit_would_cry_wolf_after_a_small_calibration_set():
    from scipy.stats import binom

    assert Monitor(Calibration(0.0, 40)).fewest_inside(500) < binom.ppf(0.01, 500, 0.8) - 50
    assert Monitor(Calibration(0.0, 100_000)).fewest_inside(500) == pytest.approx(binom.ppf(0.01, 500, 0.8), abs=1)


def test_it_gives_alarm_below_the_limit_and_not_at_it():
    monitor = Monitor(Calibration(0.0, 200))
    fewest = monitor.fewest_inside(100)
    prices = np.ones(100)
    low = np.ones(100)
    for inside, alarm in ((fewest, False), (fewest - 1, True)):
        reading = monitor.look(prices, low, np.where(np.arange(100) < inside, 1.0, 0.5))
        assert (reading.inside, reading.sold, reading.alarm) == (inside, 100, alarm)
        assert ("ALARM" in str(reading)) == alarm


def test_coverage_after_a_rise_counts_prices_that_left_their_old_interval():
    assert coverage_after([1, 1.1, 2], [10, 10, 100, 100], [9, 9, 90, 90], [10.5, 15, 105, 250]) == [1.0, 0.5, 0.25]


def test_the_ends_belong_to_the_interval():
    assert is_inside([1, 2, 3], [1, 1, 1], [2, 2, 2]).tolist() == [True, True, False]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="one of each"):
        is_inside([1, 2], [1], [2])
    with pytest.raises(ValueError, match="wait for the first"):
        Monitor(Calibration(0.0, 40)).fewest_inside(0)
