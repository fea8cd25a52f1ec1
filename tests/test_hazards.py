"""Each fault that is known to bite, simulated, and the cure that the doctor names."""

import re
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest
import torch

from pricelab import hazards, installed

ROOT = Path(__file__).parents[1]


@pytest.fixture
def gpu(monkeypatch):
    """Pretend a GPU of that compute capability and memory; bitsandbytes found its library unless told otherwise."""

    def pretend(capability=(8, 0), free=15e9, total=16e9, reserved=0.0, library=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Pretended GPU")
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, total))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: reserved)
        module = types.ModuleType("bitsandbytes.cextension")
        module.lib = types.SimpleNamespace(compiled_with_cuda=library)
        monkeypatch.setitem(sys.modules, "bitsandbytes.cextension", module)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return pretend


@pytest.fixture
def colab(monkeypatch):
    """A process on a Colab machine."""
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")


def found(name=None):
    """The hazards by name, or the one of that name."""
    every = {check.name: check for check in hazards.hazards()}
    return every if name is None else every[name]


def test_a_machine_without_faults_has_nothing_to_say(gpu, monkeypatch):
    monkeypatch.setattr(hazards, "nvidia_gpu", lambda: "")
    assert not found()
    gpu()
    assert not found()


@pytest.mark.parametrize(
    ("version", "bites"), [("0.10.0", True), ("0.16.0", False), ("0.16.0.dev1", True), (None, False)]
)
def test_an_old_torchao(monkeypatch, version, bites):
    monkeypatch.setattr(installed, "installed_version", lambda _: version)
    assert ("torchao" in found()) == bites
    assert not bites or found("torchao").cure.startswith("pip uninstall -y torchao")


def test_no_gpu_on_colab(gpu, colab, monkeypatch):
    monkeypatch.setattr(hazards, "nvidia_gpu", lambda: "")
    assert "Change runtime type → T4 GPU" in found("GPU").cure
    gpu()
    assert "GPU" not in found()


@pytest.mark.parametrize(
    ("cuda", "why", "cure"),
    [(None, "a build without CUDA", "install torch for CUDA"), ("12.8", "can't start", "driver")],
)
def test_a_gpu_that_torch_cannot_use(gpu, monkeypatch, cuda, why, cure):
    monkeypatch.setattr(hazards, "nvidia_gpu", lambda: "Tesla T4")
    monkeypatch.setattr(torch.version, "cuda", cuda)
    check = found("GPU")
    assert "Tesla T4" in check.value and why in check.value and cure in check.cure


def test_a_t4_computes_without_bf16_and_that_is_no_problem(gpu):
    gpu(capability=(7, 5))
    check = found("bf16")
    assert "fp16" in check.note and "dtype=torch.float16" in check.note and not check.cure
    gpu(capability=(8, 0))
    assert "bf16" not in found()


@pytest.mark.parametrize("library", [False, None])
def test_bitsandbytes_without_cuda_beside_a_gpu(gpu, library):
    gpu(library=library)
    assert found("bitsandbytes").cure.startswith("pip install --upgrade --no-deps bitsandbytes")


def test_bitsandbytes_that_cannot_be_imported_beside_a_gpu(gpu, monkeypatch):
    gpu()
    monkeypatch.setitem(sys.modules, "bitsandbytes.cextension", None)
    assert "cannot be imported" in found("bitsandbytes").value


@pytest.mark.parametrize(("free", "reserved", "bites"), [(4e9, 0.0, True), (4e9, 11e9, False), (15e9, 0.0, False)])
def test_a_gpu_whose_memory_another_program_holds(gpu, colab, free, reserved, bites):
    gpu(free=free, reserved=reserved)
    assert ("GPU memory" in found()) == bites
    assert not bites or "Manage sessions" in found("GPU memory").cure


def test_on_colab_it_says_whether_runs_are_kept(gpu, colab, monkeypatch, tmp_path):
    gpu()
    assert "tick DRIVE" in found("Colab").note
    monkeypatch.setattr(hazards, "DRIVE", tmp_path)
    monkeypatch.setenv("PRICELAB_CACHE", str(tmp_path / "MyDrive" / "pricelab"))
    assert "Google Drive: 07, 08, 11 and 12 go on" in found("Colab").value and "tick DRIVE again" in found("Colab").note
    assert not found("Colab").cure


def test_the_notebooks_that_go_on_are_those_that_train_in_the_folder_that_is_kept():
    def trains_there(path):
        cells = nbformat.read(path, as_version=4).cells
        return any("workspace()" in cell.source for cell in cells if cell.cell_type == "code")

    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert tuple(path.name[:2] for path in notebooks if trains_there(path)) == hazards.GOING_ON
    promised = (ROOT / "docs" / "colab.md").read_text(encoding="utf-8").partition("**DRIVE**")[2].partition("All of")[0]
    assert sorted(set(re.findall(r"\b[01]\d\b", promised))) == [*hazards.GOING_ON]


# ---- NVIDIA's own tool


def smi(monkeypatch, code=0, told="", error=None):
    def run(*_, **__):
        if error:
            raise error
        return subprocess.CompletedProcess([], code, told, "")

    monkeypatch.setattr(hazards.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(hazards.subprocess, "run", run)
    return hazards.nvidia_gpu()


def test_the_first_gpu_is_named(monkeypatch):
    assert smi(monkeypatch, told="Tesla T4\nTesla T4\n") == "Tesla T4"


def test_a_tool_that_fails_hangs_or_is_not_there_means_no_gpu(monkeypatch):
    assert smi(monkeypatch, code=9, told="NVIDIA-SMI has failed") == ""
    assert smi(monkeypatch, error=subprocess.TimeoutExpired("nvidia-smi", 5)) == ""
    assert smi(monkeypatch, error=OSError()) == ""
    monkeypatch.setattr(hazards.shutil, "which", lambda _: None)
    assert hazards.nvidia_gpu() == ""
