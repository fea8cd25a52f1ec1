"""The set-up on Colab: what it installs, what it never replaces, and that runs in Drive survive a disconnect."""

import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import types
import zipfile
from pathlib import Path

import pytest
from huggingface_hub import constants

from pricelab import colab, installed
from pricelab.profiles import PROFILES
from pricelab.recipe import Recipe

ROOT = Path(__file__).parents[1]
NEEDS = ["torch>=2.11", "bitsandbytes>=0.50", "scikit-learn>=1.6", 'modal>=1.6; extra == "modal"', 'x; extra == "test"']
MACHINE = {
    "torch": "2.11.0+cu128",
    "scikit-learn": "1.6.1",
    "numpy": "2.0.2",
    "torchao": "0.10.0",
    "protobuf": "5.29.5",
}


class Machine:
    """A pretended Colab machine: what is installed, and a pip that changes it and notes how it was called."""

    def __init__(self):
        self.installed, self.calls, self.conflicts, self.side_effect = dict(MACHINE), [], (), {}
        self.unmet = []

    def pip(self, *arguments):
        pins = None
        if "--constraint" in arguments:
            pins = Path(arguments[arguments.index("--constraint") + 1]).read_text().splitlines()
        self.calls.append((arguments, pins))
        if arguments[0] == "uninstall":
            del self.installed[arguments[-1]]
            return
        if "--no-deps" not in arguments and any(each.startswith(self.conflicts) for each in arguments[1:]):
            raise colab.Conflict("no versions fit")
        self.installed |= {each.split(">=")[0]: each.split(">=")[1] for each in arguments if ">=" in each}
        self.installed |= self.side_effect


