"""A thousand prices: measured where a model is there, arithmetic for what is rented."""

from types import SimpleNamespace

import numpy as np
import pytest

from pricelab.costs import HARDWARE, SHAPES
from pricelab.costs.per_thousand import TREE_TOKENS, fastest_measured, measured, per_thousand, rented


class Counting:
    name = "counting"

    def __init__(self):
        self.asked = []

    def predict(self, texts):
        self.asked.append(len(texts))
        return np.ones(len(texts))


def test_a_model_is_timed_on_all_texts_after_one_to_warm_up():
    model = Counting()
    line = measured(model, ["a"] * 20, watts=36)
    assert model.asked == [1, 20]
    assert line.seconds > 0 and line.watt_hours == pytest.approx(36 * line.seconds / 3600)
    assert line.usd == 0 and "20 items" in line.how and "36 W assumed" in line.how


def test_a_rented_device_is_arithmetic():
    shape, t4 = SHAPES["SmolLM2-135M"], HARDWARE["T4"]
    line = rented(shape, 50, t4, "blend", utilisation=0.05)
    seconds = 2 * shape.multiplied * 50 * 1000 / (65e12 * 0.05)
    assert line.seconds == pytest.approx(seconds)
    assert line.usd == pytest.approx(seconds / 3600 * t4.usd_per_hour)
    assert line.watt_hours == pytest.approx(70 * seconds / 3600)
    assert line.how.startswith("estimate") and "assumed" in line.how and t4.price_source in line.how


def test_twice_the_tokens_take_twice_as_long_and_digits_read_a_tree_more():
    shape, t4 = SHAPES["Qwen3-1.7B"], HARDWARE["T4"]
    assert rented(shape, 100, t4, "blend").seconds == pytest.approx(2 * rented(shape, 50, t4, "blend").seconds)
    assert rented(shape, 50, t4).seconds == rented(shape, 50 + TREE_TOKENS, t4, "blend").seconds


@pytest.mark.parametrize("read_out", ["digits", "blend"])
def test_no_device_is_taken_to_be_faster_than_the_fastest_one_measured(read_out):
    gpu, rate = fastest_measured(read_out)
    line = rented(SHAPES["SmolLM2-135M"], 50, HARDWARE["B200"], read_out)
    assert gpu == "NVIDIA H200" and 1000 / line.seconds == pytest.approx(rate)
    assert "no faster than an NVIDIA H200" in line.how and "assumed" not in line.how
    assert line.usd == pytest.approx(line.seconds / 3600 * HARDWARE["B200"].usd_per_hour)


def test_the_table_has_the_baseline_the_predictor_and_the_devices(toy_base):
    from pricelab import Pricer

    pricer = Pricer.from_base(str(toy_base))
    table = per_thousand(pricer, Counting(), ["a red pan", "a blue pan"], devices=["T4"])
    assert [line.way for line in table.lines] == [
        "counting, this machine", f"{pricer.name}, this machine", f"{pricer.base.key} on a rented T4"
    ]  # fmt: skip
    assert "none: yours" in str(table) and "measured" in table._repr_html_()


@pytest.mark.parametrize(
    "call",
    [
        lambda: measured(SimpleNamespace(name="x", predict=list), []),
        lambda: rented(SHAPES["tiny"], 0, HARDWARE["T4"]),
        lambda: rented(SHAPES["tiny"], 10, HARDWARE["T4"], utilisation=1.1),
    ],
)
def test_what_cannot_be_told_is_refused(call):
    with pytest.raises(ValueError, match="give"):
        call()
