"""Hardware: the table is whole, this machine is measured, and large numbers are readable."""

from dataclasses import replace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.costs import (
    HARDWARE,
    Hardware,
    human_bytes,
    human_flops,
    human_number,
    human_rate,
    human_seconds,
    human_speed,
    human_usd,
    this_machine,
)
from pricelab.costs import hardware as module


@pytest.mark.parametrize("name", HARDWARE)
def test_each_device_has_figures_in_a_sane_range_and_their_sources(name):
    device = HARDWARE[name]
    assert device.name == name and not device.measured
    assert 5e12 < device.peak["fp32"] < device.peak["fp16"] < 3e15
    assert device.peak.get("bf16", device.peak["fp16"]) == device.peak["fp16"]
    assert 15e9 < device.memory < 3e11 and 50 < device.watts <= 1000 and 0.1 < device.usd_per_hour < 10
    assert "NVIDIA" in device.source and "202" in device.price_source


def test_only_the_oldest_has_no_bf16():
    assert [name for name, device in HARDWARE.items() if "bf16" not in device.peak] == ["T4"]
    assert HARDWARE["T4"].best_dtype == "fp16" and HARDWARE["L4"].best_dtype == "bf16"


@pytest.mark.parametrize("change", [{"memory": 0}, {"peak": {}}, {"usd_per_hour": -1}, {"watts": -5}])
def test_an_impossible_device_is_refused(change):
    with pytest.raises(ValueError, match="L4 needs a peak, memory above 0, and watts and price of 0 or more"):
        replace(HARDWARE["L4"], **change)


def test_this_machine_is_measured(monkeypatch, one_thread):
    monkeypatch.setattr("pricelab.profiles.pick_device", lambda: "cpu")
    here = this_machine(seconds=0.05, watts=28, usd_per_hour=0.1)
    assert here.measured and here.cpu and here.memory == psutil.virtual_memory().total
    assert (here.watts, here.usd_per_hour, here.price_source) == (28, 0.1, "given")
    assert "28 W is an assumption" in here.source
    assert "fp32" in here.peak and all(1e8 < flops < 1e15 for flops in here.peak.values())


def test_this_machines_best_dtype_is_the_one_that_training_picks(monkeypatch, one_thread):
    import torch

    monkeypatch.setattr("pricelab.profiles.pick_device", lambda: "cpu")
    monkeypatch.setattr("pricelab.profiles.pick_precision", lambda device: (torch.bfloat16, "because"))
    monkeypatch.setattr(module, "SIDE", 64)
    assert this_machine(seconds=0.01).best_dtype == "bf16"


def test_a_gpu_is_read_from_its_driver(monkeypatch):
    import subprocess
    from types import SimpleNamespace

    import torch

    monkeypatch.setattr("pricelab.profiles.pick_device", lambda: "cuda")
    monkeypatch.setattr("pricelab.profiles.pick_precision", lambda device: (torch.float16, "because"))
    monkeypatch.setattr(module, "_matmul_flops", lambda dtype, device, seconds: 3e13)
    board = SimpleNamespace(name="Tesla T4", total_memory=16e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: board)
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: SimpleNamespace(stdout="70.00\n"))
    here = this_machine()
    assert (here.name, here.watts, here.cpu, here.best_dtype) == ("Tesla T4", 70, False, "fp16")

    def missing(*args, **options):
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", missing)
    assert this_machine(watts=50).watts == 50


# ---- units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (human_number(8.03e9), "8.03 B"),
        (human_number(15e12), "15 T"),
        (human_number(999_960), "1 M"),
        (human_number(512), "512"),
        (human_number(0), "0"),
        (human_flops(3.8e25), "3.8 × 10²⁵ FLOPs"),
        (human_flops(0), "0 FLOPs"),
        (human_flops(12_345), "12,345 FLOPs"),
        (human_speed(3.12e14), "312 TFLOP/s"),
        (human_bytes(16.06e9), "16.1 GB"),
        (human_bytes(812), "812 B"),
        (human_rate(1e-3), "1e-3"),
        (human_rate(3e-5), "3e-5"),
        (human_rate(0.00025), "2.5e-4"),
        (human_rate(0.1), "1e-1"),
        (human_rate(1), "1"),
        (human_seconds(210), "3.5 min"),
        (human_seconds(0.002), "2 ms"),
        (human_seconds(86_400 * 3), "3 days"),
        (human_seconds(1e11), "3,169 years"),
        (human_usd(0), "$0"),
        (human_usd(0.0000001), "under $0.001"),
        (human_usd(0.0123), "$0.0123"),
        (human_usd(3.949), "$3.95"),
        (human_usd(121_818_000), "$122 M"),
        (human_number(float("inf")), "inf"),
    ],
)
def test_large_numbers_are_readable(text, expected):
    assert text == expected


@given(st.floats(1e-2, 1e26))
def test_no_digit_that_matters_is_lost(value):
    number, unit = human_bytes(value).split(" ")
    factor = dict(zip(["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"], [1e3**i for i in range(9)], strict=True))
    assert float(number.replace(",", "")) * factor[unit] == pytest.approx(value, rel=6e-3)


def test_a_device_of_ones_own_can_be_written():
    mine = Hardware("mine", {"fp32": 1e12}, 8e9, 100, 0.0, "a guess", "none")
    assert mine.best_dtype == "fp32" and mine.flops_per_second("fp32") == 1e12
    with pytest.raises(ValueError, match="mine has no bf16 arithmetic; use fp32"):
        mine.flops_per_second("bf16")
