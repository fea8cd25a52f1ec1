"""The recorded environments: their page, their pins, and what the set-up left alone there."""

from packaging.requirements import Requirement

from benchmarks import environments
from benchmarks.results import RESULTS, ROOT
from pricelab.files import read_json


def test_the_page_is_what_the_command_writes():
    assert environments.PAGE.read_text(encoding="utf-8") == environments.page()


def test_colabs_pins_are_plain_and_are_what_ran():
    lines = [line for line in environments.PINS.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    pins = {Requirement(line).name: line.partition("==")[2] for line in lines}
    assert all(pins.values())
    ran = read_json(RESULTS / environments.FILE)["environments"]["colab"]["versions"]
    for name in ("transformers", "peft", "datasets", "ipywidgets", "numpy"):
        assert ran[name] == pins[name]


def test_what_is_left_out_is_there_to_be_left_out():
    assert all((ROOT / place).exists() for place in environments.LEFT_OUT)