@pytest.fixture
def machine(monkeypatch):
    made = Machine()
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setattr(installed.metadata, "requires", lambda _: NEEDS)
    monkeypatch.setattr(colab, "everything_installed", lambda: dict(made.installed))
    monkeypatch.setattr(colab, "hindering_torchao", lambda: made.installed.get("torchao"))
    monkeypatch.setattr(colab, "_modules", lambda: {"scikit-learn": ["a_module"], "torch": ["another"]})
    monkeypatch.setattr(colab.metadata, "version", lambda _: "0.1.0")
    monkeypatch.setattr(colab, "_pip", made.pip)
    monkeypatch.setattr(colab, "unmet", lambda names: [each for each in made.unmet if each.package in names])
    for name in (*colab.LOOKING_ONCE, "torchao"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return made


@pytest.fixture
def modules(monkeypatch):
    """``modules(name, version)``: pretend that a module of that version is loaded."""

    def load(name, version=None):
        module = types.ModuleType(name)
        if version:
            module.__version__ = version
        monkeypatch.setitem(sys.modules, name, module)

    return load


def test_elsewhere_it_does_nothing(monkeypatch, capsys):
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.setattr(colab, "_pip", lambda *_: pytest.fail("called pip"))
    monkeypatch.setattr(colab, "everything_installed", lambda: pytest.fail("looked at what is installed"))
    colab.set_up(drive=True)
    assert capsys.readouterr().out == ""


def test_only_what_is_missing_is_installed_and_all_else_is_held_in_place(machine, capsys):
    colab.set_up()
    (remove, _), (install, pins) = machine.calls
    assert remove == ("uninstall", "--yes", "torchao")
    assert [each for each in install if ">=" in each] == ["bitsandbytes>=0.50", "modal>=1.6"]
    assert set(pins) >= {"torch==2.11.0+cu128", "numpy==2.0.2", "protobuf==5.29.5"}
    told = capsys.readouterr().out
    assert "removed torchao 0.10.0" in told and "installed bitsandbytes, modal" in told


def test_a_second_run_installs_nothing(machine, capsys):
    colab.set_up()
    machine.calls.clear()
    colab.set_up()
    assert machine.calls == [] and capsys.readouterr().out.splitlines()[-1] == "pricelab 0.1.0 is ready"


def test_only_what_conflicts_goes_in_without_dependencies(machine, capsys):
    machine.conflicts = ("modal",)
    machine.unmet = [installed.Unmet("modal", installed.Requirement("protobuf>=6"), "5.29.5")]
    colab.set_up()
    alone = [arguments[-1] for arguments, _ in machine.calls if "--no-deps" in arguments]
    assert alone == ["modal>=1.6"] and machine.installed["protobuf"] == MACHINE["protobuf"]
    assert {"bitsandbytes", "modal"} <= set(machine.installed)
    told = capsys.readouterr().out
    assert "is ready" in told and "modal wants protobuf>=6, 5.29.5 is there: this machine's stays" in told


def test_it_is_not_ready_while_what_was_installed_lacks_something(machine, capsys):
    machine.unmet = [installed.Unmet("modal", installed.Requirement("grpclib>=0.4"), None)]
    with pytest.raises(RuntimeError, match=r"modal wants grpclib>=0\.4, which is missing.*Run the cell again"):
        colab.set_up()
    assert "is ready" not in capsys.readouterr().out


def test_a_package_of_the_machine_that_changed_all_the_same_stops_the_notebook(machine):
    machine.side_effect = {"numpy": "2.4.0"}
    with pytest.raises(RuntimeError, match="numpy 2.0.2 → 2.4.0.*Restart session"):
        colab.set_up()


@pytest.mark.parametrize("version", ["2.10.0", "2.10.0+cu126"])
def test_a_torch_that_is_too_old_is_never_replaced(machine, version):
    machine.installed["torch"] = version
    with pytest.raises(RuntimeError, match=r'torch 2\.10\.0.*%pip install "torch>=2\.11".*Restart session'):
        colab.set_up()
    assert not any(call[0][0] == "install" for call in machine.calls)


def test_another_package_that_is_too_old_is_replaced_unless_it_is_loaded(machine, modules):
    machine.installed["scikit-learn"] = "1.5.0"
    colab.set_up()
    install, pins = machine.calls[-1]
    assert "scikit-learn>=1.6" in install and "scikit-learn==1.5.0" not in pins
    machine.installed["scikit-learn"] = "1.5.0"
    modules("a_module")
    with pytest.raises(RuntimeError, match="scikit-learn 1.5.0"):
        colab.set_up()


@pytest.mark.parametrize(
    ("loaded", "stops"), [("2.11.0+cu128", False), ("2.11.0", False), ("2.10.0", True), ("?", False)]
)
def test_what_is_loaded_is_compared_with_what_is_installed(machine, modules, loaded, stops):
    modules("another", loaded)
    if not stops:
        return colab.set_up()
    with pytest.raises(
        RuntimeError, match=r"torch 2\.10\.0 is loaded and 2\.11\.0\+cu128 installed: .*Restart session"
    ):
        colab.set_up()


@pytest.mark.parametrize(
    ("name", "why"), [("torchao", "torchao was removed after"), ("peft", "peft was imported before")]
)
def test_a_restart_is_asked_for_when_something_was_imported_too_early(machine, modules, name, why):
    modules(name)
    with pytest.raises(RuntimeError, match=f"{why}.*Restart session, then Run all"):
        colab.set_up()


def test_pip_that_fails_is_told_in_its_own_words(monkeypatch):
    done = subprocess.CompletedProcess([], 1, "", "WARNING: w\nERROR: No matching distribution found for bitsandbytes")
    monkeypatch.setattr(colab.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(RuntimeError, match="pip install x failed: ERROR: No matching distribution"):
        colab._pip("install", "x")


# ---- with pip itself


def wheel(folder, name, version, requires=()):
    """A wheel of one empty module."""
    info = f"{name}-{version}.dist-info"
    lines = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
        *(f"Requires-Dist: {each}" for each in requires),
    ]
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def target(tmp_path, monkeypatch):
    """A folder that pip installs into and Python looks in, from the wheels beside it."""
    wheels, folder = tmp_path / "wheels", tmp_path / "target"
    wheels.mkdir()
    settings = {"NO_INDEX": "1", "FIND_LINKS": str(wheels), "TARGET": str(folder), "CONFIG_FILE": os.devnull}
    for name, value in settings.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.syspath_prepend(str(folder))
    for version in ("1.0", "2.0"):
        wheel(wheels, "heavy_package", version)
    for name, wants in {
        "meek": ["heavy-package", "helper"],
        "bold": ["heavy-package>=2", "friend", 'x; extra == "y"'],
        "friend": [],
        "helper": [],
    }.items():
        wheel(wheels, name, "1.0", wants)
    return folder


def test_pip_leaves_what_is_there_alone_also_where_a_package_wants_it_newer(target):
    """``meek`` goes with the heavy package as it is; ``bold`` asks for a newer one, which is on offer."""

    def inside():
        return {path.name.partition(".dist")[0] for path in target.glob("*.dist-info")}

    colab._pip("install", "heavy-package==1.0")
    colab._install([installed.Requirement(name) for name in ("bold>=1", "meek>=1")], {"heavy-package": "1.0"})
    assert inside() == {"heavy_package-1.0", "helper-1.0", "meek-1.0", "bold-1.0", "friend-1.0"}
    (lack,) = installed.unmet(["bold", "meek"])
    assert str(lack) == "bold wants heavy-package>=2, 1.0 is there"
    shutil.rmtree(target / "friend-1.0.dist-info")
    importlib.invalidate_caches()
    assert [str(each) for each in installed.unmet(["bold"])][1:] == ["bold wants friend, which is missing"]


def test_no_network_is_told_apart_and_nothing_goes_in_without_its_dependencies(target, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{unused.getsockname()[1]}/simple")
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_RETRIES", "1")
        with pytest.raises(RuntimeError, match="package index did not answer; run the cell again.*pip install"):
            colab._install([installed.Requirement(name) for name in ("meek", "elsewhere")], {})
    assert not target.exists()


# ---- Drive


@pytest.fixture
def drive(machine, monkeypatch, tmp_path):
    """A ``google.colab`` whose Drive is a folder; returns where it is mounted."""
    fake = types.SimpleNamespace(mount=lambda point: (Path(point) / "MyDrive").mkdir(parents=True, exist_ok=True))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(drive=fake))
    monkeypatch.setattr(colab, "DRIVE", tmp_path / "drive")
    monkeypatch.setenv("PRICELAB_CACHE", "elsewhere")
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.setenv("HF_HOME", "to be restored")
    monkeypatch.delenv("HF_HOME")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", constants.HF_HUB_CACHE)  # to be restored
    return fake


def test_downloads_and_runs_go_to_drive_when_the_learner_says_so(drive, monkeypatch, capsys, tmp_path):
    from pricelab.files import cache_dir

    monkeypatch.delitem(sys.modules, "huggingface_hub", raising=False)
    colab.set_up(drive=True)
    assert cache_dir() == tmp_path / "drive" / "MyDrive" / "pricelab"
    assert os.environ["HF_HOME"] == str(cache_dir() / "huggingface")
    assert "downloads and runs go to" in capsys.readouterr().out


def test_drive_ticked_later_takes_the_hubs_downloads_too(drive, tmp_path):
    import huggingface_hub  # the notebook has imported it by then

    colab.set_up(drive=True)
    snapshot = tmp_path / "drive" / "MyDrive" / "pricelab" / "huggingface" / "hub" / "models--a--b"
    for name, text in {"refs/main": "c0ffee", "snapshots/c0ffee/config.json": "{}"}.items():
        (snapshot / name).parent.mkdir(parents=True)
        (snapshot / name).write_text(text, encoding="utf-8")
    found = huggingface_hub.try_to_load_from_cache("a/b", "config.json")
    assert found == str(snapshot / "snapshots" / "c0ffee" / "config.json")
    command = [sys.executable, "-c", "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"]
    asked = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)  # as notebook 08 starts some
    assert Path(asked.stdout.strip()) == snapshot.parent


