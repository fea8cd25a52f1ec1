"""Which platforms have wheels of what the workbook needs: `python -m benchmarks.platforms` (needs `uv` and a network).

uv resolves ``pricelab[lab]`` under ``requirements.lock`` for each platform, wheels only, as if it ran there. What it
says goes to ``data/results/platforms.json``, with a hash of what was resolved, and into the table of
``docs/platforms.md``; with ``--page`` only the page is rewritten. That packages can be installed isn't that they were
run, and what other extras add isn't asked for.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from benchmarks.results import RESULTS, ROOT, renewed
from pricelab.files import write_json_atomic, write_text_atomic
from pricelab.platforms import CAN, MISSING, OLDEST_MACOS

PAGE = ROOT / "docs" / "platforms.md"
FILE = "platforms.json"
COMMAND = "python -m benchmarks.platforms"
EXTRA = "lab"
PYTHONS = ("3.11.9", "3.13.1", "3.14.0")
TARGETS = {
    "Linux": "x86_64-unknown-linux-gnu",
    "Linux on ARM": "aarch64-unknown-linux-gnu",
    "macOS on Apple silicon": "aarch64-apple-darwin",
    "Windows": "x86_64-pc-windows-msvc",
    "macOS on Intel": "x86_64-apple-darwin",
    "Windows on ARM": "aarch64-pc-windows-msvc",
}


def wanted() -> list[str]:
    """What `EXTRA` comes to in pyproject.toml, with the extras that it brings in turn."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found, extras = list(project["dependencies"]), [EXTRA]
    for extra in extras:  # grows on the way
        for line in project["optional-dependencies"][extra]:
            requirement = Requirement(line)
            if requirement.name == project["name"]:
                extras += sorted(requirement.extras - set(extras))
            else:
                found.append(line)
    return sorted(found)


def fingerprint() -> str:
    """SHA-256 of what is resolved: requirements and lock. Another one means that the record is of something else."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return hashlib.sha256("\n".join([*wanted(), lock]).encode()).hexdigest()


def resolve(target: str, python: str) -> dict[str, Any]:
    """How many packages ``pricelab[lab]`` comes to on a platform, or the first reason why not."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "resolved.txt"
        options = ["--only-binary", ":all:", "--python-version", python, "--python-platform", target]
        command = ["uv", "pip", "compile", "-q", "--no-header", "--no-annotate", *options]
        command += ["-c", "requirements.lock", "pyproject.toml", "--extra", EXTRA, "-o", str(out)]
        environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": f"{OLDEST_MACOS}.0"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8")
        if done.returncode:
            cause = next((line for line in done.stderr.splitlines() if "cause:" in line), done.stderr[-300:])
            return {"python": python, "packages": 0, "cause": cause.partition("cause:")[2].strip() or cause}
        lines = out.read_text(encoding="utf-8").splitlines()
        return {"python": python, "packages": sum(line[:1].isalnum() for line in lines), "cause": ""}


def measure() -> None:
    """Ask uv about every platform and note what it says."""
    version = subprocess.run(["uv", "--version"], capture_output=True, encoding="utf-8", check=True).stdout.split()[1]
    found = {name: [resolve(target, python) for python in PYTHONS] for name, target in TARGETS.items()}
    facts = {"command": COMMAND, "uv": version, "resolved_sha256": fingerprint(), "platforms": found}
    write_json_atomic(RESULTS / FILE, facts)


def table(facts: dict[str, Any]) -> str:
    """Platforms, whether all wheels exist, by Python, and what they can do."""
    heading = f"wheels for `pricelab[{EXTRA}]` at the lock's versions"
    lines = [f"| platform | {heading} | what it can do |", "|---|---|---|"]
    for name, answers in facts["platforms"].items():
        counts = {one["python"]: one["packages"] for one in answers}
        each = ", ".join(f"{f'{count} packages' if count else 'no'} on Python {v}" for v, count in counts.items())
        wheels = f"yes: {each}" if any(counts.values()) else "no"
        told = CAN.get(name) or f"{MISSING[name][0]}: {MISSING[name][1]}"
        lines.append(f"| {name} | {wheels} | {told} |")
    lines.append(f"| WSL | as Linux | {CAN['WSL']} |")
    how = f"Resolved by uv {facts['uv']}, wheels only; what the lock, made on Linux, doesn't name is the newest"
    return "\n".join([*lines, "", f"{how}. Written by `{facts['command']}`."])


def page() -> str:
    """The page with its table renewed."""
    return renewed(PAGE, {"platforms": (FILE, table)})


def main(arguments: list[str]) -> None:
    """Ask, unless told ``--page``, then rewrite the page."""
    if "--page" not in arguments:
        measure()
    write_text_atomic(PAGE, page())


if __name__ == "__main__":
    main(sys.argv[1:])
