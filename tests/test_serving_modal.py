"""The Modal class without an account: what is set, what ``.local()`` answers, and its HTTP interface."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import modal
import pytest
from fastapi.testclient import TestClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from serving_fakes import FakePricer

from pricelab import Pricer
from pricelab.artifacts import Manifest
from pricelab.files import data_dir
from pricelab.serving import Limits, modal_app, starting
from pricelab.serving.app import Threadside
from pricelab.serving.starting import Started

TEXTS = ["a hand drill, 18 V", "", "a bench vice"]
PROJECT = data_dir().parent
CONTAINER = """
import builtins, json, sys
from importlib.metadata import packages_distributions


class Modal:
    '''The package modal, without what it brings along: decorators change nothing.'''

    def __getattr__(self, name):
        return self

    def __call__(self, *given, **named):
        return given[0] if given and callable(given[0]) else named.get("default", self)


def only_the_images(name, globals=None, locals=None, fromlist=(), level=0):
    '''Import for pricelab's modules what the image holds, and nothing else.'''
    owners = {owner.lower().replace("_", "-") for owner in KNOWN.get(name.partition(".")[0], ())}
    asks = (globals or {}).get("__name__", "").startswith("pricelab")
    if asks and owners and not owners & {"pricelab", *there}:
        raise ModuleNotFoundError(f"the image has no {name}", name=name)
    return everything(name, globals, locals, fromlist, level)


KNOWN, everything, there = packages_distributions(), builtins.__import__, ["modal"]
sys.modules["modal"] = Modal()
builtins.__import__ = only_the_images
from pricelab.serving.modal_app import PACKAGES, Predictor

there += [name.lower().replace("_", "-") for name in PACKAGES]
predictor = Predictor()
predictor.folder = sys.argv[1]
predictor.load()
answer = predictor.price("a hand drill")
routes = [route.path for route in predictor.web().routes]
predictor.close()
print(json.dumps({"answer": answer, "routes": routes}))
"""


@pytest.fixture(scope="module")
def predictor(finetuned):
    return modal_app.Predictor(folder=str(finetuned["lora"].folder))


def test_one_and_many_are_priced_as_without_modal(predictor, finetuned):
    expected = Pricer.load(finetuned["lora"].folder).estimate(TEXTS)
    one = predictor.price.local(TEXTS[0])
    assert set(one) == {"estimate", "low", "high", "warning"}
    many = predictor.prices.local(TEXTS * 50)
    assert len(many) == 150 and many[1]["estimate"] is None and many[1]["warning"]
    for found, estimate in ((one, expected[0]), (many[0], expected[0]), (many[2], expected[2])):
        assert found["estimate"] == pytest.approx(
            estimate.estimate, rel=0.05
        )  # in batches the arithmetic rounds otherwise


def test_callers_in_threads_share_passes_and_closing_ends_the_loop():
    pricer = FakePricer()
    service = Threadside(Started(pricer), Limits(max_wait_ms=200, max_batch=4))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: service.estimate(["x" * n])[0].estimate, range(1, 5)))
    assert found == [1, 2, 3, 4] and max(map(len, pricer.batches)) > 1
    service.close()
    while service._loop.is_running():
        pass


def test_the_web_interface_is_the_servers(predictor):
    with TestClient(predictor.web.local()) as client:
        while client.get("/readyz").status_code != 200:
            pass
        answer = client.post("/price", json={"description": TEXTS[0]})
        assert answer.status_code == 200 and 1 <= answer.json()["estimate"] <= 999
        assert client.get("/readyz").json()["start_seconds"]["base"] >= 0


def test_every_package_of_the_image_is_pinned_to_what_runs_here():
    pins = [Requirement(pin) for pin in modal_app.pins()]
    assert {pin.name for pin in pins} == set(modal_app.PACKAGES)
    assert all([one.operator for one in pin.specifier] == ["=="] and "+" not in str(pin) for pin in pins)


def test_the_image_holds_what_the_project_says_that_serving_needs():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    library, extra = (
        {canonicalize_name(Requirement(line).name) for line in lines}
        for lines in (project["dependencies"], project["optional-dependencies"]["serve"])
    )
    there = {canonicalize_name(name) for name in modal_app.PACKAGES}
    assert extra - there == {"httpx"}  # the clients' side, which no container is
    assert there <= library | extra


def test_a_container_with_nothing_but_the_image_loads_and_answers(tmp_path):
    """A process with the .py files and the base `tiny` alone, which finds no other package than the image's."""
    shutil.copytree(PROJECT / "pricelab", tmp_path / "pricelab", ignore=only_python)
    shutil.copytree(data_dir() / "tiny-base", tmp_path / "data" / "tiny-base")
    (tmp_path / "container.py").write_text(CONTAINER, encoding="utf-8")
    command = [sys.executable, "container.py", str(data_dir() / "adapters" / "tiny")]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert 1 <= found["answer"]["estimate"] <= 999 and {"/price", "/prices", "/docs"} <= set(found["routes"])


