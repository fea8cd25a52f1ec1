"""The recorded environments: their page, their pins, and what the set-up left alone there."""

from packaging.requirements import Requirement

from benchmarks import environments
from benchmarks.results import RESULTS, ROOT
from pricelab.files import read_json


def test_the_page_is_what_the_command_writes():
    assert environments.PAGE.read_text(encoding="utf-8") == environments.page()


def test_colabs_pins_are_plain_and_are_what_ran():
    pins = [Requirement(line) for line in environments.colab_pins("").splitlines()]
    assert all(str(pin.specifier).startswith("==") for pin in pins)
    ran = read_json(RESULTS / environments.FILE)["environments"]["colab"]
    asked = {pin.name: pin for pin in pins if not pin.marker or pin.marker.evaluate({"python_version": ran["python"]})}
    for name in ("transformers", "peft", "datasets", "ipywidgets", "numpy"):
        assert asked[name].specifier.contains(ran["versions"][name])


def test_another_torch_takes_the_place_of_the_pinned_one():
    before, after = environments.colab_pins("").splitlines(), environments.colab_pins("torch==2.11.0").splitlines()
    assert [line for line in after if line not in before] == ["torch==2.11.0"]
    assert [line.partition("=")[0] for line in after] == [line.partition("=")[0] for line in before]


def test_what_is_left_out_is_there_to_be_left_out():
    assert all((ROOT / place).exists() for place in environments.LEFT_OUT)
