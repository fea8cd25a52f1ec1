"""From a folder to a server: the parts of a start, adapters side by side, `pricelab serve`, folders it refuses."""

import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
from serving_fakes import FakePricer, closed

import pricelab.serving.server
from pricelab import Pricer, base_files, cli, heap
from pricelab.files import sha256_of
from pricelab.serving import Limits, start
from pricelab.serving.server import serve
from pricelab.serving.starting import Started

TEXTS = ["a hand drill, 18 V", "a garlic press of steel", "a bench vice"]
PARTS = ["libraries", "verify", "download", "base", "adapter", "warm-up"]


def prices(pricer):
    return np.array([estimate.distribution for estimate in pricer.estimate(TEXTS)])


@pytest.mark.parametrize(
    ("method", "parts"), [("lora", PARTS), ("full", ["libraries", "verify", "adapter", "warm-up"])]
)
def test_the_parts_of_a_start_are_timed_and_it_gives_the_same_predictor(finetuned, method, parts):
    started = start(finetuned[method].folder, batch=2)
    assert list(started.seconds) == parts and started.total == sum(started.seconds.values())
    assert all(seconds >= 0 for seconds in started.seconds.values())
    np.testing.assert_array_equal(prices(started.pricer), prices(Pricer.load(finetuned[method].folder)))


def test_two_adapters_on_one_base_answer_as_they_do_alone(finetuned, tmp_path):
    """The second differs: its matrices are the first one's, scaled."""
    from safetensors.torch import load_file, save_file

    first = start(finetuned["lora"].folder, batch=2).pricer
    other = shutil.copytree(finetuned["lora"].folder, tmp_path / "other")
    weights = {name: 3 * weight for name, weight in load_file(other / "adapter_model.safetensors").items()}
    save_file(weights, other / "adapter_model.safetensors", metadata={"format": "pt"})
    reseal(other)
    second = Pricer.load(other, beside=first)
    alone = [prices(Pricer.load(folder)) for folder in (finetuned["lora"].folder, other)]
    assert not np.allclose(*alone)
    for pricer, expected in ((first, alone[0]), (second, alone[1]), (first, alone[0])):
        np.testing.assert_array_equal(prices(pricer), expected)
    assert second.base is first.base and second.model is first.model
    again = Pricer.load(other, beside=second)
    assert again.adapter_name == second.adapter_name and len(first.model.peft_config) == 2
    np.testing.assert_array_equal(prices(first.untuned), prices(second.untuned))


def test_an_adapter_beside_one_that_was_loaded_alone(finetuned, tmp_path):
    alone = Pricer.load(finetuned["lora"].folder)
    before = prices(alone)
    second = Pricer.load(finetuned["lora"].folder, beside=alone)
    np.testing.assert_array_equal(prices(second), before)
    np.testing.assert_array_equal(prices(alone), before)


@pytest.mark.parametrize(("folder", "words"), [("qlora", "nf4.*in memory"), ("full", "whole model")])
def test_another_base_or_a_whole_model_does_not_go_beside(finetuned, folder, words):
    first = start(finetuned["lora"].folder, batch=1).pricer
    with pytest.raises(ValueError, match=words):
        Pricer.load(finetuned[folder].folder, beside=first)


def reseal(folder):
    from pricelab.artifacts import Manifest

    manifest = Manifest.read(folder)
    manifest.seal(folder, manifest.files)


# ---- folders that can't be served


def missing(folder):
    (folder / "adapter_model.safetensors").unlink()


def tampered(folder):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")


def no_numbers(folder):
    """An adapter whose arithmetic overflows, and whose manifest vouches for it."""
    from safetensors.torch import load_file, save_file

    path = folder / "adapter_model.safetensors"
    weights = {name: weight * float("nan") for name, weight in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
    reseal(folder)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(missing, "is missing"), (tampered, "was changed after training"), (no_numbers, "gave no price")],
)
def test_a_folder_that_cannot_be_served_ends_the_server_in_words(finetuned, tmp_path, spoil, words):
    folder = shutil.copytree(finetuned["lora"].folder, tmp_path / "run")
    spoil(folder)
    with pytest.raises(ValueError, match=words):
        serve(folder, port=0)


def test_the_weights_of_a_folder_are_hashed_once(finetuned, monkeypatch):
    hashed = []
    monkeypatch.setattr(base_files, "sha256_of", lambda path: hashed.append(path) or sha256_of(path))
    start(finetuned["lora"].folder, batch=1)
    assert [path.name for path in hashed] == ["model.safetensors"]


def test_a_base_that_was_changed_since_it_was_made_is_not_served(finetuned, monkeypatch):
    def changed(name, revision):
        raise ValueError(f"{name} was changed")

    monkeypatch.setattr("pricelab.base_files.verify", changed)
    with pytest.raises(ValueError, match="was changed"):
        serve(finetuned["lora"].folder, port=0)