def only_python(folder, names):
    """What `add_local_python_source` leaves out."""
    return [name for name in names if not name.endswith(".py") and not (Path(folder) / name).is_dir()]


@pytest.mark.parametrize(
    ("environment", "names"),
    [({}, 0), ({"PRICELAB_MODAL_GATED": "1"}, 1), ({"PRICELAB_MODAL_GATED": "1", "PRICELAB_MODAL_TOKEN": "1"}, 2)],
)
def test_secrets_are_attached_only_when_asked_for(monkeypatch, environment, names):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert len(modal_app.secrets()) == names


@pytest.fixture
def given(monkeypatch):
    """What the module gives Modal's decorators, by their names, when it is imported again."""
    seen = {}

    def watch(owner, name):
        decorator = getattr(owner, name)

        def watched(*positional, **named):
            seen[name] = named
            return decorator(*positional, **named)

        monkeypatch.setattr(owner, name, watched)

    for owner, name in ((modal.App, "cls"), (modal, "concurrent"), (modal, "enter")):
        watch(owner, name)
    return seen


def test_the_default_is_a_cpu_with_a_snapshot_and_none_to_four_containers(given):
    importlib.reload(modal_app)
    settings, calls = given["cls"], given["concurrent"]
    assert settings["gpu"] is None and (settings["cpu"], settings["memory"]) == (2.0, 4096)
    assert settings["enable_memory_snapshot"] is True and given["enter"] == {"snap": True}
    assert (settings["min_containers"], settings["max_containers"], settings["scaledown_window"]) == (0, 4, 300)
    assert calls == {"max_inputs": 2 * modal_app.BATCH, "target_inputs": modal_app.BATCH}
    assert list(settings["volumes"]) == [modal_app.MODELS]


def test_the_base_of_the_adapter_is_fetched_into_the_volume(finetuned, monkeypatch):
    done = []
    monkeypatch.setattr(starting, "download", lambda *base: done.append(base))
    monkeypatch.setattr(modal_app, "volume", SimpleNamespace(commit=lambda: done.append("commit")))
    folder = finetuned["lora"].folder
    base = Manifest.read(folder).base
    assert modal_app.fetch_base.local(str(folder)) >= 0
    assert done == [(base["name"], base["revision"]), "commit"], "downloaded and only then kept"


def test_a_gpu_comes_from_the_environment_and_ends_the_memory_snapshot(monkeypatch, given):
    monkeypatch.setenv("PRICELAB_MODAL_GPU", "T4")
    try:
        module = importlib.reload(modal_app)
        assert module.GPU == "T4" and module.LIMITS.max_batch == 64 and module.CALLS_AT_ONCE == 128
        assert given["cls"]["gpu"] == "T4"
        assert given["cls"]["enable_memory_snapshot"] is False and given["enter"] == {"snap": False}
        assert given["concurrent"] == {"max_inputs": 128, "target_inputs": 64}
    finally:
        monkeypatch.delenv("PRICELAB_MODAL_GPU")
        assert importlib.reload(modal_app).GPU is None


def test_a_container_sees_the_settings_of_the_deployment(monkeypatch):
    """It imports the module again with the image's environment; Modal refuses one that then asks for other secrets."""
    given = {"PRICELAB_MODAL_GPU": "L4", "PRICELAB_MODAL_GATED": "1", "PRICELAB_MODAL_TOKEN": "1"}
    for name in given:
        monkeypatch.delenv(name, raising=False)
    assert not set(given) & set(modal_app.environment())
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    inside = modal_app.environment()
    assert inside["PRICELAB_CACHE"].startswith(modal_app.MODELS) and set(modal_app.FEW_KERNELS) <= set(inside)
    for name in given:
        monkeypatch.delenv(name)
    for name, value in inside.items():
        monkeypatch.setenv(name, value)
    try:
        module = importlib.reload(modal_app)
        assert module.GPU == "L4" and module.LIMITS.max_batch == 64 and len(module.secrets()) == 2
    finally:
        for name in inside:
            monkeypatch.delenv(name)
        importlib.reload(modal_app)
