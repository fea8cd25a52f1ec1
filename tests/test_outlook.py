"""What more time would buy: told from curves that say it, and not from those that don't."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.outlook import _gain, _grouped, more_time


def falling(step):
    return 3 - 0.2 * math.log(step)


def test_a_line_is_found_again_exactly():
    gain, spread = _gain([(step, falling(step)) for step in (40, 50, 60, 70, 80)])
    assert gain == pytest.approx(0.2 * math.log(2)) and spread == pytest.approx(0, abs=1e-6)


def test_falling_validation_losses_promise_their_slope_with_its_range_and_basis():
    chance = np.random.default_rng(0)
    validation = {step: falling(step) + chance.normal(0, 0.003) for step in range(10, 110, 10)}
    told = more_time([1.0] * 100, validation, passes=3)
    assert told.startswith("twice the time would likely lower the loss by 0.1")
    assert "a straight line through the last 6 evaluations on the validation items, over log(steps)" in told
    assert "or less where it fell because the learning rate did" in told


def test_rising_losses_promise_nothing():
    told = more_time([], {step: -falling(step) for step in range(10, 110, 10)}, passes=3)
    assert told.startswith("more time would likely buy nothing on these items")


def test_noise_says_nothing():
    chance = np.random.default_rng(1)
    told = more_time([], {step: 2 + chance.normal(0, 0.5) for step in range(10, 110, 10)}, passes=3)
    assert told.startswith("whether more time would buy anything can't be told")


def test_training_losses_will_do_in_the_first_pass_only():
    chance = np.random.default_rng(2)
    losses = [falling(step) + chance.normal(0, 0.02) for step in range(1, 101)]
    assert "averages of the training loss, every item being new" in more_time(losses, {}, passes=0.9)
    assert "seen more than once, so their loss says little" in more_time(losses, {100: 1.0}, passes=1.1)


@pytest.mark.parametrize("losses", [[], [1.0], [1.0] * 3])
def test_few_steps_say_nothing(losses):
    assert more_time(losses, {}, passes=0.1) == f"what more time would buy can't be told from {len(losses)} steps"


@given(losses=st.lists(st.floats(0, 20), max_size=200), passes=st.floats(0, 5))
def test_every_curve_gets_a_sentence(losses, passes):
    assert "time" in more_time(losses, {}, passes)


@given(losses=st.lists(st.floats(0, 20), min_size=1, max_size=200))
def test_groups_are_means_at_their_middle_within_the_run(losses):
    grouped = _grouped(losses)
    assert all(1 <= step <= len(losses) for step in grouped)
    assert min(losses) - 1e-9 <= min(grouped.values()) and max(grouped.values()) <= max(losses) + 1e-9
    if len(losses) < 24:
        assert grouped == dict(enumerate(losses, 1))