# ---- the command


def test_the_command_hands_its_options_on(monkeypatch, capsys):
    asked = {}
    monkeypatch.setattr(
        pricelab.serving.server, "serve", lambda folder, **options: asked.update(options, folder=folder)
    )
    monkeypatch.setenv("PRICELAB_TOKEN", "s3cret")
    with pytest.raises(SystemExit) as leaving:
        cli.main(["serve", "runs/shop", "--port", "0", "--max-batch", "4", "--max-queue", "50", "--log-texts"])
    assert not leaving.value.code
    assert asked.pop("limits") == Limits(max_batch=4, max_queue=50, max_items=50)
    assert str(asked.pop("folder")) == "runs/shop"
    assert asked == {"host": "127.0.0.1", "port": 0, "device": None, "token": "s3cret", "log_texts": True}


def test_an_address_that_is_taken_is_refused_in_words(tmp_path):
    with pricelab.serving.running(FakePricer()) as server, pytest.raises(ValueError, match="can't listen on.*choose"):
        serve(tmp_path, port=int(server.url.rpartition(":")[2]))


def test_small_answers_do_not_wait_for_acknowledgements():
    """asyncio sets TCP_NODELAY on connections of a socket only when it knows that the protocol is TCP."""
    with pricelab.serving.server._listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_an_open_address_without_a_token_is_warned_of(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pricelab.serving.server, "start", lambda *_, **__: Started(FakePricer()))
    monkeypatch.setattr(pricelab.serving.server.uvicorn.Server, "run", lambda self, sockets: sockets[0].close())
    serve(tmp_path, host="0.0.0.0", port=0)
    assert "PRICELAB_TOKEN" in capsys.readouterr().err
    serve(tmp_path, host="0.0.0.0", port=0, token="s3cret")
    assert "PRICELAB_TOKEN" not in capsys.readouterr().err


@pytest.mark.parametrize(("given", "kept"), [(None, "256"), ("7", "7")])
def test_a_server_keeps_few_kernels_unless_the_environment_says_otherwise(tmp_path, monkeypatch, given, kept):
    for name in heap.FEW_KERNELS:
        monkeypatch.setenv(name, given or "")
        if given is None:
            monkeypatch.delenv(name)
    monkeypatch.setattr(pricelab.serving.server, "start", lambda *_, **__: Started(FakePricer()))
    monkeypatch.setattr(pricelab.serving.server.uvicorn.Server, "run", lambda self, sockets: sockets[0].close())
    serve(tmp_path, port=0)
    assert [os.environ[name] for name in heap.FEW_KERNELS] == [kept, kept]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_when_it_has_answered_what_it_accepted(finetuned, ending):
    command = [sys.executable, "-m", "pricelab", "serve", str(finetuned["lora"].folder), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        url = process.stderr.readline().split()[2].rstrip(",")
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                if (ready := httpx.get(f"{url}/readyz")).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        one = httpx.post(f"{url}/price", json={"description": TEXTS[0]}, timeout=60).json()
        texts = TEXTS[:1] * min(Limits().max_items, ready.json()["max_queue"])  # seconds of work
        asking = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        body = json.dumps({"descriptions": texts})
        asking.request("POST", "/prices", body, {"Content-Type": "application/json", "Connection": "close"})
        assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200  # so the one before has arrived
        process.send_signal(ending)
        assert closed(url) and not select.select([asking.sock], [], [], 0)[0]  # still at work on what it accepted
        answers = json.load(asking.getresponse())["answers"]
        told = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert 1 <= one["estimate"] <= 999 and one["low"] <= one["estimate"]
    assert len(answers) == len(texts) and all(1 <= answer["estimate"] <= 999 for answer in answers)
    assert "ready after" in told and all(part in told for part in PARTS)
    assert "path=/price status=200 items=1" in told and TEXTS[0] not in told
    assert f"path=/prices status=200 items={len(texts)}" in told
    assert process.returncode == 0 and "Traceback" not in told


@pytest.mark.parametrize("package", ["fastapi", "fastapi_offline", "uvicorn"])
def test_a_missing_package_of_the_extra_is_named_with_its_cure(monkeypatch, package):
    for name in [name for name in sys.modules if name.startswith("pricelab.serving.")]:
        leaf = name.rpartition(".")[2]
        if hasattr(pricelab.serving, leaf):  # the package's attribute is restored too, not only the list of modules
            monkeypatch.setattr(pricelab.serving, leaf, sys.modules[name])
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf'{package} is missing.*pip install "pricelab\[serve\]"'):
        _ = pricelab.serving.create_app, pricelab.serving.serve
