"""Profiles: which one, why, and the precision that fits the device."""

from types import SimpleNamespace

import pytest
import torch

from pricelab.costs import HARDWARE, SHAPES, Plan
from pricelab.costs.budget import USABLE
from pricelab.costs.memory import step_memory
from pricelab.files import data_dir, read_json
from pricelab.profiles import PROFILES, VARIABLE, choose, detect, pick_device, pick_precision
from pricelab.recipe import Recipe
from pricelab.room import KNOWN, memory_needed
from pricelab.ways import WAYS

GPUS = {"colab": HARDWARE["T4"], "gpu": HARDWARE["L4"]}  # the smallest that get the profile
FREE_BYTES = 4e9  # that a laptop of 8 GB has left
LONGEST = {"tiny": 112, "other": 100}  # tokens of the workshop's longest example, 96 with SmolLM2's tokenizer


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
    with pytest.raises(ValueError, match=f"the device '{device}' is not supported: .*{why}.*use 'cpu' or 'cuda'"):
        pick_precision(device)


def test_a_gpu_that_is_not_here_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="'cuda:0' was asked for, but torch finds no GPU that it can use; use 'cpu'"):
        pick_precision("cuda:0")


def test_a_mac_trains_on_its_cpu(gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device() == "cpu"


def shape_of(base):
    return SHAPES[KNOWN.get(base, base.removeprefix("Qwen/").removesuffix("-Base"))]


def step(base, method, hardware, batch, length):
    """Bytes by part of a training step of the engine on a GPU."""
    full, held = method == "full", hardware.best_dtype
    precision = {"full": "fp32", "lora": held, "qlora": "nf4"}[method]
    return step_memory(Plan(
        shape_of(base), 1, method, rank=0 if full else Recipe.rank, precision=precision, batch=batch, length=length,
        labels=4, autocast=full, accumulated=False, hardware=hardware,
    ))  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_way_of_every_profile_fits_its_smallest_machine_with_room(profile, way):
    base = "tiny" if way.start == "small" else profile.compared_base
    length = Recipe.max_text_tokens  # where texts are cut: none is longer
    if gpu := GPUS.get(profile.name):
        assert step(base, way.method, gpu, profile.batch_size, length).total < USABLE * gpu.memory / 2
    else:
        recipe = Recipe(batch_size=profile.batch_size)
        need = memory_needed(shape_of(base), way.method, recipe, LONGEST["tiny"], labels=4, device="cpu")
        assert need.bytes < FREE_BYTES


@pytest.mark.parametrize("name", GPUS)
def test_the_base_itself_fits_as_the_notebooks_hold_it(name):
    profile, gpu = PROFILES[name], GPUS[name]
    plain = 2.0 * shape_of(profile.base).parameters  # 03 and 07 keep the untuned base in 16 bits
    qlora = step(profile.base, "qlora", gpu, profile.batch_size, LONGEST["other"])
    assert plain + qlora.total < USABLE * gpu.memory  # 07
    assert plain + qlora.weights < USABLE * gpu.memory  # 06
    lora = step(profile.base, "lora", gpu, profile.batch_size, LONGEST["other"])
    assert lora.total < USABLE * gpu.memory  # 12
    exact = Plan(shape_of(profile.base), 1, "lora", rank=Recipe.rank, precision="fp32", length=LONGEST["other"])
    assert step_memory(exact).total < USABLE * gpu.memory  # 02: one item, in fp32


def test_the_compared_base_has_recorded_trials_and_an_adapter_that_ships():
    recorded = {trial["base"] for trial in read_json(data_dir() / "results" / "ways.json")["trials"]}
    for profile in PROFILES.values():
        assert (data_dir() / "adapters" / profile.compared_base / "manifest.json").is_file()
        assert profile.name == "smoke" or recorded == {profile.compared_base}
