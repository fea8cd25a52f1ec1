"""The Modal class without an account: what is set, what ``.local()`` answers, and its HTTP interface."""

import importlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from packaging.requirements import Requirement
from serving_fakes import FakePricer

from pricelab import Pricer
from pricelab.serving import Limits, modal_app
from pricelab.serving.app import Threadside
from pricelab.serving.starting import Started

TEXTS = ["a hand drill, 18 V", "", "a bench vice"]


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


@pytest.mark.parametrize(
    ("environment", "names"),
    [({}, 0), ({"PRICELAB_MODAL_GATED": "1"}, 1), ({"PRICELAB_MODAL_GATED": "1", "PRICELAB_MODAL_TOKEN": "1"}, 2)],
)
def test_secrets_are_attached_only_when_asked_for(monkeypatch, environment, names):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert len(modal_app.secrets()) == names


def test_a_gpu_comes_from_the_environment_and_ends_the_memory_snapshot(monkeypatch):
    monkeypatch.setenv("PRICELAB_MODAL_GPU", "T4")
    try:
        module = importlib.reload(modal_app)
        assert module.GPU == "T4" and module.LIMITS.max_batch == 64 and module.CALLS_AT_ONCE == 128
    finally:
        monkeypatch.delenv("PRICELAB_MODAL_GPU")
        assert importlib.reload(modal_app).GPU is None
