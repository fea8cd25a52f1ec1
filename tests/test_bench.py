"""`make bench` on any machine: what is lacking is skipped in words, and every table is written again at the end."""

import importlib
import re

import pytest

from benchmarks import attention, engine, engine_profile, memory, pricing, results, widget_latency
from benchmarks.results import ROOT, can_run, results_of
from pricelab import base_files, normalise
from pricelab.files import read_json, write_json_atomic

COMMANDS = re.findall(
    r"python -m (benchmarks\.\w+(?: --\w+)?)", (ROOT / "Makefile").read_text().split("\nbench:")[1].split("\n\n")[0]
)


@pytest.fixture
def no_network(monkeypatch):
    """As if no weights were here and none could be downloaded."""

    def failing(name, revision=None):
        if name != "tiny":
            raise ConnectionError("the network is down")
        return "here", "hash"

    monkeypatch.setattr(base_files, "locate", failing)


def test_a_benchmark_runs_where_nothing_is_lacking(capsys):
    assert can_run("a thing", "tiny", packages=["json"]) and capsys.readouterr().out == ""


def test_what_is_lacking_is_said(no_network, capsys):
    assert not can_run("a thing", "tiny", "smollm2-135m")
    assert not can_run("another", packages=["no_such_package"])
    told = capsys.readouterr().out
    assert told == "skipped a thing: the network is down\nskipped another: No module named 'no_such_package'\n"


@pytest.mark.parametrize(
    ("module", "arguments"),
    [(engine, ()), (engine_profile, ()), (attention, ()), (pricing, ([],)), (widget_latency, ([],))],
)
def test_without_weights_a_benchmark_is_skipped_and_what_was_measured_stays(
    no_network, monkeypatch, capsys, module, arguments
):
    def writing(path, value):
        raise AssertionError(path)

    monkeypatch.setattr(module, "write_json_atomic", writing)
    monkeypatch.setattr(module, "write_text_atomic", lambda path, text: None, raising=False)
    monkeypatch.setenv("PRICELAB_PROFILE", "laptop")
    module.main(*arguments)
    assert re.fullmatch("skipped .*: the network is down\n", capsys.readouterr().out)


def test_without_a_browser_the_widgets_page_is_still_written(monkeypatch, capsys):
    written = []
    monkeypatch.setattr(widget_latency, "can_run", lambda *_, **__: True)
    monkeypatch.setattr("lab_session.CHROMIUM", ROOT / "no-such-browser")
    monkeypatch.setattr(widget_latency, "write_text_atomic", lambda path, text: written.append(path))
    widget_latency.main([])
    assert written == [widget_latency.PAGE] and "skipped the wait in the price predictor: no browser" in (
        capsys.readouterr().out
    )


def test_with_a_gpu_both_devices_are_measured(monkeypatch, tmp_path):
    written, started = [], []
    monkeypatch.setattr(engine, "can_run", lambda *_, **__: True)
    monkeypatch.setattr("pricelab.profiles.pick_device", lambda: "cuda")
    monkeypatch.setattr(engine, "random_base", lambda shape: pytest.MonkeyPatch.context())
    monkeypatch.setattr(engine, "measure", lambda base, batch: iter([{"base": base}]))
    monkeypatch.setattr(engine, "write_json_atomic", lambda path, facts: written.append(path.name))
    monkeypatch.setattr(engine.subprocess, "run", lambda command, env, **_: started.append((command[-1], env)))
    engine.main()
    assert written == ["engine-cuda.json", "engine-cuda-large.json"]
    assert started[0][0] == "benchmarks.engine" and started[0][1]["CUDA_VISIBLE_DEVICES"] == ""


def test_memory_is_measured_anew_where_the_machine_is_another(no_network, monkeypatch, tmp_path, capsys):
    path, measured = tmp_path / "memory.json", []

    def alone(*key):
        measured.append(key)
        return {**dict(zip(("base", "method", "batch"), key, strict=True)), "tokens": 9, "estimated": 1, "measured": 1}

    def measure(machine):
        measured.clear()
        monkeypatch.setattr(normalise, "this_machine", lambda: machine)
        memory.measure(path)
        return len(measured), [run["machine"] for run in read_json(path)["runs"]]

    monkeypatch.setattr(memory, "alone", alone)
    assert measure("mine") == (9, ["mine"] * 9)  # of tiny: the other base can't be had
    assert measure("mine") == (0, ["mine"] * 9)
    facts = read_json(path)
    facts["runs"] = facts["runs"][:-1]  # as if it had been cut off
    write_json_atomic(path, facts)
    assert measure("mine")[0] == 1
    assert measure("yours") == (9, ["yours"] * 9)
    assert "skipped the memory of smollm2-135m: the network is down" in capsys.readouterr().out


def test_rows_of_several_machines_are_told_apart():
    facts = read_json(results.RESULTS / "memory.json")
    assert "| machine |" not in memory.table(facts)
    facts["runs"][0] |= {"machine": "one with a GPU", "device": "cuda"}
    table = memory.table(facts)
    assert (
        "| machine |" in table and "| one with a GPU, cuda |" in table and "machines: one with a GPU, cuda; " in table
    )


def test_every_table_is_written_again_at_the_end():
    pages = {f"benchmarks.{path.stem}" for path in (ROOT / "benchmarks").glob("*_docs.py")}
    assert set(COMMANDS[-len(pages) - 1 : -1]) == pages and COMMANDS[-1] == "benchmarks.results --readme"
    for command in COMMANDS:
        assert importlib.util.find_spec(command.split()[0]), command


@pytest.mark.parametrize(("device", "file"), [("cpu", "heads.json"), ("cuda", "heads-cuda.json")])
def test_a_gpus_results_have_a_file_of_their_own(monkeypatch, device, file):
    monkeypatch.setattr("pricelab.profiles.pick_device", lambda: device)
    assert results_of("heads").name == file