def test_a_place_for_the_hubs_downloads_that_was_chosen_before_stays(drive, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    before = constants.HF_HUB_CACHE
    colab.set_up(drive=True)
    assert before == constants.HF_HUB_CACHE


def test_a_refused_drive_is_told_with_the_way_on(drive):
    def refuse(_):
        raise ValueError("mount failed")

    drive.mount = refuse
    with pytest.raises(RuntimeError, match="mount failed.*untick DRIVE"):
        colab.set_up(drive=True)
    assert os.environ["PRICELAB_CACHE"] == "elsewhere"


SESSION = """
    import os, signal, sys
    from pathlib import Path

    import nbformat

    notebook, drive, kill_at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    cells = {cell.id: cell.source for cell in nbformat.read(notebook, as_version=4).cells}

    import google.colab
    from IPython.core.inputtransformer2 import TransformerManager
    from pricelab import colab
    from pricelab.price_trainer import PriceTrainer

    class Shell:
        __str__ = lambda self: "<google.colab._shell.Shell object at 0x1>"
        run_line_magic = lambda self, name, line: None

    steps, step = 0, PriceTrainer.training_step

    def counted(self, *arguments, **options):
        global steps
        if self.state.global_step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1
        return step(self, *arguments, **options)

    PriceTrainer.training_step = counted
    colab.DRIVE, colab.lacking, colab.hindering_torchao = drive, lambda _: [], lambda: None
    names = {"get_ipython": Shell}
    ready = cells["set-up"].replace("DRIVE = False", "DRIVE = True")
    for source in (ready, cells["catalog"], "base = need('base')", cells["qlora"], cells["train"]):
        exec(TransformerManager().transform_cell(source), names)
    print("steps", steps, "folder", names["run"].folder)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a machine that goes off is pretended with SIGKILL")
def test_a_session_that_was_cut_off_goes_on_from_drive_with_run_all(tmp_path):
    """Notebook 07 on the base `tiny`: 50 steps, a checkpoint at step 25, and the machine goes off at step 30."""
    script, drive = tmp_path / "session.py", tmp_path / "drive"
    script.write_text(textwrap.dedent(SESSION))
    package = tmp_path / "machine" / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    mounting = (
        "import pathlib\ndef mount(point):\n    (pathlib.Path(point) / 'MyDrive').mkdir(parents=True, exist_ok=True)"
    )
    (package / "drive.py").write_text(mounting)
    places = os.pathsep.join([str(ROOT), str(tmp_path / "machine")])
    environment = {
        **os.environ,
        "PRICELAB_PROFILE": "smoke",
        "PYTHONPATH": places,
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("PRICELAB_CACHE", None)

    def session(name, kill_at):
        home = {"HOME": str(tmp_path / name), "XDG_CACHE_HOME": str(tmp_path / name / "cache")}  # an empty machine
        command = [sys.executable, str(script), str(next(ROOT.glob("notebooks/07*"))), str(drive), str(kill_at)]
        return subprocess.run(command, env={**environment, **home}, capture_output=True, text=True, cwd=tmp_path)

    assert session("first", kill_at=30).returncode == -9
    second = session("second", kill_at=-1)
    assert second.returncode == 0, second.stderr[-2000:]
    assert f"steps 25 folder {drive}/MyDrive/pricelab/workbook/smoke/qlora" in second.stdout


def test_the_checklist_for_a_person_takes_fifteen_minutes_and_looks_where_runs_are_kept():
    page = (ROOT / "docs" / "colab.md").read_text(encoding="utf-8")
    minutes = [int(number) for number in re.findall(r"\((\d+) minutes?\)", page)]
    assert len(minutes) == len(re.findall(r"^\d\. ", page, re.MULTILINE)) and sum(minutes) == 15
    laptop = PROFILES["laptop"]
    assert f"{laptop.train_items // laptop.batch_size} short steps" in page
    assert "pricelab/workbook/laptop/qlora/checkpoints" in page and f"`checkpoint-{Recipe.save_every}`" in page


def test_the_page_says_before_a_learner_meets_it_that_a_private_repository_cannot_be_installed():
    page = (ROOT / "docs" / "colab.md").read_text(encoding="utf-8")
    source = page.partition("- **SOURCE**")[2].partition("- **DRIVE**")[0]
    assert "must be public" in source and "can't install from a private one" in source
