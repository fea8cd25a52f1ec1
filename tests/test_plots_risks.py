"""Figures of what goes wrong: what is drawn, where, and what tells it apart."""

import numpy as np
import pytest

from pricelab.forgetting import Trial
from pricelab.plots import risks


def trial(method, rate, mixed=0.0, lost=0.1):
    before, after = np.full(5, 3.0), 3.0 + lost + np.linspace(-0.01, 0.01, 5)
    return Trial(method, rate, mixed, 5, 0, 1.0, tuple(before), tuple(after), (10.0, 30.0))


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_two_losses_share_one_axis_of_passes():
    figure = risks.two_losses([4.0, 2.0, 2.0, 1.0, 1.0], {2: 3.0, 4: 2.5, 5: 2.7}, steps_a_pass=2, stop=5)
    found = lines(figure.axes[0])
    np.testing.assert_allclose(found["items it trains on"].get_xydata(), [[1, 3], [2, 1.5], [2.5, 1]])
    np.testing.assert_allclose(found["items held out"].get_xydata(), [[1, 3], [2, 2.5], [2.5, 2.7]])
    np.testing.assert_allclose(found["best: these weights are kept"].get_xydata(), [[2, 2.5]])
    assert list(found["early stopping stops here"].get_xdata()) == [2.5, 2.5]
    assert figure.axes[0].get_ylim()[0] == 0


def test_a_run_that_never_had_to_stop_has_no_line_for_it():
    figure = risks.two_losses([2.0, 1.0], {1: 2.0, 2: 1.0}, steps_a_pass=1)
    assert "early stopping stops here" not in lines(figure.axes[0])


def test_forgetting_draws_factors_left_and_price_errors_right():
    recorded = [trial("lora", 1e-3, lost=0.5), trial("full", 1e-4), trial("lora", 1e-3, 0.2, lost=0.2)]
    figure = risks.forgetting(recorded, prices=[20.0, 60.0], live=[trial("lora", 1e-3, lost=0.7)])
    left, right = figure.axes
    star = lines(left)["LoRA, here and now"]
    np.testing.assert_allclose(star.get_xydata(), [[1e-3, np.exp(0.7)]])
    assert set(lines(right)) == {
        "LoRA, recorded", "full, recorded", "LoRA + general texts, recorded",
    }  # fmt: skip
    assert all(line.get_ydata()[0] == 20 for line in right.lines)
    assert lines(right)["LoRA + general texts, recorded"].get_markerfacecolor() == "none"
    markers = {lines(right)[label].get_marker() for label in ("LoRA, recorded", "full, recorded")}
    assert len(markers) == 2
    assert left.get_xscale() == left.get_yscale() == right.get_xscale() == "log"


def test_the_error_of_always_naming_one_price_is_a_line_on_the_right():
    figure = risks.forgetting([trial("lora", 1e-3)], prices=[20.0, 60.0], constant=30.0)
    left, right = (lines(axes) for axes in figure.axes)
    assert list(right["always the median price"].get_ydata()) == [20, 20]
    assert "always the median price" not in left


def test_factors_beyond_the_axis_stand_at_its_edge_with_their_number():
    recorded = [trial("lora", 1e-2, lost=13.0), trial("full", 1e-3, lost=1.0), trial("qlora", 1e-2, lost=12.0)]
    left = risks.forgetting(recorded, prices=[20.0, 60.0]).axes[0]
    assert [text.get_text() for text in left.texts] == ["↑ ×160,000 to\n×440,000"]
    assert lines(left)["LoRA, recorded"].get_ydata()[0] == risks.CUT
    assert left.get_ylim()[1] < 2 * risks.CUT


def test_marks_stand_beside_their_rate_by_a_few_percent_at_most():
    recorded = [trial(method, 1e-3, mixed) for method in risks.METHODS for mixed in (0.0, 0.2)]
    figure = risks.forgetting(recorded, prices=[20.0, 60.0])
    places = [line.get_xdata()[0] for line in figure.axes[1].lines]
    assert len(set(places)) == len(places) and all(1 / 1.08 <= place / 1e-3 <= 1.08 for place in places)
    figure.draw_without_rendering()
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert "1e-3" in ticks and len(figure.legends) == 1


@pytest.mark.parametrize("highest", [0.05, 1.0, 8.0, 13.0, 20.0])
def test_factors_are_ticked_in_plain_numbers_that_do_not_crowd(highest):
    figure = risks.forgetting([trial("lora", 1e-3, lost=highest), trial("full", 1e-4, lost=0)], prices=[20.0, 60.0])
    ticks = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert 1 <= len(ticks) <= 8 and "×1" in ticks and all(tick.startswith("×") for tick in ticks)
    assert not any("e" in tick for tick in ticks)
