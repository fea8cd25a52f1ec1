"""Profiles: which one, why, and the precision that fits the device."""

from types import SimpleNamespace

import pytest
import torch

from pricelab.profiles import PROFILES, VARIABLE, choose, detect, pick_device, pick_precision


@pytest.fixture
def gpu(monkeypatch):
    """Pretend that there is a GPU."""

    def pretend(gigabytes=16, capability=(7, 5)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Pretended GPU")
        properties = SimpleNamespace(total_memory=gigabytes * 1e9)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return pretend


@pytest.mark.parametrize("name", PROFILES)
def test_the_variable_names_the_profile(monkeypatch, name):
    monkeypatch.setenv(VARIABLE, name)
    assert (detect().name, detect().reason) == (name, f"{VARIABLE} is set")


def test_an_unknown_name_is_refused_with_those_there_are(monkeypatch):
    monkeypatch.setenv(VARIABLE, "mainframe")
    with pytest.raises(ValueError, match=f"'mainframe'; set {VARIABLE} to one of smoke, laptop, colab, gpu"):
        detect()


def test_an_empty_variable_is_no_name(gpu, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    assert detect().name == "laptop"


@pytest.mark.parametrize(("gigabytes", "name"), [(15.8, "colab"), (21, "colab"), (24, "gpu"), (80, "gpu")])
def test_a_gpu_is_judged_by_its_memory_and_named_in_the_reason(gpu, gigabytes, name):
    gpu(gigabytes)
    assert detect().name == name
    assert detect().reason == f"Pretended GPU with {gigabytes:.0f} GB was found"


def test_without_a_gpu_it_is_a_laptop(gpu):
    assert (detect().name, detect().reason) == ("laptop", "no CUDA device was found")
    assert pick_device() == "cpu"


def test_choosing_keeps_the_sizes_and_leaves_the_table_alone():
    chosen = choose("smoke", "because")
    assert vars(chosen) == {**vars(PROFILES["smoke"]), "reason": "because"}
    assert PROFILES["smoke"].reason == ""


@pytest.mark.parametrize(
    ("capability", "dtype", "why"),
    [
        ((7, 5), torch.float16, "7.5 has no bf16: fp16, and the loss is scaled"),
        ((8, 0), torch.bfloat16, "8.0 has bf16"),
        ((9, 0), torch.bfloat16, ""),
    ],
)
def test_the_gpus_hardware_decides_the_precision(gpu, capability, dtype, why):
    gpu(capability=capability)
    assert pick_device() == "cuda"
    found, reason = pick_precision("cuda")
    assert found == dtype and why in reason


@pytest.mark.parametrize(
    ("can", "dtype", "why"),
    [
        ({"avx512_bf16": True}, torch.bfloat16, "in hardware"),
        ({"amx_bf16": True}, torch.bfloat16, "in hardware"),
        ({"avx512_bf16": False}, torch.float32, "no bf16"),
        ({"architecture": "x86_64", "avx2": True}, torch.float32, "no bf16 instructions and no AVX-512"),
        ({"architecture": "aarch64"}, torch.float32, "no bf16"),
        ({}, torch.float32, "no bf16"),
    ],
)
def test_the_cpus_instructions_decide_the_precision(monkeypatch, can, dtype, why):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can)
    found, reason = pick_precision("cpu")
    assert found == dtype and why in reason


def test_only_a_cpu_without_avx_512_is_said_to_have_none(monkeypatch):
    for can in ({"architecture": "x86_64", "avx512_f": True}, {"architecture": "aarch64"}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda can=can: can)
        assert "AVX-512" not in pick_precision("cpu")[1]


@pytest.mark.parametrize(("device", "why"), [("mps", "Apple's GPU; the Mac's CPU"), ("xpu", "nobody tried it")])
def test_a_device_that_was_never_tried_is_refused_with_those_that_were(device, why):
    with pytest.raises(ValueError, match=f"no training on the device '{device}': .*{why}.*use 'cpu' or 'cuda'"):
        pick_precision(device)


def test_a_mac_trains_on_its_cpu(gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device() == "cpu"
