"""pyproject, lock, environment.yml, Makefile and CI agree with each other and with what the code imports."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK_LINES = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line[:1] != "#"]
EXTRAS = {
    "notebooks.py": "lab",
    "kernels.py": "lab",
    "run_findings.py": "lab",
    "app.py": "app",
    "app_page.py": "app",
    "normalise.py": "lab",
    "stamp.py": "lab",
    "many_workers.py": "ray",
    "ray_session.py": "ray",
    "sweep_journal.py": "sweep",
    "serving/modal_app.py": "modal",
    "serving": "serve",
}  # who may import what: a module, or all of a folder


MACHINE_OF_COLAB = "google"  # google.colab is there and nowhere else

EXTRA_NAMES = sorted(PROJECT["optional-dependencies"])


def requirements(*extras: str) -> dict[str, Requirement]:
    """Name → requirement of the project and of ``extras``, the project's own name left out."""
    lines = [
        *PROJECT["dependencies"],
        *(line for extra in extras for line in PROJECT["optional-dependencies"][extra]),
    ]
    found = {canonicalize_name(r.name): r for r in map(Requirement, lines)}
    return {name: r for name, r in found.items() if name != PROJECT["name"]}


def lock() -> dict[str, Version]:
    return {canonicalize_name(name): Version(version) for name, version in (x.split("==") for x in LOCK_LINES)}


def test_the_lock_holds_plain_pins_only():
    assert "torch==2.13.0" in LOCK_LINES
    for line in LOCK_LINES:
        requirement = Requirement(line)
        assert line == f"{requirement.name}{requirement.specifier}" and "+" not in line and "*" not in line
        assert [s.operator for s in requirement.specifier] == ["=="]
    assert len(lock()) == len(LOCK_LINES)


@pytest.mark.parametrize("name", sorted(requirements(*EXTRA_NAMES)))
def test_the_lock_satisfies_every_requirement(name):
    assert requirements(*EXTRA_NAMES)[name].specifier.contains(lock()[name])


@pytest.mark.parametrize(
    "name, version",
    [
        ("torch", "2.11"),
        ("transformers", "5.15"),
        ("peft", "0.20"),
        ("ipywidgets", "7.7.1"),
        ("ipython", "7.34"),
    ],
)
def test_a_hosted_colab_machine_satisfies_the_lower_bounds(name, version):
    assert requirements()[name].specifier.contains(version)


def test_the_conda_environment_installs_this_project_under_the_same_lock():
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [entry for entry in content["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict)]
    assert content["name"] == PROJECT["name"]
    assert pip == ["-c requirements.lock", "-e .[lab]"]
    (python,) = [entry.partition("=")[2] for entry in conda if entry.startswith("python=")]
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{python}.0")
    assert "pip" in conda


def imported_modules(path: Path) -> set[str]:
    """Top-level names of what a module imports from others, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
    return names - set(sys.stdlib_module_names) - {PROJECT["name"], MACHINE_OF_COLAB}


def test_what_the_code_imports_is_declared():
    providers = metadata.packages_distributions()
    undeclared = set()
    for path in sorted((ROOT / "pricelab").rglob("*.py")):
        place = path.relative_to(ROOT / "pricelab")
        extra = EXTRAS.get(place.as_posix()) or EXTRAS.get(place.parts[0])
        declared = set(requirements(*([extra] if extra else ())))
        for module in imported_modules(path):
            distributions = {canonicalize_name(name) for name in providers.get(module, [module])}
            if not distributions & declared:
                undeclared.add((path.name, module))
    assert not undeclared


def test_importing_pricelab_is_quick_and_light():
    code = "import sys, pricelab; print(pricelab.__version__, *{'torch', 'pandas', 'numpy'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(shown.stdout.split()) == 1, "importing pricelab loaded a heavy package"


def make(*arguments, cwd=ROOT):
    """Run make; when the tests themselves run under make, it must not take part in that run."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    }
    command = ["make", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)


def made(*arguments):
    """What make prints."""
    done = make(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_make_target_is_explained_and_needs_the_environment():
    targets = [line.split()[1] for line in made("help").splitlines()]
    assert {"help", "run", "lab", "test", "test-all", "notebooks", "bench", "clean"} <= set(targets)
    for target in {*targets} - {"help", "clean"}:
        plan = made("-n", "-B", target)
        assert "pip install" in plan and "requirements.lock" in plan


STAND_IN = """#!/bin/sh
echo "$0 $*" >> {log}
case "$1 $2" in
    "-c "*) exec {python} -c 'import sys; sys.version_info = {version}; exec(sys.argv[1])' "$2" ;;
    "--version ") echo Python 3.9.18 ;;
    "-m venv") rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$0" .venv/bin/jupyter ;;
esac
"""  # stands for a Python of another version, and for what it puts into an environment


@pytest.fixture
def project(tmp_path):
    """A copy of what `make` reads, with two Pythons that write down what they are asked: ``old`` and ``new``."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for name, version in (("old", (3, 9, 18)), ("new", (3, 12, 1))):
        text = STAND_IN.format(python=sys.executable, version=version, log=tmp_path / "log")
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(("python", "found"), [("./old", "Python 3.9.18"), ("./absent", "not found|No such file")])
def test_a_python_that_will_not_do_is_refused_before_an_environment_is_made(project, python, found):
    done = make("lab", f"PYTHON={python}", cwd=project)
    assert done.returncode and not (project / ".venv").exists()
    assert re.search(f"says: .*({found}).*3.11 or newer. Name one: make lab PYTHON=python3.12", done.stderr)
    assert SpecifierSet(PROJECT["requires-python"]) == SpecifierSet(">=3.11")
    assert "make lab PYTHON=python3.12" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_an_environment_of_an_old_python_is_made_anew_and_a_good_one_kept(project):
    (project / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(project / "old", project / ".venv" / "bin" / "python")
    asked = []
    for _ in range(2):
        done = make("lab", "PYTHON=./new", cwd=project)
        assert done.returncode == 0, done.stderr
        asked.append((project / "log").read_text(encoding="utf-8"))
        (project / "log").unlink()
        (project / ".venv" / "ready").unlink()  # as when the lock has changed
    assert ["-m venv --clear .venv" in one for one in asked] == [True, False]
    assert all("-m pip install" in one and ".venv/bin/jupyter lab" in one for one in asked)


def test_both_kinds_of_ci_run_the_same_script():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    steps = workflow["jobs"]["test"]["steps"]
    assert "bash .ci/run" in [step.get("run") for step in steps]
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "make test"
    pythons = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert all(SpecifierSet(PROJECT["requires-python"]).contains(f"{python}.0") for python in pythons)


def test_ci_keeps_what_the_browser_tests_looked_at_also_when_they_fail():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    (kept,) = [step for step in workflow["jobs"]["test"]["steps"] if "upload-artifact" in step.get("uses", "")]
    assert kept["if"] == "${{ !cancelled() }}" and "${{ matrix.python }}" in kept["with"]["name"]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/browser").glob("test_*.py"))
    folders = re.findall(r'^KEPT = ROOT / "(\w+)" / "(\w+)"$', sources, re.MULTILINE)
    assert sorted(map("/".join, folders)) == sorted(kept["with"]["path"].split())


def test_the_licence_is_the_declared_one():
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS" in text
