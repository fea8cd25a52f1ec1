"""The recorded environments: their page, their pins, and what the set-up left alone there."""

import pytest
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
    told = environments.PAGE.read_text(encoding="utf-8")
    names = [place if place == "tests/browser" else place.removeprefix("tests/") for place in environments.LEFT_OUT]
    assert [name for name in names if f"`{name}`" not in told] == []


@pytest.fixture
def built(monkeypatch):
    """Builds without an environment; returns what pip was asked, and how often what else was done."""
    asked, there = [], {"torch": "2", "numpy": "2", "transformers": "5", "ipywidgets": "7"}

    def pip(python, *arguments):
        asked.append(arguments)
        if arguments[0] == "uninstall":
            for name in arguments[2:]:
                there.pop(name, None)

    def set_up(python):
        asked.append(("set up", sorted(there)))
        there.update(pricelab="0.1.0", bitsandbytes="0.50")
        return {"set_up_seconds": 24.3}

    monkeypatch.setattr(environments, "_pip", pip)
    monkeypatch.setattr(environments, "_set_up", set_up)
    monkeypatch.setattr(environments, "versions", lambda python: dict(there))
    monkeypatch.setattr(environments.subprocess, "run", lambda command, **_: command[-1].mkdir(parents=True))
    return asked


def test_the_set_up_cell_runs_anew_each_time_as_if_it_never_had(built):
    first = environments.build("colab", "colab", "python", "")[1]
    second = environments.build("colab", "colab", "python", "")[1]
    assert first == second and first["added"] == ["bitsandbytes", "pricelab"]
    ran = [call for call in built if call[0] == "set up"]
    assert ran == [("set up", ["ipywidgets", "numpy", "torch", "transformers"])] * 2
    assert ("uninstall", "--yes", "bitsandbytes", "pricelab") in built


def test_the_newest_of_everything_is_asked_for_each_time(built):
    for _ in range(2):
        environments.build("latest", "latest", "python", "")
    eager = [call for call in built if "eager" in call]
    assert len(eager) == 2 and {"--upgrade", "torch", f"{ROOT}[lab]"} <= set(eager[1])


@pytest.mark.parametrize(("seconds", "leaves"), [(39.0, 0), (41.0, 1)])
def test_a_slow_set_up_fails_and_a_note_is_kept(monkeypatch, capsys, tmp_path, seconds, leaves):
    kept = {}
    monkeypatch.setenv("NOTE", "beside another run")
    monkeypatch.delenv("PYTHON", raising=False)
    monkeypatch.setattr(environments, "build", lambda *_: (tmp_path, {"set_up_seconds": seconds, "added": []}))
    monkeypatch.setattr(environments, "test", lambda *_: {"passed": 1, "failed": 0, "seconds": 1})
    monkeypatch.setattr(environments, "versions", lambda _: {})
    monkeypatch.setattr(environments, "_version", lambda _: "Python 3.13.0")
    monkeypatch.setattr(environments, "note", lambda row, facts: kept.update({row: facts}))
    assert environments.main(["colab"]) == leaves
    assert kept["colab"]["note"] == "; beside another run" and "added" not in kept["colab"]
    assert ("more than 40" in capsys.readouterr().err) == bool(leaves)
