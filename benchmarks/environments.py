"""Unit tests and the whole workbook in other environments than the locked one.

    python -m benchmarks.environments colab     # Colab's own versions; the notebooks' first cell sets pricelab up
    python -m benchmarks.environments latest    # the newest of everything
    python -m benchmarks.environments --page    # rewrite the table of docs/colab.md

``PYTHON`` names the interpreter to build with, by default the one that runs this; ``TORCH`` the torch to install, such
as ``torch==2.11.0``; ``NOTE`` what to know about the run. An environment is built once, in the cache, and again when
interpreter, torch, pins or pyproject.toml change. Each time `latest` is brought to the newest versions, and in `colab`
all that the set-up cell installs is taken out and the cell run again. Results with their times go to
``data/results/environments.json``, those with another interpreter to a row of their own. What a test needs besides is
installed without touching what is there; tests of extras that no notebook uses, browser tests and checks of text stay
with `make test`. The command leaves with 1 when a test fails or the set-up cell takes longer than 40 s.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, ROOT, renewed
from pricelab.colab import KEPT
from pricelab.files import cache_dir, read_json, write_json_atomic, write_text_atomic
from pricelab.normalise import this_machine

PAGE = ROOT / "docs" / "colab.md"
FILE = "environments.json"
PINS = ROOT / "environments" / "colab.txt"
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "nbval", "pyyaml", "optuna", "mapie>=1.6", "schemathesis>=4.30")
LEFT_OUT = (  # Voilà, TRL, Ray, spelling: not in these environments
    "tests/browser", "tests/test_app.py", "tests/test_bench.py", "tests/test_engine_benchmark.py",
    "tests/test_many_workers.py", "tests/test_ray_session.py", "tests/test_spelling.py", "tests/test_links.py",
    "tests/test_docs_site.py",
)  # fmt: skip
SET_UP_SECONDS = 40  # that the set-up cell may take
SHOWN = (*KEPT, "peft", "accelerate", "datasets", "bitsandbytes", "IPython", "pricelab")
SET_UP = """
import sys, types, nbformat
from IPython.core.interactiveshell import InteractiveShell
shell = type("Shell", (InteractiveShell,), {"__module__": "google.colab._shell"}).instance()
sys.modules["google.colab"] = types.ModuleType("google.colab")
cell = next(cell for cell in nbformat.read(sys.argv[1], as_version=4).cells if cell.id == "set-up")
shell.run_cell(cell.source.replace('SOURCE = ""', f'SOURCE = "{sys.argv[2]}"')).raise_error()
"""


def build(name: str, row: str, interpreter: str, torch: str) -> tuple[Path, dict[str, Any]]:
    """The Python of the environment for ``row``, and what setting it up took; one that is there is used again."""
    pins = colab_pins(torch) if name == "colab" else torch or "torch"
    wanted = hashlib.sha256(f"{interpreter}\n{pins}".encode() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    folder = cache_dir() / "environments" / row.replace(", Python ", "-")
    python, noted, started = folder / "bin" / "python", folder / "built.json", time.monotonic()
    facts: dict[str, Any] = read_json(noted) if noted.is_file() else {}
    if new := facts.get("sha256") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([interpreter, "-m", "venv", folder], check=True)
        facts = {"sha256": wanted}
    if name == "colab":
        facts |= _as_on_colab(python, pins, facts.get("added", ["pricelab"]))
    else:
        _pip(python, "install", "--upgrade", "--upgrade-strategy", "eager", pins, f"{ROOT}[lab]", *TOOLS)
        _pip(python, "install", "--no-deps", "--force-reinstall", str(ROOT))  # kernels import what is installed
    if new:
        facts["build_seconds"] = round(time.monotonic() - started)
    write_json_atomic(noted, facts)
    return python, facts


def _as_on_colab(python: Path, pins: str, added: Sequence[str]) -> dict[str, Any]:
    """Colab's packages without what the set-up cell ``added`` before, then that cell, then what tests need."""
    folder = python.parents[1]
    (folder / "pins.txt").write_text(pins, encoding="utf-8")
    _pip(python, "uninstall", "--yes", *added)
    _pip(python, "install", "-r", str(folder / "pins.txt"))
    before = versions(python)
    facts = _set_up(python)
    after = versions(python)
    if changed := {package for package in KEPT if before[package] != after[package]}:
        raise RuntimeError(f"the set-up cell changed {', '.join(sorted(changed))}")
    held = folder / "held.txt"
    held.write_text("\n".join(f"{n}=={v}" for n, v in after.items() if n != "pricelab"), encoding="utf-8")
    _pip(python, "install", "-c", str(held), *TOOLS)
    return {**facts, "added": sorted({*after} - {*before})}


