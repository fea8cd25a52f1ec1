"""Which platforms have wheels of everything in the lock: `python -m benchmarks.platforms` (needs `uv` and a network).

uv resolves ``pricelab[lab]`` under ``requirements.lock`` for each platform, wheels only, as if it ran there. What it
says goes to ``data/results/platforms.json`` and into the table of ``docs/platforms.md``; with ``--page`` only the page
is rewritten. That packages can be installed isn't that they were run.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, ROOT, renewed
from pricelab.files import write_json_atomic, write_text_atomic
from pricelab.platforms import CAN, MISSING, OLDEST_MACOS

PAGE = ROOT / "docs" / "platforms.md"
FILE = "platforms.json"
PYTHONS = ("3.11.9", "3.13.1")
TARGETS = {
    "Linux": "x86_64-unknown-linux-gnu",
    "Linux on ARM": "aarch64-unknown-linux-gnu",
    "macOS on Apple silicon": "aarch64-apple-darwin",
    "Windows": "x86_64-pc-windows-msvc",
    "macOS on Intel": "x86_64-apple-darwin",
    "Windows on ARM": "aarch64-pc-windows-msvc",
}


def resolve(target: str, python: str) -> dict[str, Any]:
    """How many packages ``pricelab[lab]`` comes to on a platform, or the first reason why not."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "resolved.txt"
        options = ["--only-binary", ":all:", "--python-version", python, "--python-platform", target]
        command = ["uv", "pip", "compile", "-q", "--no-header", "--no-annotate", *options]
        command += ["-c", "requirements.lock", "pyproject.toml", "--extra", "lab", "-o", str(out)]
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
    write_json_atomic(RESULTS / FILE, {"command": "python -m benchmarks.platforms", "uv": version, "platforms": found})


def table(facts: dict[str, Any]) -> str:
    """Platforms, whether all wheels exist, and what they can do."""
    lines = ["| platform | wheels for everything in the lock | what it can do |", "|---|---|---|"]
    for name, answers in facts["platforms"].items():
        counts = ", ".join(
            f"{one['packages']} packages on Python {one['python']}" for one in answers if one["packages"]
        )
        told = CAN.get(name) or f"{MISSING[name][0]}: {MISSING[name][1]}"
        lines.append(f"| {name} | {f'yes: {counts}' if counts else 'no'} | {told} |")
    lines.append(f"| WSL | as Linux | {CAN['WSL']} |")
    return "\n".join([*lines, "", f"Resolved by uv {facts['uv']}, wheels only; written by `{facts['command']}`."])


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