def colab_pins(torch: str) -> str:
    """Colab's pins, a line each, with ``torch`` in place of theirs where it says something."""
    lines = [line for line in PINS.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    return "\n".join(torch if torch and line.startswith("torch==") else line for line in lines)


def versions(python: Path) -> dict[str, str]:
    """Name → version of what is installed for ``python``."""
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    return json.loads(subprocess.run([python, "-c", code], check=True, capture_output=True, encoding="utf-8").stdout)


def test(python: Path, *arguments: str) -> dict[str, Any]:
    """Run pytest with ``arguments``; how many tests passed and failed, and the seconds."""
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    started, last = time.monotonic(), ""
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8") as running:
        assert running.stdout is not None
        for line in running.stdout:
            print(line, end="", flush=True)
            last = line if " in " in line else last
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", last)}
    failed = counts.get("failed", 0) + counts.get("error", 0) + (running.returncode not in (0, 1))
    return {"passed": counts.get("passed", 0), "failed": failed, "seconds": round(time.monotonic() - started)}


def measure(name: str, row: str, interpreter: str, torch: str) -> int:
    """Build, test, note the results in ``row``; how many tests failed, a set-up cell that is too slow among them."""
    python, built = build(name, row, interpreter, torch)
    units = test(python, *(f"--ignore={place}" for place in LEFT_OUT), "--ignore=tests/test_notebooks.py")
    notebooks = test(python, "tests/test_notebooks.py", "-k", "runs_alone")
    found = {package.lower(): version for package, version in versions(python).items()}
    seconds = {key: value for key, value in built.items() if key.endswith("_seconds")}
    facts = {"python": _version(python).removeprefix("Python "), **seconds, "unit tests": units}
    if told := os.environ.get("NOTE"):
        facts["note"] = f"; {told}"
    note(
        row,
        {**facts, "notebooks": notebooks, "versions": {package: found.get(package.lower(), "") for package in SHOWN}},
    )
    if slow := built.get("set_up_seconds", 0) > SET_UP_SECONDS:
        print(f"the set-up cell took {built['set_up_seconds']:.0f} s, more than {SET_UP_SECONDS}", file=sys.stderr)
    return units["failed"] + notebooks["failed"] + slow


def note(name: str, facts: dict[str, Any]) -> None:
    """Put the results of one environment among those of the others, and renew the page."""
    path = RESULTS / FILE
    before = read_json(path) if path.is_file() else {"environments": {}}
    facts = {"machine": this_machine(), **facts}
    write_json_atomic(path, {"environments": {**before["environments"], name: facts}})
    write_text_atomic(PAGE, page())


def table(facts: dict[str, Any]) -> str:
    """One row an environment: its versions, what passed, and the times."""
    lines = ["| environment | versions | set-up cell | unit tests | notebooks in `smoke` |", "|---|---|---|---|---|"]
    for name, found in facts["environments"].items():
        shown = ", ".join(f"{package} {version}" for package, version in found["versions"].items() if version)
        set_up = f"{found['set_up_seconds']:.0f} s" if "set_up_seconds" in found else "–"
        lines.append(f"| {name} | Python {found['python']}, {shown} | {set_up} | {_counts(found, 'unit tests')} | "
                     f"{_counts(found, 'notebooks')} |")  # fmt: skip
    told = [f"{name}: {found['machine']}{found.get('note', '')}." for name, found in facts["environments"].items()]
    return "\n".join([*lines, "", *(f"- {each}" for each in told)])


def _counts(found: dict[str, Any], what: str) -> str:
    if not (one := found.get(what)):
        return "not run"
    return f"{one['passed']:,} passed, {one['failed']} failed, {one['seconds'] / 60:.0f} min"


def page() -> str:
    """The page with its table renewed."""
    return renewed(PAGE, {"environments": (FILE, table)})


def _set_up(python: Path) -> dict[str, Any]:
    """Run the set-up cell of notebook 00 in the environment, as Colab would, and time it."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, encoding="utf-8")
    source = f"git+file://{ROOT}@{asked.stdout.strip()}"  # what is committed, as Colab would fetch it
    notebook = next((ROOT / "notebooks").glob("00*.ipynb"))
    started = time.monotonic()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([python, "-c", SET_UP, notebook, source], check=True, cwd=python.parent, env=environment)
    return {"set_up_seconds": round(time.monotonic() - started, 1)}


def _version(python: str | Path) -> str:
    """Such as ``Python 3.13.0``."""
    return subprocess.run([python, "--version"], check=True, capture_output=True, encoding="utf-8").stdout.strip()


def _pip(python: Path, *arguments: str) -> None:
    command = [python, "-m", "pip", arguments[0], "--quiet", "--disable-pip-version-check", *arguments[1:]]
    subprocess.run(command, check=True)


def main(arguments: list[str]) -> int:
    """Measure an environment, or with ``--page`` only rewrite the page; 1 when a test failed or the set-up was slow."""
    if arguments == ["--page"]:
        write_text_atomic(PAGE, page())
        return 0
    if len(arguments) != 1 or arguments[0] not in ("colab", "latest"):
        print("give one of: colab, latest, --page", file=sys.stderr)
        return 2
    interpreter = os.environ.get("PYTHON", "")
    row = f"{arguments[0]}, {_version(interpreter)}" if interpreter else arguments[0]
    return min(1, measure(arguments[0], row, interpreter or sys.executable, os.environ.get("TORCH", "")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
